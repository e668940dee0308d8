"""Theorems about sizes, each with its proof; `convmat.symbolic.sizes.deriving` lists them."""
