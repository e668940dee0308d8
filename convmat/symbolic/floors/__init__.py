"""Exact rewriting of expressions in floors, and the theorems behind its rules."""
