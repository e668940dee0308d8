"""Kernels for the processor, grouped by what a loop writes; the map stands in `convmat.kernels`."""
