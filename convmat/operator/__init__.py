"""Layers as linear operators: apply, transpose, combine, and turn into a matrix on request."""

from convmat.operator._algebra import Product, Scaled, Sum
from convmat.operator._base import Operator
from convmat.operator._layer import LayerOperator

__all__ = ["LayerOperator", "Operator", "Product", "Scaled", "Sum"]
