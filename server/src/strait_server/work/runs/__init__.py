"""The user's window on runs: look at them, say why they do not move, and change their fate.

This room owns no table. It reads what the queue, intake and the workers write,
and asks the queue for every change of a run. It does not know how a run is
executed.
"""
