"""Classify texts, or predict a number from them.

Data     reviews_zh.csv.gz: 4,000 Chinese product reviews, positive or negative? (data/reviews_zh.md)
         Yours: CSV, TSV, Parquet or JSON lines with a column of texts, or a folder of .txt files with one folder per
         class. Any language: words if there are spaces between them, else characters.
Expect   accuracy 0.823 (TF-IDF: 0.817) on 600 reviews of the sample; F1 of spam 0.973 (0.967) on a fifth of SMS
         messages; accuracy 0.922 (0.916) on 77 intents of bank customers, official split, 150 s on two busy cores
         (seed 0). More: docs/benchmarks.md
Try      make train RECIPE=text
         make train RECIPE=text ARGS="data=mail.csv text_column=body target=folder"
         make train RECIPE=text ARGS="data=letters/ target=class architecture=transformer"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit

NgramModel = Literal["none", "embedding", "logistic_regression", "both", "auto"]


class Config(tfkit.SupervisedConfig):
    data: Path = tfkit.sample_path("reviews_zh.csv.gz")  # a table, or a folder of .txt files with one folder per class
    target: str = "label"  # the column to predict; for a folder, the name of the class
    text_column: str | None = None  # the column of texts; none: the one with the longest texts
    time_column: str | None = None  # split by time: the latest rows are the test split
    delimiter: str | None = None  # of a table; none: detected
    encoding: str | None = None  # of text files; none: detected
    na_values: list[str] = []  # cells that mean "missing", in addition to empty cells
    tokenization: Literal["auto", "words", "characters"] = "auto"  # auto: words if there are spaces between them
    max_length: tfkit.PositiveInt = 2000  # longest text in characters; longer texts are truncated
    vocabulary_size: tfkit.PositiveInt = 20000  # largest number of words, and of characters, in the vocabularies
    architecture: Literal["cnn", "lstm", "transformer", "none"] = "cnn"  # encoder of the sequence of tokens
    num_layers: tfkit.PositiveInt = 1  # layers of the encoder
    units: tfkit.PositiveInt = 128  # width of the encoder
    ngram_model: NgramModel = "auto"  # embeddings, a linear model, or both averaged; auto: both if texts are few
    ngram_dim: tfkit.PositiveInt = 64  # size of an n-gram embedding
    max_ngrams: tfkit.PositiveInt = 50000  # largest number of n-grams of words, and of characters
    dropout: tfkit.Fraction | Literal["auto"] = "auto"  # fraction of tokens, n-grams and units dropped in training

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
    target = kind.infer_target(rows[config.target], **config.model_dump(include=kind.TARGET_SETTINGS))
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
        ids, vocabulary = inputs[metadata.tokenization], metadata.sequences[metadata.tokenization].vocabulary
        options = config.model_dump(include={"units", "num_layers", "dropout", "l1", "l2"})
        options["vocabulary_size"] = len(vocabulary)
        features.append(tfkit.layers.encode_tokens(ids, config.architecture, **options))
    if config.ngram_model in ("embedding", "both"):
        options = {"dim": config.ngram_dim, "dropout": config.dropout}
        for name, ids in inputs.items():
            features.append(tfkit.layers.NgramEmbedding(**metadata.ngrams[name].model_dump(), **options)(ids))
    if features:
        x = keras.layers.Concatenate()(features) if len(features) > 1 else features[0]
        x = keras.layers.Dropout(config.dropout)(x)
        heads.append(keras.layers.Dense(num_outputs, dtype="float32", name="head")(x))
    if config.ngram_model in ("logistic_regression", "both"):
        heads.append(tfkit.linear_models.fit_ngram_classifier(data.train, metadata)(inputs))
    loss, outputs = tfkit.tasks.make_loss(config.loss, metadata), heads[0]
    if len(heads) > 1:  # trained separately, averaged for predictions
        members = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((1, num_outputs))(head) for head in heads])
        outputs = tfkit.layers.EnsembleAverage(tfkit.tasks.output_activation(metadata), dtype="float32")(members)
        loss = tfkit.losses.EnsembleLoss(loss)
    model = keras.Model(inputs, outputs, name="network")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def auto_settings(metadata, rows):
    """Values of "auto", chosen on splits of the training texts of public data sets."""
    return {
        **metadata.auto_settings,
        "ngram_model": "both" if rows < 5000 else "embedding",
        "refit": rows < 20_000,
        "epochs": 12 if rows < 20_000 else 5,
        "batch_size": 64 if rows < 5000 else 128,
        "learning_rate": 1e-3 if rows < 5000 else 5e-3,
        "dropout": 0.5 if rows < 5000 else 0.3,
    }


NETWORK_SPACE = {"architecture": ["cnn", "lstm", "transformer", "none"], "units": [64, 128, 256], "dropout": (0.0, 0.6)}
SEARCH_SPACE = {"learning_rate": tfkit.log_uniform(5e-4, 1e-2), "batch_size": [32, 64, 128, 256], **NETWORK_SPACE}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.tfidf]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.text, baselines=BASELINES, search_space=SEARCH_SPACE)
