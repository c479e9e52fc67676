"""Tests of the settings: defaults, types, error messages, `auto`."""

import json
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest

from tfkit.config import FLAGS, Config, Fraction, PositiveInt, read_settings
from tfkit.errors import UserError


class TableConfig(Config):
    sample_only_defaults: ClassVar[dict[str, tuple[str, ...]]] = {"data": ("target",)}
    data: Path = Path("sample.csv")
    target: str = "income"
    num_layers: PositiveInt = 3
    dropout: Fraction = 0.1
    columns: tuple[str, ...] = ()
    architecture: Literal["auto", "mlp"] = "auto"
    epochs: PositiveInt | Literal["auto"] = 7

    def validate_settings(self) -> None:
        if self.num_layers > 100:
            raise UserError("`num_layers` must be at most 100.")


def error_message(config_class=Config, **settings):
    with pytest.raises(UserError) as caught:
        config_class.from_dict(settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults():
    assert Config().to_dict() == {
        "seed": 0,
        "split_seed": None,
        "epochs": 50,
        "batch_size": 128,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "learning_rate_schedule": "none",
        "weight_decay": 0.0,
        "l1": 0.0,
        "l2": 0.0,
        "global_clipnorm": None,
        "early_stopping_patience": None,
        "precision": "float32",
        "deterministic": True,
        "metric": "auto",
        "best_epoch_by": "loss",
    }


def test_text_is_converted_and_round_trips():
    config = TableConfig.from_dict(
        {"data": "x.csv", "target": "y", "columns": "a,b", "global_clipnorm": "1", "deterministic": "false"}
    )
    assert (config.data, config.columns, config.deterministic) == (Path("x.csv"), ("a", "b"), False)
    assert TableConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_non_defaults_returns_settings_that_differ_from_defaults():
    assert TableConfig().non_defaults() == {}
    assert TableConfig.from_dict({"epochs": "7", "num_layers": "2", "learning_rate": "0.001"}).non_defaults() == {
        "num_layers": 2
    }
    assert TableConfig.from_dict({"data": "x.csv", "target": "y"}).non_defaults() == {"data": "x.csv", "target": "y"}


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().epochs = 3


def test_unknown_setting_suggests_the_nearest():
    message = error_message(epohcs=3)
    assert message.startswith("Unknown setting `epohcs`. Did you mean 'epochs'? `tfkit show RECIPE`")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": "0"}, "`epochs` must be an integer >= 1 or auto. Received: epochs='0'"),
        ({"epochs": "many"}, "`epochs` must be an integer >= 1 or auto. Received: epochs='many'"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1 or all or auto. Received: batch_size=0"),
        ({"learning_rate": "0"}, "`learning_rate` must be a number > 0 or auto. Received: learning_rate='0'"),
        ({"learning_rate": "nan"}, "`learning_rate` must be a number > 0 or auto. Received: learning_rate='nan'"),
        ({"seed": -1}, "`seed` must be an integer >= 0 and < 2147483648. Received: seed=-1"),
        ({"seed": 2**31}, "`seed` must be an integer >= 0 and < 2147483648. Received: seed=2147483648"),
        ({"l2": "-1"}, "`l2` must be a number >= 0. Received: l2='-1'"),
        ({"global_clipnorm": 0}, "`global_clipnorm` must be a number > 0 or none. Received: global_clipnorm=0"),
        ({"deterministic": "perhaps"}, "`deterministic` must be true or false. Received: deterministic='perhaps'"),
    ],
)
def test_invalid_value_message_states_the_rule(settings, message):
    assert error_message(**settings) == message


def test_table_in_place_of_a_path_is_described():
    table = np.zeros((200, 6))
    with pytest.raises(UserError, match=r"learning_rate=a ndarray of shape \(200, 6\); write it to a file"):
        Config.from_dict({"learning_rate": table})


def test_invalid_choice_suggests_the_nearest():
    assert error_message(optimizer="adm").endswith("Did you mean 'adam'? Received: optimizer='adm'")


def test_patience_zero_raises_with_remedy():
    assert "1 stops at the first epoch without improvement" in error_message(early_stopping_patience="0")


def test_plateau_schedule_needs_enough_patience():
    assert "use early_stopping_patience=2 or more" in error_message(
        early_stopping_patience=1, learning_rate_schedule="plateau"
    )
    assert Config.from_dict({"early_stopping_patience": 2, "learning_rate_schedule": "plateau"}).plateau_patience == 1


def test_plateau_schedule_needs_validation_rows():
    class RefitConfig(Config):
        refit: bool | Literal["auto"] = "auto"

    message = error_message(RefitConfig, refit="true", learning_rate_schedule="plateau")
    assert message == "learning_rate_schedule=plateau needs validation rows, and refit=true leaves none."
    for refit in ("false", "auto"):
        assert RefitConfig.from_dict({"refit": refit, "learning_rate_schedule": "plateau"}).refit in (False, "auto")


