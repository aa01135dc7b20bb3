"""The other queues, each with the same task and tuned as its documentation allows.

One file per contender (`with_….py`, `with_….cjs`) that runs in its own
environment and knows the verbs `prepare`, `fill N` and `work`; `task.py` and
`task.cjs` are the task they share. `contenders.py` lists them, `install.py`
brings them in on demand, `race.py` lets one drain a queue.
"""
