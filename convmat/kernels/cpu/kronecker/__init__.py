"""Outputs of layers without weights, axis by axis; and selections."""
