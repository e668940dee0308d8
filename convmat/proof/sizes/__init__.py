"""Where a formula and the size of a layer are compared, and the search among sizes."""
