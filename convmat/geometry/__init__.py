"""Geometry: what a layer is, without its numbers.

Words, each with one meaning throughout the package:

base
    Step between inputs before the kernel meets them: a transposed convolution of stride s inserts
    s - 1 zeros between them, which is a base of s ("base dilation", ``lhs_dilation``).
channel, group
    As in frameworks: the first axis of a tensor, and channels that meet no others.
input, output (position)
    Coordinates i and o along an axis; flat ones number a tensor in C order, and are the columns
    and rows of the matrix.
pattern
    Which output meets which input through which slot: the matrix before numbers are filled in.
phase
    Outputs a fixed step apart that meet the same taps: o, o + s, o + 2s, ... of a layer that is
    transposed with stride s.
record
    `Window`, `Geometry`, `AxisMap` or `Kronecker`: the integers from which all else is derived.
selection
    The 0/1 matrix that picks, for each output, the input that its switch names.
separable
    Of a kernel: an outer product, so that the layer may be applied axis by axis. A layer without
    weights is a Kronecker product of small matrices, whatever its kernel.
slot
    The flat (C-order) index of one entry of the weight array.
switches
    For each output of a max pooling, the flat position of the input that won.
tap
    One position k of the kernel along an axis, ``0 <= k < kernel``.
window
    The taps that meet one output, and the record (`Window`) that says which inputs they meet.

Loop letters: o output, i input, k tap, c channel, g group, b batch.

Where to find what:

=============  ===================================================================================
`arguments`    `GeometryError`, and checks of arguments with one wording
`printing`     what the prompt shows: one line
`arrays`       users' arrays (NumPy, PyTorch and others) as NumPy's, and back again
`window`       the relation of outputs, taps and inputs: `Window`, and `Geometry` of several axes
`axis_map`     one axis of a layer without weights: exact fractions
`kronecker`    all axes of such a layer
`sizes`        output sizes and their inverses, of integers and of symbols
`keywords`     from PyTorch's keywords to windows, and back
`borders`      padding modes: which cell stands for one beyond the end
`resampling`   averages and interpolation as axis maps
`weights`      layouts of weight arrays
`pattern`      entries of a matrix, and what they cost, before it is built
=============  ===================================================================================
"""
