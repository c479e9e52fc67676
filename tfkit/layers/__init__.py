"""Keras layers, for recipes and for your own models: importing this room registers all that a model's file may hold."""

from tfkit import losses, schedules  # noqa: F401  a model's file may hold these too
from tfkit.data import tokens  # noqa: F401  and these
from tfkit.layers.attention import CrossAttention, SelfAttention
from tfkit.layers.attention_pooling import AttentionPooling
from tfkit.layers.conv import ConvBlock
from tfkit.layers.conv_stack import ConvStack
from tfkit.layers.dropout import Dropout
from tfkit.layers.ensemble import EnsembleDense, EnsembleMLP, MemberMean
from tfkit.layers.inception import InceptionBlock, InceptionStack
from tfkit.layers.masked import GlobalPooling
from tfkit.layers.mlp import MLP
from tfkit.layers.ngrams import NgramEmbedding
from tfkit.layers.patches import PatchEmbedding
from tfkit.layers.positions import PositionalEmbedding
from tfkit.layers.recurrent import LSTMStack
from tfkit.layers.residual import ResidualBlock, SqueezeExcitation
from tfkit.layers.tabular import CategoryEmbedding, Clip, Impute, MissingIndicator, NumberEmbedding, QuantileScale
from tfkit.layers.transformer import TransformerDecoder, TransformerEncoder

__all__ = [
    "MLP",
    "AttentionPooling",
    "CategoryEmbedding",
    "Clip",
    "ConvBlock",
    "ConvStack",
    "CrossAttention",
    "Dropout",
    "EnsembleDense",
    "EnsembleMLP",
    "GlobalPooling",
    "Impute",
    "InceptionBlock",
    "InceptionStack",
    "LSTMStack",
    "MemberMean",
    "MissingIndicator",
    "NgramEmbedding",
    "NumberEmbedding",
    "PatchEmbedding",
    "PositionalEmbedding",
    "QuantileScale",
    "ResidualBlock",
    "SelfAttention",
    "SqueezeExcitation",
    "TransformerDecoder",
    "TransformerEncoder",
]
