"""Sending a claimed run to its endpoint, and deciding what follows from the answer.

What an attempt led to is a value: completed, to be tried again, given up. The
rules say which; the service acts on it, in batches. This room refuses to know
where runs wait (that is the queue's business), what a job is allowed to do,
and how bytes travel.
"""
