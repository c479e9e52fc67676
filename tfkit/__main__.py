"""`python -m tfkit` is the command `tfkit`."""

import sys

from tfkit.cli import main

sys.exit(main())
