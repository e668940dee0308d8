"""Claims about the matrices of two layers.

==========  =========================================
`claims`    `prove_transpose` and `prove_equal`
`refuting`  what is false in the claim of a transpose
==========  =========================================
"""
