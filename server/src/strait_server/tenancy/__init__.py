"""Who is asking, and within which limits."""
