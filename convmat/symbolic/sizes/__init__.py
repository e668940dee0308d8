"""Size formulas derived by counting windows, and their inverses.

==========  =====================================================
`recipes`   what each derivation asks, and which claims answer it
`meanings`  what the symbols of a theorem stand for
`deriving`  `derive`: an output size with its proof
`inverses`  `inputs_of`, `round_trip`: from a size back
==========  =====================================================
"""
