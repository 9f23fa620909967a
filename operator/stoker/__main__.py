"""`python -m stoker` is the command `stoker`."""

import sys

from stoker.cli import main

sys.exit(main())
