"""Keras layers, for recipes and for your own models: importing this room registers them all."""

from tfkit.layers.ensemble import EnsembleDense, EnsembleMLP, MemberMean
from tfkit.layers.mlp import MLP
from tfkit.layers.tabular import CategoryEmbedding, Clip, Impute, MissingIndicator, NumberEmbedding, QuantileScale

__all__ = [
    "MLP",
    "CategoryEmbedding",
    "Clip",
    "EnsembleDense",
    "EnsembleMLP",
    "Impute",
    "MemberMean",
    "MissingIndicator",
    "NumberEmbedding",
    "QuantileScale",
]
