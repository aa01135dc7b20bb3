"""Real workers and a real endpoint."""

from crew import endpoint, hire, mortal

__all__ = ["endpoint", "hire", "mortal"]
