"""Keras layers for recipes and custom models.

Importing this package registers every custom object that a saved model can contain.
"""

from tfkit import losses, schedules  # noqa: F401  registered because saved models can contain them
from tfkit.data.tokens import CutText  # noqa: F401
from tfkit.layers.attention import CrossAttention, SelfAttention
from tfkit.layers.attention_pooling import AttentionPooling
from tfkit.layers.conv import ConvBlock
from tfkit.layers.conv_stack import ConvStack
from tfkit.layers.dropout import Dropout
from tfkit.layers.ensemble import EnsembleDense, EnsembleMLP, MemberMean
from tfkit.layers.feature_embedding import CategoryEmbedding, NumberEmbedding
from tfkit.layers.forecasting import (
    CyclicEncoding,
    MovingAverage,
    QuantileBands,
    SeasonalNaive,
    WindowScaling,
    WindowStatistics,
)
from tfkit.layers.inception import InceptionBlock, InceptionStack
from tfkit.layers.masked import GlobalPooling
from tfkit.layers.minirocket import MiniRocket
from tfkit.layers.mlp import MLP
from tfkit.layers.ngrams import NgramEmbedding
from tfkit.layers.patches import PatchEmbedding
from tfkit.layers.periodic import PeriodicEmbedding
from tfkit.layers.positions import PositionalEmbedding
from tfkit.layers.recurrent import LSTMStack
from tfkit.layers.residual import ResidualBlock, SqueezeExcitation
from tfkit.layers.series import FillGaps
from tfkit.layers.tabular import Clip, Impute, MissingIndicator, QuantileScale
from tfkit.layers.transformer import TransformerDecoder, TransformerEncoder

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
