"""Who is asking, and what for.

API keys are made, listed, rotated and revoked here, kept as hashes, and
recognised when somebody shows one. What comes out is an `Actor`: everybody
above asks it, and nobody asks for a key again. This room does not know what
the scopes allow, only who holds them, and nothing of the projects but their
ids: it refuses the keys of deleted ones because the statement says so.
"""
