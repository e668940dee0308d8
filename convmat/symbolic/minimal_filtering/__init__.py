"""Fast algorithms for short convolutions, in exact fractions.

============  ============================================================
`transforms`  Cook's and Toom's matrices for F(m, r)
`points`      interpolation points, and which make small errors
`tiles`       an algorithm for one tile: applied, proved, counted, bounded
`bilinear`    the proof that a bilinear algorithm computes a convolution
`rounding`    fractions to the nearest floating-point numbers
============  ============================================================
"""
