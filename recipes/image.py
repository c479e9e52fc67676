"""Classify images, or predict a number from them.

Data     digits.zip: 1,797 handwritten digits, 8 x 8 pixels (data/digits.md)
         Yours: a folder with one folder per class, a .zip of one, or a table of paths and labels. PNG, JPEG, GIF, BMP,
         WebP, TIFF of any size, grayscale or color; transparent pixels are composited on white.
Expect   accuracy 0.986 (95% interval 0.972 to 0.997) on 360 digits of the sample (test_fraction=0.2); linear: 0.975.
         0.990 on 413 photos of ten hand signs, a fifth of sign_language_digits (0.768), 199 s of CPU; 0.988 on 1,000
         digits of mnist_5k (0.895), 234 s of CPU (seed 0). Other architectures: docs/benchmarks.md
Try      make train RECIPE=image
         make train RECIPE=image ARGS="data=photos/ flip=horizontal color_jitter=0.2"
         make train RECIPE=image ARGS="data=labels.csv target=species path_column=file image_size=96"
"""

from pathlib import Path
from typing import Literal

import keras

import tfkit


class Config(tfkit.SupervisedConfig):
    data: Path = tfkit.sample_path("digits.zip")  # one folder per class, a .zip of that, or a table of paths
    target: str = "label"  # the name of the label; for a table, the column to predict
    path_column: str = "path"  # for a table: the column of paths, relative to the folder of the table
    delimiter: str | None = None  # of a table; none: detected
    duplicates: Literal["drop", "keep"] = "drop"  # images with the same pixels and label as another
    image_size: tfkit.PositiveInt | Literal["auto"] = "auto"  # pixels of the longer side; auto: the median, at most 64
    color_mode: Literal["auto", "grayscale", "rgb"] = "auto"  # auto: rgb if any training image has color
    translation: tfkit.Fraction = 0.1  # augmentation: largest shift, as a fraction of height and width
    rotation: tfkit.NonNegativeFloat = 10.0  # augmentation: largest rotation, in degrees
    zoom: tfkit.Fraction = 0.1  # augmentation: largest change of scale, as a fraction
    flip: Literal["none", "horizontal", "vertical", "both"] = "none"  # augmentation: mirror half of the images
    color_jitter: tfkit.Fraction = 0.1  # augmentation: largest change of brightness, contrast and saturation
    mixup: tfkit.NonNegativeFloat = 0.0  # augmentation: parameter of the Beta distribution of MixUp; 0: no MixUp
    cutmix: tfkit.NonNegativeFloat = 0.0  # augmentation: parameter of the Beta distribution of CutMix; 0: no CutMix
    architecture: Literal["resnet", "cnn", "transformer"] = "resnet"  # residual or plain convolutions, or a small ViT
    filters: list[tfkit.PositiveInt] = [16, 32, 64, 128]  # resnet and cnn: channels of each stage
    num_layers: tfkit.PositiveInt | Literal["auto"] = "auto"  # blocks per stage or of the transformer; auto: 1 or 4
    units: tfkit.PositiveInt = 128  # transformer: width
    patch_size: tfkit.PositiveInt = 4  # transformer: side of a patch, in pixels
    dropout: tfkit.Fraction = 0.1  # fraction of units dropped in training
    weight_decay: tfkit.NonNegativeFloat = 0.05

    def validate_settings(self):
        unused = {"filters"} if self.architecture == "transformer" else {"units", "patch_size"}
        if changed := {name: value for name, value in self.non_defaults().items() if name in unused}:
            received = f"architecture={self.architecture} {' '.join(f'{name}={changed[name]}' for name in changed)}"
            raise tfkit.UserError(f"The architecture must use the settings that are set. Received: {received}")
        if self.units % 4:
            raise tfkit.UserError(f"`units` must be a multiple of 4, the number of heads. Received: {self.units}")
        if self.target == self.path_column:
            raise tfkit.UserError(f"`target` and `path_column` must be two columns. Received: {self.target} for both")
        if self.loss == "focal" and (self.mixup or self.cutmix):
            received = f"mixup={self.mixup} cutmix={self.cutmix}"
            raise tfkit.UserError(f"loss=focal needs unmixed classes, mixup=0 and cutmix=0. Received: {received}")


