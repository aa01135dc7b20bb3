"""HTTP, and not one word about jobs: what every request and every answer has in common.

A request passes through three layers, outermost first.

- **The edge** (`edge.py`) is one ASGI callable around everything: request id,
  security headers, CORS, the size of a body, the limit per address, the
  deadline, the access log and the metrics. What it knows of a request it keeps
  in an `Exchange` (`exchange.py`), which the layers below read and fill.
- **The doors.** Most routes are plain Litestar routes. A hot one is a *face*
  (`faces.py`): one function from a request to an answer, mounted in Litestar
  for its documentation and called directly for speed. Both doors decode with
  `bodies.py` and fail through `problems.py`, so they cannot disagree.
- **The routes** belong to the rooms above. They find their vocabulary here:
  parameters (`params.py`), permissions (`guards.py`), pages (`pages.py`).

Who is asking is decided above, in `app/authentication.py`; here an actor is
only somebody who may do some things (`guards.Holder`).
"""
