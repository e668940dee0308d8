"""What `scripts/bench.py` runs."""
