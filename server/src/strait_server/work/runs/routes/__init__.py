"""HTTP face of runs."""
