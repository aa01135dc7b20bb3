"""Values that endpoints need and nobody else may see.

A secret is sealed before it reaches the database and opened only to be handed
to an endpoint at dispatch: no answer, log line or trace ever contains a value.
It belongs to a project, an environment and perhaps one job; this room knows
the id of that job and nothing else about jobs.
"""