@pytest.mark.parametrize(
    ("settings", "epochs"), [({}, 5), ({"early_stopping_patience": 10}, 5), ({"epochs": 3}, 1), ({"epochs": "auto"}, 5)]
)
def test_plateau_patience_is_below_early_stopping_patience(settings, epochs):
    assert Config.from_dict(settings).plateau_patience == epochs


def test_validate_settings_of_a_subclass_raises():
    assert error_message(TableConfig, num_layers=101) == "`num_layers` must be at most 100."


def test_sample_only_defaults_are_required_with_another_table():
    message = error_message(TableConfig, data="x.csv")
    assert message.startswith("`data=` replaces the sample, so `target=` must be given too")
    assert "'income'" in message


def test_setting_without_a_default_is_required():
    class OwnConfig(Config):
        data: Path

    assert error_message(OwnConfig) == "`data` must be given: a path. It has no default."
    assert OwnConfig.from_dict({"data": "x"}).non_defaults() == {"data": "x"}


@pytest.mark.filterwarnings("ignore:Field name .json")
@pytest.mark.parametrize("name", sorted(FLAGS))
def test_setting_with_the_name_of_a_flag_raises(name):
    with pytest.raises(UserError, match=f"`{name}` is a flag of tfkit"):
        type("OwnConfig", (Config,), {"__annotations__": {name: int}, name: 1, "__module__": __name__})


def test_invalid_default_raises():
    with pytest.raises(UserError, match="`dropout` must be a number >= 0 and < 1"):

        class OwnConfig(Config):
            dropout: Fraction = 1.5


def test_auto_is_resolved_by_the_data():
    config = TableConfig.from_dict({"learning_rate": "auto", "batch_size": "auto", "target": "auto"})
    resolved = config.resolve_auto({"learning_rate": 0.01, "batch_size": 64, "architecture": "mlp", "epochs": 99})
    assert resolved.non_defaults() == {"learning_rate": 0.01, "batch_size": 64, "target": "auto", "architecture": "mlp"}
    assert resolved.epochs == 7


def test_unresolved_auto_raises():
    with pytest.raises(UserError, match="`architecture=auto` needs a recipe with auto_settings for it"):
        TableConfig().resolve_auto({})
    config = Config.from_dict({"learning_rate": "auto", "batch_size": "auto"})
    with pytest.raises(UserError, match="`learning_rate` is still auto"):
        _ = config.optimizer_settings
    with pytest.raises(UserError, match="`batch_size` is still auto"):
        config.effective_batch_size(10)


def test_optimizer_settings_are_a_plain_dictionary():
    config = Config.from_dict({"optimizer": "sgd", "learning_rate_schedule": "cosine", "global_clipnorm": 2})
    assert config.optimizer_settings == {
        "name": "sgd",
        "learning_rate": 0.001,
        "decay": "cosine",
        "weight_decay": 0.0,
        "global_clipnorm": 2.0,
    }


@pytest.mark.parametrize(("size", "rows", "batch"), [(128, 1000, 128), (128, 50, 50), ("all", 1000, 1000)])
def test_a_batch_is_never_larger_than_the_rows(size, rows, batch):
    assert Config.from_dict({"batch_size": size}).effective_batch_size(rows) == batch


def test_settings_are_read_from_a_file(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"epochs": 3}')
    assert read_settings(file) == read_settings({"epochs": 3}) == {"epochs": 3}
    assert read_settings(None) == {}
    file.write_text("[3]")
    with pytest.raises(UserError, match="Settings must be a JSON object"):
        read_settings(file)
    file.write_text("{")
    with pytest.raises(UserError, match="Settings must be in a JSON file"):
        read_settings(file)
    with pytest.raises(UserError, match="No such file"):
        read_settings(tmp_path / "none.json")


class LongRepr:
    """An object with a long repr of several lines, like a DataFrame."""

    def __repr__(self):
        return "a\n   b\n" + "c" * 500


def test_received_value_is_shortened_to_one_line():
    with pytest.raises(UserError, match=r"Received: epochs=a b c+\.\.\.$"):
        Config.from_dict({"epochs": LongRepr()})


def test_learning_rate_times_weight_decay_must_be_below_1():
    with pytest.raises(UserError, match=r"must be below 1\. Received: weight_decay=0\.1 learning_rate=10"):
        Config.from_dict({"weight_decay": "0.1", "learning_rate": "10"})


def test_split_seed_defaults_to_seed():
    assert Config.from_dict({"seed": 3}).effective_split_seed == 3
    assert Config.from_dict({"seed": 3, "split_seed": 0}).effective_split_seed == 0
