"""What a proof comes to: yes or no, and where it differs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proof:
    """One promise, held or broken.

    Args:
        says: The promise, a short sentence.
        where: Where it was found broken; empty if it holds.

    Example:
        >>> print(Proof("same seed twice gives the same bits", where="loss of epoch 2: 0.51 against 0.52"))
        no   same seed twice gives the same bits: loss of epoch 2: 0.51 against 0.52
    """

    says: str
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return not self.where

    def __str__(self) -> str:
        return f"yes  {self.says}" if self.holds else f"no   {self.says}: {self.where}"
