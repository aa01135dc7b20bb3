"""The commands, one file per group.

Each reads the same way: take the flags, make a call or two, show the answer.
Help texts end with an example, which a test parses. Nothing in here catches
what the client raises: `main` turns it into an exit code.
"""
