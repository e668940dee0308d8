"""Two layers compared: equal, or where they differ."""
