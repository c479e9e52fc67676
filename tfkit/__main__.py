"""`python -m tfkit` is the command `tfkit`."""

from tfkit.cli.main import command

command()
