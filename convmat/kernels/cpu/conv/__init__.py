"""Outputs of layers with weights, and of their transposes: one file for each algorithm.

direct     sums along lines: one row in direct_lines, tiles of rows in direct_tiles
gemm       products of small dense tiles
winograd   fewer products; winograd_vectors has its small matrices as code
separable  axis by axis: separable_factors finds the factors, separable_loops applies them
fft        products of spectra
in_numpy   shifted products, for whatever has no kernel
"""
