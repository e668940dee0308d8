"""Users' formulas: read, never evaluated, and compared with the size of a layer."""
