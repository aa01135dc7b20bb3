"""Decisions of dispatch: may we send, what does the answer mean, what follows from it."""
