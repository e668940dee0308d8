"""Layers as linear operators: apply, transpose, combine, and turn into a matrix on request."""

from convmat.operator.algebra import Operator, Product, Scaled, Sum
from convmat.operator.blocks import Block, block
from convmat.operator.built import BuiltOperator
from convmat.operator.convolution import LayerOperator
from convmat.operator.kronecker import KroneckerOperator

__all__ = [
    "Block",
    "BuiltOperator",
    "KroneckerOperator",
    "LayerOperator",
    "Operator",
    "Product",
    "Scaled",
    "Sum",
    "block",
]
