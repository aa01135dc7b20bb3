"""The command line of Strait.

It speaks HTTP and nothing else: every command is one or a few calls of the
public API, so whatever it can do, a program can do as well. The exceptions are
the four commands that run the server itself; they call the server package.

Read it in this order: `main` (what happens to an invocation), `tree` (which
commands there are), `settings` (where a value comes from), `client` (how a
call is made), `output` (how an answer is shown), `errors` (how a command
ends), and then any file in `commands`.
"""
