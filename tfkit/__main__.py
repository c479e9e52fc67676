"""`python -m tfkit` is the command `tfkit`."""

from tfkit.cli import command

command()
