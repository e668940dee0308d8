"""Theorems about sizes, proved line by line; `convmat.symbolic.counting.deriving` lists them."""
