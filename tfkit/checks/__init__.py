"""Proofs that a page of your own keeps the promises of tfkit, each shown by real processes."""

from tfkit.checks.proof import Proof
from tfkit.checks.proving import PROOFS, check

__all__ = ["PROOFS", "Proof", "check"]
