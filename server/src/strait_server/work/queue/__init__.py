"""The run row and its states, on PostgreSQL.

A run is one execution of one job; the queue is the set of runs that may be
claimed now. This room is the only one that changes a run's status: it
enqueues, hands runs to workers under a lease, and writes every move, each in
SQL that says from which status it is allowed; `rules/fsm.py` is the table of
all of them. It does not know what a run does, how it is sent, or who wants
to hear about it: it records facts, and rooms above react.
"""
