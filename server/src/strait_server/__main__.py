"""`python -m strait_server`: serve, as the environment says."""

import sys

from strait_server.app.commands import serve

if __name__ == "__main__":
    sys.exit(serve())
