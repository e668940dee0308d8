"""Layers one after another: sizes, receptive fields and costs in closed form."""
