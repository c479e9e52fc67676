"""Many pictures are looked at and decoded at once, and those that cannot be read are named and left out."""

import os
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tfkit.data.decoding import Unreadable, decode, glance
from tfkit.data.image_files import Pictures
from tfkit.errors import UserError

BROKEN = 0.01  # share of pictures that may be unreadable
GLANCES = ("height", "width", "grey", "deepest", "digest")


def looked_at(found: Pictures) -> tuple[Pictures, list[str]]:
    """The pictures that can be read, with what a glance tells of each."""
    import pandas as pd

    paths = found.frame[found.path].tolist()
    seen = _each(paths, lambda place: glance(found.read(paths[place])))
    broken = {path: str(one) for path, one in zip(paths, seen, strict=True) if isinstance(one, Unreadable)}
    said = left_out(broken, len(paths))
    kept = [not isinstance(one, Unreadable) for one in seen]
    frame = found.frame[kept].reset_index(drop=True)
    told = pd.DataFrame([one for one in seen if not isinstance(one, Unreadable)], columns=list(GLANCES))
    return found.having(pd.concat([frame.drop(columns=[n for n in GLANCES if n in frame]), told], axis=1)), said


def decoded(found: Pictures, picture: Mapping[str, Any], into: np.ndarray) -> dict[str, str]:
    """Fill an array with the pixels; the pictures that cannot be read, and why."""
    paths = found.frame[found.path].tolist()
    form = {name: picture[name] for name in ("height", "width", "channels", "white")}

    def fill(place: int) -> None:
        into[place] = decode(found.read(paths[place]), **form)

    done = _each(paths, fill)
    return {path: str(one) for path, one in zip(paths, done, strict=True) if isinstance(one, Unreadable)}


def _each(paths: list[str], work: Callable[[int], Any]) -> list[Any]:
    """The work for each place, or why it cannot be done; decoding lets other threads run."""

    def tried(place: int) -> Any:
        try:
            return work(place)
        except Unreadable as error:
            return error
        except (OSError, KeyError) as error:
            return Unreadable(getattr(error, "strerror", None) or str(error))
        except Exception as error:  # a damaged entry of a .zip
            return Unreadable(f"broken: {error}")

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as threads:
        warnings.simplefilter("ignore")  # Pillow warns of damage that it can live with
        return list(threads.map(tried, range(len(paths))))


def left_out(broken: Mapping[str, str], total: int) -> list[str]:
    """What is said of pictures that cannot be read; too many are refused."""
    if not broken:
        return []
    named = ", ".join(f"{path} ({why})" for path, why in list(broken.items())[:5])
    more = f" and {len(broken) - 5:,} more" if len(broken) > 5 else ""
    if len(broken) > BROKEN * total:
        raise UserError(
            f"At most 1% of the pictures may be unreadable; mend or remove them. Received: {len(broken):,} "
            f"of {total:,}: {named}{more}"
        )
    return [f"{len(broken):,} of {total:,} left out, unreadable: {named}{more}"]
