"""Decisions about job definitions: what may be written, and what it then demands."""
