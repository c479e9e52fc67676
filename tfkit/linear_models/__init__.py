"""Linear models that are solved, not trained: heads of networks for few rows."""

from tfkit.linear_models.ngrams import fit_ngram_classifier
from tfkit.linear_models.ridge import fit_ridge_head

__all__ = ["fit_ngram_classifier", "fit_ridge_head"]
