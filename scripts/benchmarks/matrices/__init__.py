"""Matrices built, beside other ways to build them."""
