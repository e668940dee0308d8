"""Matrices with symbolic entries.

===========  =============================================
`entries`    SymPy matrices of layers small enough to read
`exact`      matrices read into exact rings
`algebra`    ranks, determinants, null spaces
`spectra`    eigenvalues in closed form
`structure`  what the positions of the nonzeros say
`blocks`     matrices as text and LaTeX, ruled into blocks
===========  =============================================
"""
