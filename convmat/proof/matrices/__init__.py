"""Matrices compared entry by entry: fractions, expressions, floating-point numbers."""
