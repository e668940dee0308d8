"""A user's formula for an output size, and what becomes of it."""
