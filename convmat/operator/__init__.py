"""Layers as linear operators: apply, transpose, combine, and turn into a matrix on request.

=============  =====================================================
`base`         `Map`: shapes, and products with vectors and matrices
`protocol`     what else SciPy and PyLops ask of an operator
`algebra`      `Operator`, its sums, products and multiples
`composing`    what a composition asks before it builds a matrix
`scalars`      numbers that an operator may be multiplied by
`blocks`       operators side by side and above each other
`built`        operators with a matrix of their own
`convolution`  `LayerOperator`: a geometry and its weight
`kronecker`    `KroneckerOperator`: layers without weights
`plan`         what is asked of a layer, and what was decided
`algorithms`   how it is decided
`on_device`    arrays on a GPU, and the kernels there
=============  =====================================================
"""

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
