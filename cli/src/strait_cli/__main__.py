"""`python -m strait_cli`."""

import sys

from strait_cli.main import main

sys.exit(main())
