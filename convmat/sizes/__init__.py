"""Output sizes, and the padding that a name stands for: integers or SymPy expressions alike."""

from convmat.sizes._resizing import (
    as_scale,
    padded_size,
    pixel_shuffle_shape,
    pixel_unshuffle_shape,
    upsampled_size,
)
from convmat.sizes._windows import (
    output_size,
    same_padding,
    transposed_output_size,
    unfold_shape,
)

__all__ = [
    "as_scale",
    "output_size",
    "padded_size",
    "pixel_shuffle_shape",
    "pixel_unshuffle_shape",
    "same_padding",
    "transposed_output_size",
    "unfold_shape",
    "upsampled_size",
]