def data(config):
    kind = tfkit.data.image
    images, test_images, messages = kind.load(config.data, **config.model_dump(include=kind.LOAD_SETTINGS))
    target = kind.infer_target(images, config.target, **config.model_dump(include=kind.TARGET_SETTINGS))
    tfkit.tasks.validate_loss(config.loss, target)
    options = {**config.model_dump(include=kind.SPLIT_SETTINGS), "seed": config.effective_split_seed}
    splits = kind.split(images, target, test_data=test_images, **options)
    options = {**config.model_dump(include=kind.SCHEMA_SETTINGS), "read_options": {"delimiter": config.delimiter}}
    metadata = kind.fit_schema(splits[0], target, messages=messages, **options)
    datasets = kind.make_dataset(splits, metadata)
    augment = kind.augment_images(metadata, **config.model_dump(include=kind.AUGMENTATION_SETTINGS))
    options = {"auto_settings": auto_settings(config, metadata, len(datasets[0])), "augment": augment}
    return tfkit.tasks.make_data(config, datasets, metadata, kind.make_preprocessor(metadata), **options)


def model(config, data):
    image, inputs = data.metadata.image, tfkit.keras_inputs(data.train)
    offset = [-mean / std for mean, std in zip(image.mean, image.std, strict=True)]
    x = keras.layers.Rescaling([1 / std for std in image.std], offset, name="standardise")(inputs)
    penalty = {"l1": config.l1, "l2": config.l2}
    if config.architecture == "transformer":
        x = tfkit.layers.PatchEmbedding(config.patch_size, config.units, **penalty)(x)
        x = tfkit.layers.PositionalEmbedding()(x)
        x = tfkit.layers.TransformerEncoder(depth=config.num_layers, dropout=config.dropout, **penalty)(x)
        x = tfkit.layers.AttentionPooling()(x)
    else:
        block, strides = {"resnet": "residual", "cnn": "conv"}[config.architecture], 2 if image.max_side > 32 else 1
        options = {"block": block, "depth": config.num_layers, "stem_strides": strides}
        x = tfkit.layers.ConvNet(config.filters, **options, **penalty)(x)
    x = keras.layers.Dropout(config.dropout)(x)
    outputs = keras.layers.Dense(tfkit.tasks.num_outputs(data.metadata), dtype="float32", name="head")(x)
    loss = tfkit.tasks.make_loss(config.loss, data.metadata, soft_targets=bool(config.mixup or config.cutmix))
    model = keras.Model(inputs, outputs, name="image")
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


def auto_settings(config, metadata, rows):
    """Values of "auto", chosen on splits of the training images of public data sets."""
    is_transformer = config.architecture == "transformer"
    return {
        **metadata.auto_settings,
        "loss": tfkit.tasks.default_loss(metadata, prefer="label_smoothing"),
        "refit": rows < 5000,
        "num_layers": 4 if is_transformer else 1,
        "epochs": 20 if rows < 2000 else 16 if rows < 10_000 else 12,
        "batch_size": 32 if rows < 10_000 else 64,
        "learning_rate": 1e-3 if is_transformer else 2e-3,
    }


AUGMENTATION = {"translation": (0.0, 0.2), "rotation": (0.0, 20.0), "zoom": (0.0, 0.3), "color_jitter": (0.0, 0.4)}
NETWORK_SPACE = {"batch_size": [32, 64, 128, 256], "num_layers": (1, 4), "dropout": (0.0, 0.5)}
SEARCH_SPACE = {"learning_rate": tfkit.log_uniform(5e-4, 8e-3), **NETWORK_SPACE, **AUGMENTATION}
BASELINES = [tfkit.baselines.dummy, tfkit.baselines.linear_pixels]
recipe = tfkit.Recipe(Config, data, model, reader=tfkit.data.image, baselines=BASELINES, search_space=SEARCH_SPACE)
