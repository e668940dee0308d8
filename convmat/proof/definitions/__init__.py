"""What a claim about two layers says, restated literally on index arrays."""
