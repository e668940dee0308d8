"""Users' formulas: read, never evaluated, and compared with the size of a layer.

=============  =================================================
`tree`         a formula as a small tree
`spelling`     which spelling stands for which quantity
`reading`      from text or SymPy
`tracing`      from a function that is called with symbols
`conditions`   conditions on sizes
`branches`     from a function that decides: each way through it
`programs`     formulas as integer instructions
`evaluation`   their values in exact integers
`size_maps`    floors of linear formulas, taken apart
`identities`   equality for all integers, with certificates
`equality`     `prove_identity`
`rewriting`    floors and the like as polynomials in new symbols
`normal_form`  `normal_form` and `rewrite`
=============  =================================================
"""
