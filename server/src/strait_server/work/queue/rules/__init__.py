"""Decisions about runs: which moves there are, when they expire, who goes first."""
