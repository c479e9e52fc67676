"""Say what a picture shows: a class, or a number.

Data     digits.zip: 1,797 digits written by hand, 8 by 8 pixels (data/digits.md)
         Yours: a folder with a folder for each class, a .zip of one, or a table of paths and labels. PNG, JPEG, GIF,
         BMP, WebP, TIFF of any size, grey or colour; what is transparent lies on white.
Expect   accuracy 0.986, 95% interval 0.972 to 0.997, of 360 digits of the sample (logistic regression on the pixels
         0.975); 0.990 of 413 photos of ten signs of the hand, a fifth of sign_language_digits (0.768), 199 s of CPU;
         0.988 of 1,000 digits of mnist_5k (0.895), 234 s of CPU (seed 0). Other bodies: README.md
Try      make train RECIPE=image
         make train RECIPE=image ARGS="pictures=photos/ flip=horizontal color_jitter=0.2"
         make train RECIPE=image ARGS="pictures=labels.csv target=species path_column=file image_size=96"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit

Loss = Literal["auto", "cross_entropy", "label_smoothing", "focal", "mse", "mae", "huber"]


class Config(tfkit.Config):
    data: Path = tfkit.sample_path("digits.zip")  # a folder for each class, a .zip of that, or a table of paths
    target: str = "label"  # what is predicted: of a table, the column that has it
    path_column: str = "path"  # of a table, the column of paths, beside which they lie
    task: Literal["auto", "classification", "regression"] = "auto"  # what the target is; folders are classes
    positive_class: str | None = None  # the class that precision, recall and F1 are of; none: the rarer of two
    test_data: Path | None = None  # pictures of your own to test on; none: a share
    test_fraction: tfkit.Fraction = 0.15  # share of the pictures for the test, where there are no test_data
    val_fraction: tfkit.Fraction = 0.15  # share of the pictures that choose the best epoch
    group_column: str | None = None  # of a table: pictures of one group, such as one patient, stay in one split
    delimiter: str | None = None  # of a table; none: found
    duplicates: Literal["drop", "keep"] = "drop"  # pictures whose pixels are there twice
    image_size: tfkit.PositiveInt | Literal["auto"] = "auto"  # pixels of the longer side; auto: as found, at most 64
    color_mode: Literal["auto", "grayscale", "rgb"] = "auto"  # auto: colour where a training picture has some
    translation: tfkit.Fraction = 0.1  # of training pictures: moved by up to that share of their sides
    rotation: tfkit.NonNegativeFloat = 10.0  # of training pictures: turned by up to so many degrees
    zoom: tfkit.Fraction = 0.1  # of training pictures: made larger or smaller by up to that share
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"  # horizontal where left and right are alike
    color_jitter: tfkit.Fraction = (
        0.1  # of training pictures: brightness, contrast, saturation change by up to that share
    )
    mixup: tfkit.NonNegativeFloat = (
        0.0  # of training pictures: two are laid over each other, Beta(mixup) says how much of each
    )
    cutmix: tfkit.NonNegativeFloat = (
        0.0  # of training pictures: a box of another is laid on each, Beta(cutmix) says how large
    )
    balance_classes: bool = False  # pictures of rare classes weigh more
    architecture: Literal["resnet", "cnn", "transformer"] = "resnet"  # residual or plain convolutions, or a small ViT
    filters: list[tfkit.PositiveInt] = [16, 32, 64, 128]  # channels of each stage of convolutions
    num_layers: tfkit.PositiveInt | Literal["auto"] = (
        "auto"  # blocks of each stage (auto: 1), or of the transformer (auto: 4)
    )
    units: tfkit.PositiveInt = 128  # width of the transformer
    patch_size: tfkit.PositiveInt = 4  # pixels of a transformer's patch along each side
    dropout: tfkit.Fraction = 0.1  # share of units dropped in training
    refit: bool | Literal["auto"] = "auto"  # once more on training and validation pictures; auto: where they are few
    loss: Loss = "auto"  # what training makes small; auto: smoothed cross-entropy of a class, squared error of a number
    epochs: tfkit.PositiveInt | Literal["auto"] = "auto"
    batch_size: tfkit.PositiveInt | Literal["all", "auto"] = "auto"
    learning_rate: tfkit.PositiveFloat | Literal["auto"] = "auto"
    learning_rate_schedule: tfkit.ScheduleName = "cosine"
    optimizer: tfkit.OptimizerName = "adamw"
    weight_decay: tfkit.NonNegativeFloat = 0.05

    def validate_settings(self):
        if self.architecture == "transformer" and self.filters != [16, 32, 64, 128]:
            raise tfkit.UserError(
                "`filters=` is of convolutions; the width of architecture=transformer is units=. "
                f"Received: filters={self.filters}"
            )
        if self.architecture != "transformer" and (self.units, self.patch_size) != (128, 4):
            raise tfkit.UserError(
                "`units=` and `patch_size=` are of architecture=transformer; the width of convolutions is "
                f"filters=. Received: units={self.units} patch_size={self.patch_size}"
            )
        if self.units % 4:
            raise tfkit.UserError(f"`units` must be a multiple of 4, the number of heads. Received: {self.units}")
        if self.target == self.path_column:
            raise tfkit.UserError(f"`target` and `path_column` must be two columns. Received: {self.target} for both")
        if self.loss == "focal" and (self.mixup or self.cutmix):
            raise tfkit.UserError(
                "loss=focal takes no mixed classes: leave out mixup= and cutmix=, or the loss. "
                f"Received: mixup={self.mixup} cutmix={self.cutmix}"
            )
        if self.refit is True and self.learning_rate_schedule == "plateau":
            raise tfkit.UserError("learning_rate_decay=plateau needs validation rows, and refit=true leaves none.")


def data(config):
    reading = {"path_column": config.path_column, "delimiter": config.delimiter}
    found, test, said = tfkit.data.load_images(
        config.data, config.target, test=config.test_data, duplicates=config.duplicates, **reading
    )
    target = tfkit.data.infer_label(found, config.target, kind=config.task, positive=config.positive_class)
    tfkit.data.validate_loss(config.loss, target)
    parts = tfkit.data.split_images(
        found,
        target,
        test=test,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        group_column=config.group_column,
        seed=config.effective_split_seed,
    )
    size = None if config.image_size == "auto" else config.image_size
    info = tfkit.data.learn_images(parts[0], target, size=size, channels=config.color_mode, said=said, reading=reading)
    train, val, test = tfkit.data.image_rows(parts, info)
    auto = defaults(len(train), info, config.architecture)
    auto["refit"] &= config.learning_rate_schedule != "plateau"  # which needs validation rows
    final = train.concatenate(val) if (auto["refit"] if config.refit == "auto" else config.refit) else None
    if config.balance_classes:
        train, final = (rows and tfkit.data.balance_classes(rows, info) for rows in (train, final))
    moves = {name: getattr(config, name) for name in ("shift", "rotation", "zoom", "flip", "colour", "mixup", "cutmix")}
    augment = tfkit.data.augment_images(info, **moves)
    prepare, restore = tfkit.data.prepare_images(info), tfkit.data.make_postprocessor(info)
    return tfkit.Data(
        train, val, test, info, prepare, restore, augment=augment, auto_settings=auto, refit_dataset=final
    )


def model(config, data):
    picture, classes = data.info["picture"], data.info["target"]["classes"]
    inputs = tfkit.keras_inputs(data.train)
    scale = [1 / spread for spread in picture["spread"]]
    offset = [-mean / spread for mean, spread in zip(picture["mean"], picture["spread"], strict=True)]
    x = keras.layers.Rescaling(scale, offset, name="standardise")(inputs)
    shrink = {"l1": config.l1, "l2": config.l2}
    if config.architecture == "transformer":
        x = tfkit.layers.PatchEmbedding(config.patch_size, config.units, **shrink)(x)
        x = tfkit.layers.PositionalEmbedding()(x)
        x = tfkit.layers.TransformerEncoder(depth=config.num_layers, dropout=config.dropout, **shrink)(x)
        x = tfkit.layers.AttentionPooling()(x)
    else:
        form = {"block": config.architecture, "stem_strides": 2 if max(picture["height"], picture["width"]) > 32 else 1}
        x = tfkit.layers.ConvNet(config.filters, depth=config.num_layers, **form, **shrink)(x)
    x = keras.layers.Dropout(config.dropout)(x)
    outputs = keras.layers.Dense(len(classes or [None]), dtype="float32", name="head")(x)

    loss = tfkit.data.make_loss(config.loss, data.info)
    if classes and (config.mixup or config.cutmix):  # which give shares of classes
        loss = tfkit.losses.SparseLabelSmoothingCrossentropy(0.1 if config.loss == "label_smoothing" else 0.0)
    model = keras.Model(inputs, outputs, name="image")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def defaults(rows, info, body):
    """What "auto" means for so many training pictures: chosen on splits of the training pictures of open sets."""
    picture, classes = info["picture"], info["target"]["classes"]
    return {
        "task": "classification" if classes else "regression",
        "loss": "label_smoothing" if classes else "mse",
        "image_size": max(picture["height"], picture["width"]),
        "color_mode": "grayscale" if picture["channels"] == 1 else "rgb",
        "refit": rows < 5000,
        "num_layers": 4 if body == "transformer" else 1,
        "epochs": 20 if rows < 2000 else 16 if rows < 10_000 else 12,
        "batch_size": 32 if rows < 10_000 else 64,
        "learning_rate": 1e-3 if body == "transformer" else 2e-3,
    }


recipe = tfkit.Recipe(
    Config,
    data,
    model,
    reader=tfkit.read_images,
    monitor="val_loss",
    baselines=[tfkit.baselines.dummy, tfkit.baselines.linear_pixels],
    search_space={
        "learning_rate": tfkit.log_uniform(5e-4, 8e-3),
        "batch_size": [32, 64, 128, 256],
        "num_layers": (1, 4),
        "dropout": (0.0, 0.5),
        "translation": (0.0, 0.2),
        "rotation": (0.0, 20.0),
        "zoom": (0.0, 0.3),
        "color_jitter": (0.0, 0.4),
    },
)
