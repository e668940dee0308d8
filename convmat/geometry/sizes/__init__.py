"""Output sizes, and the padding that a name stands for: integers or SymPy expressions alike.

==========  =================================================
`windows`   convolution, pooling, their transposes, unfolding
`resizing`  padding, pixel shuffles, scales
`inverses`  from output sizes back
`layers`    one table: the size of every layer
==========  =================================================
"""

from convmat.geometry.sizes.inverses import input_sizes, output_padding_for, same_input_sizes
from convmat.geometry.sizes.resizing import (
    adaptive_window,
    as_scale,
    padded_size,
    pixel_shuffle_shape,
    pixel_unshuffle_shape,
    upsampled_size,
)
from convmat.geometry.sizes.windows import (
    PADDING_RULES,
    is_same,
    output_size,
    padding_ends,
    padding_rule,
    pool_padding_room,
    same_padding,
    same_size,
    transposed_output_size,
    unfold_shape,
)

__all__ = [
    "PADDING_RULES",
    "adaptive_window",
    "as_scale",
    "input_sizes",
    "is_same",
    "output_padding_for",
    "output_size",
    "padded_size",
    "padding_ends",
    "padding_rule",
    "pixel_shuffle_shape",
    "pixel_unshuffle_shape",
    "pool_padding_room",
    "same_input_sizes",
    "same_padding",
    "same_size",
    "transposed_output_size",
    "unfold_shape",
    "upsampled_size",
]
