"""What proofs rest on: each kind states its claim and checks itself again.

===========  ===============================================
`layers`     patterns of two layers, for all weights
`sizes`      an output size, for all sizes
`theorems`   named theorems
`bilinear`   a bilinear algorithm, coefficient by coefficient
`operators`  whether two operators are those of a claim
===========  ===============================================
"""
