"""SciPy matrices of layers.

==========  ===================================================
`entries`   a record, its numbers, and the builder of its kind
`nonzero`   the entries of weights that are not zero
`csr`       built whole, by blocks of rows, or into old buffers
`exact`     matrices of fractions and of expressions
`rounding`  what is known of rounding before a matrix is made
`limits`    what fits in the memory, asked before it is taken
`files`     written whole or not at all
==========  ===================================================
"""
