"""Rows of runs and of what is around them, out."""
