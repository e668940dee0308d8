"""Statements about integers, their certificates, and the checker that follows them."""
