"""Verification of a recipe: same seed, resume after kill, save and load, replicas."""

from tfkit.verification.result import CheckResult
from tfkit.verification.verify import CHECKS, verify

__all__ = ["CHECKS", "CheckResult", "verify"]
