"""SciPy matrices of layers: built by blocks of rows, within the memory, and written to files."""
