"""Sending runs to their endpoints, and remembering how that went."""
