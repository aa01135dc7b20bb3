"""How fast Strait is, what a run costs, and how that compares.

`make bench` measures everything, `python -m bench NAME...` some of it, and
`--quick` in seconds instead of minutes. What is measured is the product as it
is shipped: its own processes, spoken to over HTTP, on a PostgreSQL that this
folder starts and throws away.

- **A rate alone says little on a machine that others use.** Beside it stands
  the CPU time per run of every process involved, which neighbours hardly
  change, and how many cores the neighbours took meanwhile.
- **Candidates alternate**, and medians are compared.
- **Peers get the same task**: the same payload POSTed to the same endpoint,
  jobs on the same PostgreSQL, each tuned as its documentation allows. Those
  on Redis run it without persistence, so they promise less than we do.

`stage.py` sets up and tears down; one module per measurement; `report.py`
prints and judges; `peers/` holds the others.
"""
