"""`python -m strait_server [serve|dev]`: be a server, as flags and the environment say."""

import argparse
import sys
from typing import Any, cast

# structlog loads rich where it finds it, to draw tracebacks on a terminal: three
# megabytes of a process that writes JSON. None says that it is not there.
cast("dict[str, Any]", sys.modules).setdefault("rich", None)

from strait_server.app import commands  # noqa: E402
from strait_server.base.errors import StraitError  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="strait_server", description="The Strait server.")
    parser.add_argument("verb", nargs="?", choices=("serve", "dev"), default="serve")
    parser.add_argument("--mode", choices=("all", "api", "worker"))
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--database-url")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    try:
        if given.verb == "dev":
            return commands.dev(given.port)
        return commands.serve(
            given.mode, given.host, given.port, given.database_url, given.processes
        )
    except StraitError as error:
        sys.stderr.write(f"strait: {error.message}\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in error.problems)
        return commands.exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
