"""Workers: they claim runs, have them sent, and record what became of them.

A worker holds a session lock in the database, so that its death is seen at
once, and leases on the runs it claimed. It does not know how a run is sent.
"""
