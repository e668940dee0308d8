"""Layers as linear operators: apply, transpose, combine, and turn into a matrix on request."""

from convmat.operator._algebra import Product, Scaled, Sum
from convmat.operator._base import Operator
from convmat.operator._block import Block, block
from convmat.operator._built import BuiltOperator
from convmat.operator._layer import LayerOperator
from convmat.operator._separable import SeparableOperator

__all__ = [
    "Block",
    "BuiltOperator",
    "LayerOperator",
    "Operator",
    "Product",
    "Scaled",
    "SeparableOperator",
    "Sum",
    "block",
]
