"""What job code may ask for its own run, and only for it: its payload, and to be heard.

A run token says which run is speaking. This room decides what a report means
and whether it may still be made; the queue writes it down. It does not know how
the run was sent.
"""
