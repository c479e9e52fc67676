"""The proofs in their order, run one after the other."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfkit.checks.killed import killed_and_resumed
from tfkit.checks.proof import Proof
from tfkit.checks.repeated import same_seed
from tfkit.checks.replicas import two_replicas
from tfkit.checks.saved import saved_and_loaded
from tfkit.config import read_settings
from tfkit.errors import UserError
from tfkit.recipe import load

# A proof is a function (recipe, settings, folder) -> Proof: the path of a page, settings as they are written in
# config.json, and a folder that all proofs share, in which `processes.straight` is the run that was never stopped.
PROOFS: list[Callable[[str, dict[str, Any], Path], Proof]] = [
    same_seed,
    killed_and_resumed,
    saved_and_loaded,
    two_replicas,
    # further ones here, a line each
]
EPOCHS = 2  # where the settings name none: enough to be stopped in the midst of the last


def check(
    recipe: Any,
    *,
    out: str | Path | None = None,
    settings: Any = None,
    told: Callable[[Proof], None] = lambda proof: None,
    **words: Any,
) -> list[Proof]:
    """Prove of a page that what holds for the pages that ship with tfkit holds for it too.

    The page is trained in processes of its own, several times, so let the settings be small. Proved are: the same seed
    twice gives the same bits; killed (kill -9) and resumed it ends with the same bits as never stopped; the model that
    is loaded says the same as the one that was saved; two replicas train what one device trains.

    Args:
        recipe: A name of `tfkit ls`, the path of a page or a dotted module.
        out: A new folder for the runs of the proofs, to look at; None for one that is taken away.
        settings: A JSON file or a mapping of settings; `words` go before it.
        told: What is told each proof as soon as it is there.
        words: Settings of the recipe; `epochs` is 2 if it is not named.

    Returns:
        A `Proof` each: `says`, `holds`, and `where` it differs.

    Raises:
        UserError: If the page cannot be trained with these settings, or is no page.
    """
    loaded = load(recipe)
    if loaded.page is None:
        raise UserError(
            "A proof needs a page that other processes can read: give its path. Received: a recipe made in memory"
        )
    chosen = {"epochs": EPOCHS, **read_settings(settings), **words}
    config = loaded.Config.of(chosen)  # what is wrong with the settings is said before a process begins
    written = {name: value for name, value in config.words().items() if name in chosen}
    found = []
    with _folder(out) as folder:
        for prove in PROOFS:
            found.append(prove(str(loaded.page), written, folder))
            told(found[-1])
    return found


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """A new folder: the one that is named, or one that is taken away."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="tfkit-check-") as name:
            yield Path(name)
        return
    try:
        Path(out).mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"`out` must not be there yet; remove it or choose another name. Received: {out}") from None
    except OSError as error:
        raise UserError(f"The folder for proofs must be writable. Received: {out}: {error.strerror}") from None
    yield Path(out)
