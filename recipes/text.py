"""Classify texts, or predict a number from them.

Data     reviews_zh.csv.gz: 4,000 Chinese product reviews, positive or negative? (data/reviews_zh.md)
         Yours: CSV, TSV, Parquet or JSON lines with a column of texts, or a folder of .txt files with one folder per
         class. Any language: words if there are spaces between them, else characters.
Expect   accuracy 0.823 (TF-IDF: 0.817) on 600 reviews of the sample; F1 of spam 0.973 (0.967) on a fifth of SMS
         messages; accuracy 0.922 (0.916) on 77 intents of bank customers, official split, 150 s on two busy cores
         (seed 0). More in README.md
Try      make train RECIPE=text
         make train RECIPE=text ARGS="data=mail.csv text_column=body target=folder"
         make train RECIPE=text ARGS="data=letters/ target=class architecture=transformer"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit

Loss = Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber"]
NgramModel = Literal["none", "embedding", "logistic_regression", "both", "auto"]


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("reviews_zh.csv.gz")  # a table, or a folder of .txt files with one folder per class
    target: str = "label"  # the column to predict; for a folder, the name of the class
    text_column: str | None = None  # the column of texts; none: the one with the longest texts
    task: Literal["auto", "classification", "regression"] = "auto"  # auto: by the target
    positive_class: str | None = None  # of two classes the one that precision, recall and F1 are of; none: the rarer
    label_normalization: Literal["none", "casefold"] = "none"  # casefold: join labels that differ in case or blanks
    test_data: Path | None = None  # separate test texts; none: a fraction of the texts
    test_fraction: tfkit.Fraction = 0.15  # fraction of the texts for the test split, without test_data
    val_fraction: tfkit.Fraction = 0.15  # fraction of the texts for validation, which selects the best epoch
    time_column: str | None = None  # split by time: the latest rows are the test split
    group_column: str | None = None  # rows of one group stay in one split
    delimiter: str | None = None  # of a table; none: detected
    encoding: str | None = None  # of text files; none: detected
    na_values: list[str] = []  # cells that mean "missing", in addition to empty cells
    tokenization: Literal["auto", "words", "characters"] = "auto"  # auto: words if there are spaces between them
    max_length: tfkit.PositiveInt = 2000  # longest text in characters; longer texts are truncated
    vocabulary_size: tfkit.PositiveInt = 20000  # largest number of words, and of characters, in the vocabularies
    balance_classes: bool = False  # give all classes the same total weight
    architecture: Literal["cnn", "lstm", "transformer", "none"] = "cnn"  # encoder of the sequence of tokens
    num_layers: tfkit.PositiveInt = 1  # layers of the encoder
    units: tfkit.PositiveInt = 128  # width of the encoder
    ngram_model: NgramModel = "auto"  # embeddings, a linear model, or both averaged; auto: both if texts are few
    ngram_dim: tfkit.PositiveInt = 64  # size of an n-gram embedding
    max_ngrams: tfkit.PositiveInt = 50000  # largest number of n-grams of words, and of characters
    dropout: tfkit.Fraction | Literal["auto"] = "auto"  # fraction of tokens, n-grams and units dropped in training
    refit: bool | Literal["auto"] = "auto"  # train again on training and validation texts; auto: if texts are few
    loss: Loss = "auto"  # auto: cross_entropy for classes, mse for numbers
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.01

    def validate_settings(self):
        if self.architecture == "none" and self.ngram_model == "none":
            raise tfkit.UserError(
                "A model needs inputs. Received: architecture=none ngram_model=none; set one of the two"
            )
        if self.text_column == self.target:
            raise tfkit.UserError(f"`text_column` and `target` must be two columns. Received: {self.target} for both")
        if self.time_column and self.group_column:
            raise tfkit.UserError("Rows are split by time or by group: give time_column= or group_column=, not both.")


def data(config):
    kind, read_options = tfkit.data.text, config.model_dump(include=tfkit.data.text.READ_OPTIONS)
    options = {"test_data": config.test_data, "extra_columns": [config.time_column, config.group_column]}
    rows, test_rows, text_column, messages = kind.load(
        config.data, config.text_column, config.target, **options, **read_options
    )
    options = config.model_dump(include={"task", "positive_class", "label_normalization"})
    target = kind.infer_target(rows[config.target], **options)
    tfkit.tasks.validate_loss(config.loss, target)
    options = {**config.model_dump(include=kind.SPLIT_SETTINGS), "seed": config.effective_split_seed}
    splits = kind.split(rows, text_column, target, test_data=test_rows, **options)
    options = {**config.model_dump(include=kind.SCHEMA_SETTINGS), "read_options": read_options}
    metadata = kind.fit_schema(splits[0], text_column, target, messages=messages, **options)
    preprocessor = kind.make_preprocessor(metadata)
    datasets = [kind.make_dataset(split, metadata, preprocessor) for split in splits]
    if config.ngram_model != "none":
        metadata.ngrams = kind.fit_ngram_vocabularies(datasets[0], max_ngrams=config.max_ngrams)
    auto = auto_settings(metadata, len(datasets[0]))
    return tfkit.tasks.make_data(config, datasets, metadata, preprocessor, auto_settings=auto)


def model(config, data):
    inputs, metadata = tfkit.keras_inputs(data.train), data.metadata
    num_outputs, features, heads = tfkit.tasks.num_outputs(metadata), [], []
    if config.architecture != "none":
        features.append(encode(config, metadata, inputs[metadata.tokenization]))
    if config.ngram_model in ("embedding", "both"):
        options = {"dim": config.ngram_dim, "dropout": config.dropout}
        for name, ids in inputs.items():
            features.append(tfkit.layers.NgramEmbedding(**metadata.ngrams[name].model_dump(), **options)(ids))
    if features:
        x = keras.layers.Concatenate()(features) if len(features) > 1 else features[0]
        x = keras.layers.Dropout(config.dropout)(x)
        heads.append(keras.layers.Dense(num_outputs, dtype="float32", name="head")(x))
    if config.ngram_model in ("logistic_regression", "both"):
        heads.append(tfkit.data.text.fit_ngram_classifier(data.train, metadata)(inputs))
    loss, outputs = tfkit.tasks.make_loss(config.loss, metadata), heads[0]
    if len(heads) > 1:  # trained separately, averaged for predictions
        members = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((1, num_outputs))(head) for head in heads])
        outputs = tfkit.layers.EnsembleAverage(logits=num_outputs > 1, dtype="float32")(members)
        loss = tfkit.losses.EnsembleLoss(loss)
    model = keras.Model(inputs, outputs, name="network")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def encode(config, metadata, ids):
    """Encode token ids `(time,)` as one vector."""
    num_tokens, options = len(metadata.sequences[metadata.tokenization].vocabulary) + 2, {"dropout": config.dropout}
    initializer, penalty = keras.initializers.RandomNormal(stddev=0.1), {"l1": config.l1, "l2": config.l2}
    embedding_options = {"mask_zero": True, "embeddings_initializer": initializer}
    layers = [keras.layers.Embedding(num_tokens, config.units, **embedding_options)]
    layers.append(keras.layers.Dropout(config.dropout, noise_shape=(None, None, 1)))
    if config.architecture == "transformer":
        options = {"positions": "rotary", **options, **penalty}
        layers.append(tfkit.layers.TransformerEncoder(depth=config.num_layers, **options))
    elif config.architecture == "lstm":
        options = {"bidirectional": True, "return_sequences": True, **options}
        layers.append(tfkit.layers.RNNStack([config.units // 2] * config.num_layers, **options))
    else:
        options = {"rank": 1, "normalization": "layer", **options, **penalty}
        layers += [tfkit.layers.ConvBlock(config.units, **options) for _ in range(config.num_layers)]
    for layer in [*layers, tfkit.layers.GlobalPooling("max")]:
        ids = layer(ids)
    return ids


def auto_settings(metadata, rows):
    """Values of "auto", chosen on splits of the training texts of public data sets."""
    return {
        **metadata.auto_settings,
        "loss": "cross_entropy" if metadata.target.classes else "mse",
        "ngram_model": "both" if rows < 5000 else "embedding",
        "refit": rows < 20_000,
        "epochs": 12 if rows < 20_000 else 5,
        "batch_size": 64 if rows < 5000 else 128,
        "learning_rate": 1e-3 if rows < 5000 else 5e-3,
        "dropout": 0.5 if rows < 5000 else 0.3,
    }


SEARCH_SPACE = {
    "learning_rate": tfkit.log_uniform(5e-4, 1e-2),
    "batch_size": [32, 64, 128, 256],
    "architecture": ["cnn", "lstm", "transformer", "none"],
    "units": [64, 128, 256],
    "dropout": (0.0, 0.6),
}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.tfidf]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.text, baselines=BASELINES, search_space=SEARCH_SPACE)
