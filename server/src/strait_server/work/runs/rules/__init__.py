"""Decisions about looking at runs: what filters mean, how a story reads, why a run waits."""
