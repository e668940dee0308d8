"""Kernels for NVIDIA GPUs, written in Numba and compiled without its dispatcher.

Everything is derived from the records that the kernels of `cpu` are derived from: a `Geometry`
with its weight, a `Kronecker` of axis maps. Nothing here is imported until an array on a GPU is
met. Kernels take plain pointers, 32-bit integers inside a plane and 64-bit ones where a tensor
begins, and write every output once, in an order that no number of threads changes.

===========  ==========================================================
`extra`      whether what this needs is installed, and the error if not
`arrays`     pointer, stream, dtype and memory of the caller's arrays
`words`      moving pointers and wide loads, which Numba lacks
`engine`     compiling, the cache of cubins, launching
`windows`    layers with weights: convolutions, transposed or not
`kronecker`  layers without: pooling, resizing, padding, rearranging
`max_pool`   the greatest number of every window, and where it was
===========  ==========================================================
"""
