"""Strait in a minute: runs that succeed, retry, die and come back."""
