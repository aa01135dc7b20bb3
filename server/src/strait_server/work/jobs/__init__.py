"""What can be triggered: definitions of jobs, their policies, their switches.

This room knows what a job is and keeps every process's copies of definitions
fresh. It does not know how a run is made or sent.
"""
