"""Fast algorithms for short convolutions, in exact fractions."""
