"""A doorway: the pages of a checkout's `recipes/` are found here, as `tfkit.recipes.NAME`, like those of a wheel."""

from tfkit import CHECKOUT

if CHECKOUT:
    __path__.append(str(CHECKOUT / "recipes"))
