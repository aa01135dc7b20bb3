"""What a trigger passes before it becomes a run.

This room decides whether a run may be made: it knows the limits and asks in
the order of the specification. It does not know what becomes of the run.
"""
