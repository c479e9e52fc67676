"""What a network must beat, by kind of data; each is fitted on the very rows that the network had."""

from tfkit.baselines.pixels import linear_pixels
from tfkit.baselines.tables import boosted_trees, constant, linear
from tfkit.baselines.texts import tfidf

__all__ = ["boosted_trees", "constant", "linear", "linear_pixels", "tfidf"]
