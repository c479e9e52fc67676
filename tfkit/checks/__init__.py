"""Verification that a recipe is reproducible, resumable, loadable and replica-safe, in real processes."""

from tfkit.checks.proof import Proof
from tfkit.checks.proving import CHECKS, check

__all__ = ["CHECKS", "Proof", "check"]
