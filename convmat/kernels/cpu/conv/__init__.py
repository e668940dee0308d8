"""Outputs of layers with weights, and of their transposes: one file for each algorithm."""
