"""Rows of `runs` and of the places where runs wait, in and out."""
