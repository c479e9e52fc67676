"""Rows of a series with the same time: equal rows, and the hour that occurs twice when clocks are set back."""

import numpy as np

LAST_HOUR = 3  # of a Sunday, at which clocks are set back; in some countries it is 23:00 of the Saturday

MONTHS = (3, 4, 5, 9, 10, 11)  # in which clocks are set back, in the south and in the north


def find_repeated_rows(
    times: np.ndarray, codes: np.ndarray, values: np.ndarray, covariates: np.ndarray, *, is_local: bool
) -> tuple[np.ndarray, list[str]]:
    """Find rows to drop because the row before has the same series and time.

    Args:
        times: Times `(rows,)`, sorted within each series; rows with the same time are in the order of the file.
        codes: Code of the series of each row.
        values: Values `(rows,)`.
        covariates: `(rows, covariates)`.
        is_local: Whether times have no time zone, so that an hour may occur twice.

    Returns:
        A mask `(rows,)`, and messages. Rows with other values at the same time are not in the mask, unless they are in
        the hour that occurs twice when clocks are set back.

    Example:
        >>> times = np.array(["2020-10-25T01", "2020-10-25T02", "2020-10-25T02", "2020-10-25T03"], "datetime64[h]")
        >>> rows, codes = np.array([5.0, 6.0, 7.0, 8.0]), np.zeros(4, int)
        >>> find_repeated_rows(times, codes, rows, np.zeros((4, 0)), is_local=True)[0].tolist()
        [False, False, True, False]
    """
    is_repeated = np.r_[False, (times[1:] == times[:-1]) & (codes[1:] == codes[:-1])]
    before = np.maximum(np.arange(len(times)) - 1, 0)
    same = (values == values[before]) | (np.isnan(values) & np.isnan(values[before]))
    same &= ((covariates == covariates[before]) | (np.isnan(covariates) & np.isnan(covariates[before]))).all(axis=1)
    is_equal, messages = is_repeated & same, []
    if is_equal.any():
        count = int(is_equal.sum())
        messages.append(f"{count:,} row{'s' * (count > 1)} dropped: equal to the row before, of the same time")
    differs = np.flatnonzero(is_repeated & ~is_equal)
    if len(differs) and is_local and times.dtype.kind == "M" and _clocks_are_set_back(times[differs]).all():
        first, count = str(times[differs[0]].astype("datetime64[s]")).replace("T", " "), len(np.unique(times[differs]))
        verb = "times occur" if count > 1 else "time occurs"
        messages.append(
            f"{count:,} {verb} twice, as when clocks are set back, the first {first}: the first row is used"
        )
        is_equal[differs] = True
    return is_equal, messages


def _clocks_are_set_back(times: np.ndarray) -> np.ndarray:
    """Whether each time is in an hour in which clocks are set back: the night to a Sunday of spring or autumn."""
    days: np.ndarray = times.astype("datetime64[D]")
    months: np.ndarray = days.astype("datetime64[M]").astype("int64") % 12 + 1
    weekdays: np.ndarray = (days.astype("int64") + 3) % 7  # 1970-01-01 was a Thursday
    hours: np.ndarray = (times.astype("datetime64[h]") - days).astype("int64")
    is_hour = ((weekdays == 6) & (hours <= LAST_HOUR)) | ((weekdays == 5) & (hours == 23))
    return is_hour & np.isin(months, MONTHS)
