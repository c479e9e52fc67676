"""Verification of a recipe: same seed, resume after kill, save and load, replicas."""

from tfkit.verification.result import Proof
from tfkit.verification.verify import CHECKS, check

__all__ = ["CHECKS", "Proof", "check"]
