"""Verify a recipe: all checks in order."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfkit.catalog.load import load_recipe
from tfkit.config import read_settings
from tfkit.errors import UserError
from tfkit.recipe import Recipe
from tfkit.verification.multi_replica import check_two_replicas
from tfkit.verification.result import CheckResult
from tfkit.verification.resume_after_kill import check_resume_after_kill
from tfkit.verification.same_seed import check_same_seed
from tfkit.verification.save_load import check_save_load

# A check is a function (recipe, settings, folder) -> CheckResult: the path of a recipe file, settings in the form of
# config.json, and a folder that all checks share, in which `subprocesses.reference_run` is the uninterrupted run.
CHECKS: list[Callable[[str, dict[str, Any], Path], CheckResult]] = [
    check_same_seed,
    check_resume_after_kill,
    check_save_load,
    check_two_replicas,
    # add further checks here, one per line
]

DEFAULT_EPOCHS = 2  # if the settings have none: enough to interrupt training in the last epoch


def verify(
    recipe: str | Path | Recipe,
    *,
    out: str | Path | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    on_result: Callable[[CheckResult], None] = lambda result: None,
    **overrides: Any,
) -> list[CheckResult]:
    """Verify a recipe: same seed, resume after kill, save and load, replicas.

    The recipe is trained several times in separate processes, so use small settings. Verified: two runs with the same
    seed are bit-identical; a killed (kill -9) and resumed run is bit-identical to an uninterrupted one; the loaded
    model has the same predictions as the saved one; two replicas train the same weights as one device.

    Args:
        recipe: A name of `tfkit.list_recipes()`, the path of a recipe file or a dotted module.
        out: A new folder for the runs of the checks; None for a temporary folder.
        config: A JSON file or a mapping of settings; `overrides` have priority.
        on_result: Called with each result as soon as it is known.
        overrides: Settings of the recipe; `epochs` is 2 if it is not set.

    Returns:
        One `CheckResult` per check: `claim`, `passed`, and `failure`, why it failed.

    Raises:
        UserError: If the recipe cannot be trained with these settings, or is not a recipe.
    """
    loaded = load_recipe(recipe)
    if loaded.path is None:
        raise UserError(
            "A recipe must have a file that other processes can read: pass its path. Received: a recipe created in "
            "memory"
        )
    settings = {"epochs": DEFAULT_EPOCHS, **read_settings(config), **overrides}
    resolved = loaded.Config.from_dict(settings)  # rejects invalid settings before a process starts
    json_settings = {name: value for name, value in resolved.to_dict().items() if name in settings}
    results = []
    with _create_folder(out) as folder:
        for run_check in CHECKS:
            results.append(run_check(str(loaded.path), json_settings, folder))
            on_result(results[-1])
    return results


@contextmanager
def _create_folder(out: str | Path | None) -> Iterator[Path]:
    """Create the folder `out`, or a temporary one if it is None."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="tfkit-verify-") as name:
            yield Path(name)
        return
    try:
        Path(out).mkdir(parents=True)
    except FileExistsError:
        raise UserError(f"`out` must not exist yet; remove it or choose another name. Received: {out}") from None
    except OSError as error:
        raise UserError(f"The folder `out` must be writable. Received: {out}: {error.strerror}") from None
    yield Path(out)
