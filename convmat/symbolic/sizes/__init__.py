"""Size formulas derived by counting windows, and their inverses."""
