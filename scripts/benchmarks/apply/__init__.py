"""Layers applied without a matrix, beside what users would take instead."""
