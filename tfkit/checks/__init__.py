"""Verification of recipes in real processes: same seed, resume, reload, replicas."""

from tfkit.checks.proof import Proof
from tfkit.checks.proving import CHECKS, check

__all__ = ["CHECKS", "Proof", "check"]
