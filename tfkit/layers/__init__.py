"""Keras layers for recipes and custom models.

Importing this package registers every custom object that a saved model can contain.
"""

from tfkit import losses, schedules  # noqa: F401  registered because saved models can contain them
from tfkit.layers.attention.attention import CrossAttention, SelfAttention
from tfkit.layers.attention.attention_pooling import AttentionPooling
from tfkit.layers.attention.patches import PatchEmbedding
from tfkit.layers.attention.positions import PositionalEmbedding
from tfkit.layers.attention.transformer import TransformerDecoder, TransformerEncoder
from tfkit.layers.conformal_quantiles import ConformalQuantiles
from tfkit.layers.convolution.conv import ConvBlock
from tfkit.layers.convolution.convnet import ConvNet
from tfkit.layers.convolution.inception import InceptionBlock, InceptionTime
from tfkit.layers.convolution.minirocket import MiniRocket
from tfkit.layers.convolution.residual import ResidualBlock, SqueezeExcitation
from tfkit.layers.dense.mlp import MLP
from tfkit.layers.dense.tabm import BatchEnsembleDense, EnsembleAverage, TabM
from tfkit.layers.dlinear import DLinear
from tfkit.layers.dropout import FastDropout
from tfkit.layers.embedding.feature_embedding import CategoricalEmbedding, PiecewiseLinearEmbedding
from tfkit.layers.embedding.ngrams import NgramEmbedding
from tfkit.layers.embedding.periodic import PeriodicEmbedding
from tfkit.layers.encoders import encode_past, encode_series, encode_tokens
from tfkit.layers.forecasting import (
    CyclicEncoding,
    MovingAverage,
    SeasonalNaive,
    WindowScaling,
    WindowStatistics,
)
from tfkit.layers.masked_normalization import GlobalPooling
from tfkit.layers.preprocessing.interpolation import InterpolateMissing
from tfkit.layers.preprocessing.tabular import Center, Imputer, MissingIndicator, QuantileTransform, SmoothClip
from tfkit.layers.preprocessing.text import TruncateText  # noqa: F401
from tfkit.layers.recurrent.rnn import RNNStack

__all__ = [
    "MLP",
    "AttentionPooling",
    "BatchEnsembleDense",
    "CategoricalEmbedding",
    "Center",
    "ConformalQuantiles",
    "ConvBlock",
    "ConvNet",
    "CrossAttention",
    "CyclicEncoding",
    "DLinear",
    "EnsembleAverage",
    "FastDropout",
    "GlobalPooling",
    "Imputer",
    "InceptionBlock",
    "InceptionTime",
    "InterpolateMissing",
    "MiniRocket",
    "MissingIndicator",
    "MovingAverage",
    "NgramEmbedding",
    "PatchEmbedding",
    "PeriodicEmbedding",
    "PiecewiseLinearEmbedding",
    "PositionalEmbedding",
    "QuantileTransform",
    "RNNStack",
    "ResidualBlock",
    "SeasonalNaive",
    "SelfAttention",
    "SmoothClip",
    "SqueezeExcitation",
    "TabM",
    "TransformerDecoder",
    "TransformerEncoder",
    "WindowScaling",
    "WindowStatistics",
    "encode_past",
    "encode_series",
    "encode_tokens",
]
