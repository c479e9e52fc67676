"""Keras layers for recipes and custom models.

Importing this package registers every custom object that a saved model can contain.
"""

from tfkit import losses, schedules  # noqa: F401  registered because saved models can contain them
from tfkit.layers.attention.attention import CrossAttention, SelfAttention
from tfkit.layers.attention.attention_pooling import AttentionPooling
from tfkit.layers.attention.patches import PatchEmbedding
from tfkit.layers.attention.positions import PositionalEmbedding
from tfkit.layers.attention.transformer import TransformerDecoder, TransformerEncoder
from tfkit.layers.convolution.conv import ConvBlock
from tfkit.layers.convolution.convnet import ConvStack
from tfkit.layers.convolution.inception import InceptionBlock, InceptionStack
from tfkit.layers.convolution.minirocket import MiniRocket
from tfkit.layers.convolution.residual import ResidualBlock, SqueezeExcitation
from tfkit.layers.dense.mlp import MLP
from tfkit.layers.dense.tabm import EnsembleDense, EnsembleMLP, MemberMean
from tfkit.layers.dropout import Dropout
from tfkit.layers.embedding.feature_embedding import CategoryEmbedding, NumberEmbedding
from tfkit.layers.embedding.ngrams import NgramEmbedding
from tfkit.layers.embedding.periodic import PeriodicEmbedding
from tfkit.layers.forecasting import (
    CyclicEncoding,
    MovingAverage,
    QuantileBands,
    SeasonalNaive,
    WindowScaling,
    WindowStatistics,
)
from tfkit.layers.masked_normalization import GlobalPooling
from tfkit.layers.preprocessing.interpolation import FillGaps
from tfkit.layers.preprocessing.tabular import Clip, Impute, MissingIndicator, QuantileScale
from tfkit.layers.preprocessing.text import CutText  # noqa: F401
from tfkit.layers.recurrent.rnn import LSTMStack

__all__ = [
    "MLP",
    "AttentionPooling",
    "CategoryEmbedding",
    "Clip",
    "ConvBlock",
    "ConvStack",
    "CrossAttention",
    "CyclicEncoding",
    "Dropout",
    "EnsembleDense",
    "EnsembleMLP",
    "FillGaps",
    "GlobalPooling",
    "Impute",
    "InceptionBlock",
    "InceptionStack",
    "LSTMStack",
    "MemberMean",
    "MiniRocket",
    "MissingIndicator",
    "MovingAverage",
    "NgramEmbedding",
    "NumberEmbedding",
    "PatchEmbedding",
    "PeriodicEmbedding",
    "PositionalEmbedding",
    "QuantileBands",
    "QuantileScale",
    "ResidualBlock",
    "SeasonalNaive",
    "SelfAttention",
    "SqueezeExcitation",
    "TransformerDecoder",
    "TransformerEncoder",
    "WindowScaling",
    "WindowStatistics",
]
