"""The result of one verification check: passed, or the reason why it failed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """The result of one verification check.

    Args:
        claim: What was checked, a short sentence.
        failure: Why the check failed; empty if it passed.

    Example:
        >>> print(CheckResult("same seed, same bits", failure="loss of epoch 2: 0.51 against 0.52"))
        no   same seed, same bits: loss of epoch 2: 0.51 against 0.52
    """

    claim: str
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check passed."""
        return not self.failure

    def __str__(self) -> str:
        return f"yes  {self.claim}" if self.passed else f"no   {self.claim}: {self.failure}"
