"""The ladder of equality, below patterns: fractions while small, expressions, then floats."""
