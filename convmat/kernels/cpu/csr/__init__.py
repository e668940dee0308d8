"""The three arrays of a sparse matrix."""
