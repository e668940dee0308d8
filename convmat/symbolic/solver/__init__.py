"""Which parameters of a layer keep, halve, double or reach a size."""
