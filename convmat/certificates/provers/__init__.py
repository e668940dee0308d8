"""Provers write certificates. They may be wrong without harm: the checker believes none of them."""
