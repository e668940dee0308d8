"""Theorems about sizes, with words; `convmat.symbolic.sizes.deriving` lists them.

===============  ========================================================
`claim`          a theorem about sizes, and the words of its proof
`window_sizes`   windows that lie inside: convolution, pooling, unfolding
`same_padding`   SAME padding
`input_sizes`    inputs that lead to an output size
`resized_sizes`  adaptive pooling and enlargements
===============  ========================================================
"""
