"""Rows of `jobs`, in and out."""
