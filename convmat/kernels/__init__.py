"""Kernels: the loops that touch numbers, one module per way of running them."""
