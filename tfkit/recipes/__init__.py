"""The recipes as modules `tfkit.recipes.NAME`; their files are in `recipes/` of a checkout, or here in a wheel."""

from tfkit import CHECKOUT

if CHECKOUT:
    __path__.append(str(CHECKOUT / "recipes"))
