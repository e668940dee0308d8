"""Matrices with symbolic entries: written out, ranks, determinants, eigenvalues."""
