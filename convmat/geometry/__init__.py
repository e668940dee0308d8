"""Geometry: records of what a layer is, without its numbers."""
