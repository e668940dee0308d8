"""Explicit vectors: the innermost loops, each beside a twin in Python that says what it means."""
