"""Friendly constructors: the keywords of PyTorch in, an operator out.

=================  ===============================================================
`convolution`      `conv`, `conv_transpose`, `convolution_matrix`
`average_pooling`  `avg_pool`, `adaptive_avg_pool`
`max_pooling`      `max_pool`, `selection`, `unpool`
`pooling_windows`  what poolings have in common
`resizing`         `upsample`
`rearranging`      `pad`, `pixel_shuffle`, `unfold`, `fold`, `identity`
`decoder`          `mirror`: for every layer of an encoder the one that leads back
`text`             layers written as text
`text_values`      the values of their options, and of those of the command line
`named_kernels`    kernels by name, of any size
=================  ===============================================================
"""

from convmat.layers.average_pooling import AveragePool, adaptive_avg_pool, avg_pool
from convmat.layers.convolution import conv, conv_transpose, convolution_matrix
from convmat.layers.max_pooling import MaxPool, max_pool, selection, unpool
from convmat.layers.rearranging import (
    Padding,
    fold,
    identity,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
)
from convmat.layers.resizing import upsample

__all__ = [
    "AveragePool",
    "MaxPool",
    "Padding",
    "adaptive_avg_pool",
    "avg_pool",
    "conv",
    "conv_transpose",
    "convolution_matrix",
    "fold",
    "identity",
    "max_pool",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "selection",
    "unfold",
    "unpool",
    "upsample",
]
