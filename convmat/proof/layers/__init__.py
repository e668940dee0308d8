"""Claims about the matrices of two layers: proved, or refuted."""
