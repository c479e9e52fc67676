"""Say of a text which class it is of, or a number.

Data     reviews_zh.csv.gz: 4,000 Chinese reviews of products, good or bad? (data/reviews_zh.md)
         Yours: a CSV, TSV, Parquet or JSON-lines file with a column of texts, or a folder of .txt files with a folder
         for each class. Any language: words where there are spaces, characters where there are none.
Expect   accuracy 0.823 beside 0.817 of TF-IDF, on 600 reviews of the sample; F1 of spam 0.973 beside 0.967, on a fifth
         of SMS messages; accuracy 0.922 beside 0.916 for 77 intents of a bank's clients, official split, 150 s on two
         cores that had other work too (seed 0). More in README.md: python tests/bench/text.py
Try      make train RECIPE=text
         make train RECIPE=text ARGS="table=mail.csv text_column=body target=folder"
         make train RECIPE=text ARGS="table=letters/ target=class architecture=transformer"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("reviews_zh.csv.gz")  # the rows, or a folder of .txt files with one for each class
    target: str = "label"  # the column to predict; of a folder its folders are the classes
    text_column: str | None = None  # the column of texts; none: the one with the longest
    task: Literal["auto", "classification", "regression"] = "auto"  # what the target is
    positive_class: str | None = None  # the class that precision, recall and F1 are of; none: the rarer of two
    test_data: Path | None = None  # texts of your own to test on; none: a share of the table
    test_fraction: tfkit.Fraction = 0.15  # share of the texts for the test, where there is no test_data
    val_fraction: tfkit.Fraction = 0.15  # share of the texts that choose the best epoch
    time_column: str | None = None  # the last rows in time are the test
    group_column: str | None = None  # rows of one group stay in one split
    delimiter: str | None = None  # of a table; none: found
    encoding: str | None = None  # of files of text; none: found
    na_values: list[str] = []  # cells that mean "missing", beside empty ones
    tokenization: Literal["auto", "words", "characters"] = (
        "auto"  # what is read one by one; auto: words, if there are spaces
    )
    max_length: tfkit.PositiveInt = 2000  # characters of a text that are read at most
    vocabulary_size: tfkit.PositiveInt = 20000  # words, and characters, that are told apart at most
    balance_classes: bool = False  # rows of rare classes weigh more
    architecture: Literal["cnn", "lstm", "transformer", "none"] = "cnn"  # what reads the tokens in order
    num_layers: tfkit.PositiveInt = 1  # layers of it
    units: tfkit.PositiveInt = 128  # width of it
    ngram_model: Literal["none", "embedding", "logistic_regression", "both", "auto"] = (
        "auto"  # what short runs of tokens say: a vector of
    )
    # each, trained beside the encoder; logistic regression on them, whose answer is averaged with the network's; auto:
    # both, and of many texts the first alone
    ngram_dim: tfkit.PositiveInt = 64  # length of that vector
    max_ngrams: tfkit.PositiveInt = 50000  # runs of words, and of characters, that count; the most frequent
    dropout: tfkit.Fraction | Literal["auto"] = "auto"  # share of tokens, runs and units dropped in training
    refit: bool | Literal["auto"] = "auto"  # once more on training and validation rows; auto: where rows are few
    loss: Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber"] = "auto"
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.01

    def validate_settings(self):
        if self.architecture == "none" and self.ngram_model == "none":
            raise tfkit.UserError("encoder=none with ngram_model=none reads nothing: choose one of the two.")
        if self.text_column == self.target:
            raise tfkit.UserError(f"`text_column` and `target` must be two columns. Received: {self.target} for both")
        if self.time_column and self.group_column:
            raise tfkit.UserError("Rows are split by time or by group: give time_column= or group_column=, not both.")
        if self.refit is True and self.learning_rate_schedule == "plateau":
            raise tfkit.UserError("learning_rate_decay=plateau needs validation rows, and refit=true leaves none.")


def data(config):
    reading = {"delimiter": config.delimiter, "encoding": config.encoding, "missing": config.na_values}
    frame, test, text, said = tfkit.data.load_texts(
        config.data,
        config.text_column,
        config.target,
        test_data=config.test_data,
        keep=[config.time_column, config.group_column],
        **reading,
    )
    target = tfkit.data.infer_target(frame[config.target], kind=config.task, positive=config.positive_class)
    tfkit.data.validate_loss(config.loss, target)
    parts = tfkit.data.split_texts(
        frame,
        text,
        target,
        test=test,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        time_column=config.time_column,
        group_column=config.group_column,
        seed=config.effective_split_seed,
    )
    info = tfkit.data.learn_texts(
        parts[0],
        text,
        target,
        kind=config.tokenization,
        max_length=config.max_length,
        vocabulary=config.vocabulary_size,
        reading=reading,
        said=said,
    )
    prepare = tfkit.data.prepare_texts(info)
    train, val, test = (tfkit.data.text_rows(part, info, prepare) for part in parts)
    if config.ngram_model != "none":
        info["ngrams"] = tfkit.data.learn_ngrams(train, most=config.max_ngrams)
    auto = defaults(len(train), info)
    auto["refit"] &= config.learning_rate_schedule != "plateau"  # which needs validation rows
    final = train.concatenate(val) if (auto["refit"] if config.refit == "auto" else config.refit) else None
    if config.balance_classes:
        train, final = (rows and tfkit.data.balance_classes(rows, info) for rows in (train, final))
    return tfkit.Data(
        train, val, test, info, prepare, tfkit.data.make_postprocessor(info), auto_settings=auto, refit_dataset=final
    )


def model(config, data):
    inputs, info = tfkit.keras_inputs(data.train), data.info
    answers, heads = len(info["target"]["classes"] or [None]), []
    parts = [] if config.architecture == "none" else [read(config, info)(inputs[info["tokens"]])]
    if config.ngram_model in ("embedding", "both"):
        same = {"dim": config.ngram_dim, "dropout": config.dropout}
        parts += [tfkit.layers.NgramEmbedding(**info["ngrams"][name], **same)(ids) for name, ids in inputs.items()]
    if parts:
        x = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        x = keras.layers.Dropout(config.dropout)(x)
        heads.append(keras.layers.Dense(answers, dtype="float32", name="head")(x))
    if config.ngram_model in ("logistic_regression", "both"):
        heads.append(tfkit.data.fit_ngram_classifier(data.train, info)(inputs))
    loss = tfkit.data.make_loss(config.loss, info)
    if len(heads) > 1:  # each learns by itself, and what they say is averaged
        members = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((1, answers))(x) for x in heads])
        outputs = tfkit.layers.EnsembleAverage(logits=answers > 1, dtype="float32")(members)
        loss = tfkit.losses.EnsembleLoss(loss)
    else:
        [outputs] = heads
    model = keras.Model(inputs, outputs, name="network")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def read(config, info):
    """Layers from ids of tokens to one vector."""
    size = len(info["streams"][info["tokens"]]["vocabulary"]) + 2
    start = keras.initializers.RandomNormal(stddev=0.1)
    shrink = {"dropout": config.dropout, "l1": config.l1, "l2": config.l2}
    layers = [
        keras.layers.Embedding(size, config.units, mask_zero=True, embeddings_initializer=start),
        keras.layers.Dropout(config.dropout, noise_shape=(None, None, 1)),
    ]
    if config.architecture == "transformer":
        layers += [tfkit.layers.TransformerEncoder(depth=config.num_layers, positions="rotary", **shrink)]
    elif config.architecture == "lstm":
        told = {"bidirectional": True, "dropout": config.dropout, "return_sequences": True}
        layers += [tfkit.layers.RNNStack([config.units // 2] * config.num_layers, **told)]
    else:
        told = {"rank": 1, "normalization": "layer", **shrink}
        layers += [tfkit.layers.ConvBlock(config.units, **told) for _ in range(config.num_layers)]
    layers.append(tfkit.layers.GlobalPooling("max"))
    return lambda x: [x := layer(x) for layer in layers][-1]


def defaults(rows, info):
    """What "auto" means for so many training rows: chosen on splits of the training rows of open sets."""
    classes = info["target"]["classes"]
    return {
        "task": "classification" if classes else "regression",
        "tokenization": info["tokens"],
        "loss": "cross_entropy" if classes else "mse",
        "ngram_model": "both" if rows < 5000 else "embedding",
        "refit": rows < 20_000,
        "epochs": 12 if rows < 20_000 else 5,
        "batch_size": 64 if rows < 5000 else 128,
        "learning_rate": 1e-3 if rows < 5000 else 5e-3,
        "dropout": 0.5 if rows < 5000 else 0.3,
    }


recipe = tfkit.Recipe(
    Config,
    data,
    model,
    reader=tfkit.read_texts,
    monitor="val_loss",
    baselines=[tfkit.baselines.dummy, tfkit.baselines.tfidf],
    search_space={
        "learning_rate": tfkit.log_uniform(5e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "architecture": ["cnn", "lstm", "transformer", "none"],
        "units": [64, 128, 256],
        "dropout": (0.0, 0.6),
    },
)
