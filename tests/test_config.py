import json
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from tfkit.config import FLAGS, Config, count, fraction, read_settings
from tfkit.errors import UserError


class Page(Config):
    fits_sample: ClassVar[dict[str, tuple[str, ...]]] = {"table": ("target",)}
    table: Path = Path("sample.csv")
    target: str = "income"
    depth: count = 3
    dropout: fraction = 0.1
    columns: tuple[str, ...] = ()
    body: Literal["auto", "mlp"] = "auto"
    epochs: count | Literal["auto"] = 7

    def check(self) -> None:
        if self.depth > 100:
            raise UserError("`depth` above 100 is a tower.")


def refusal(kind=Config, **settings):
    with pytest.raises(UserError) as caught:
        kind.of(settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_are_those_of_the_house():
    assert Config().words() == {
        "seed": 0,
        "split_seed": None,
        "epochs": 50,
        "batch_size": 128,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "learning_rate_decay": "none",
        "weight_decay": 0.0,
        "l1": 0.0,
        "l2": 0.0,
        "clip_norm": None,
        "patience": None,
        "precision": "float32",
        "deterministic": True,
    }


def test_words_become_values_and_come_back_the_same():
    config = Page.of({"table": "x.csv", "target": "y", "columns": "a,b", "clip_norm": "1", "deterministic": "false"})
    assert (config.table, config.columns, config.deterministic) == (Path("x.csv"), ("a", "b"), False)
    assert Page.of(json.loads(json.dumps(config.words()))) == config


def test_changed_says_what_differs_from_the_class():
    assert Page().changed() == {}
    assert Page.of({"epochs": "7", "depth": "2", "learning_rate": "0.001"}).changed() == {"depth": 2}
    assert Page.of({"table": "x.csv", "target": "y"}).changed() == {"table": "x.csv", "target": "y"}


def test_a_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Config().epochs = 3


def test_a_typo_gets_the_nearest_name_and_the_list():
    message = refusal(epohcs=3)
    assert message.startswith("Unknown setting `epohcs`. Did you mean 'epochs'? Settings: seed, split_seed, epochs, ")


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
        ({"clip_norm": 0}, "`clip_norm` must be a number > 0 or none. Received: clip_norm=0"),
        ({"deterministic": "perhaps"}, "`deterministic` must be true or false. Received: deterministic='perhaps'"),
    ],
)
def test_a_wrong_value_is_said_with_its_rule(settings, message):
    assert refusal(**settings) == message


def test_a_choice_gets_the_nearest_word():
    assert refusal(optimizer="adm").endswith("Did you mean 'adam'? Received: optimizer='adm'")


def test_patience_zero_is_refused_with_the_remedy():
    assert "1 stops at the first epoch that is no better" in refusal(patience="0")


def test_a_plateau_that_could_never_act_is_refused():
    assert "give patience=2 or more" in refusal(patience=1, learning_rate_decay="plateau")
    assert Config.of({"patience": 2, "learning_rate_decay": "plateau"}).plateau_patience == 1


@pytest.mark.parametrize(
    ("settings", "epochs"), [({}, 5), ({"patience": 10}, 5), ({"epochs": 3}, 1), ({"epochs": "auto"}, 5)]
)
def test_the_plateau_acts_before_training_stops(settings, epochs):
    assert Config.of(settings).plateau_patience == epochs


def test_a_page_refuses_what_does_not_go_together():
    assert refusal(Page, depth=101) == "`depth` above 100 is a tower."


def test_what_fits_the_sample_must_be_given_with_another_table():
    message = refusal(Page, table="x.csv")
    assert message.startswith("`table=` replaces the sample, so `target=` must be given too")
    assert "'income'" in message


def test_a_setting_without_a_default_must_be_given():
    class Own(Config):
        table: Path

    assert refusal(Own) == "`table` must be given: a path. It has no default."
    assert Own.of({"table": "x"}).changed() == {"table": "x"}


@pytest.mark.filterwarnings("ignore:Field name .json")
@pytest.mark.parametrize("name", sorted(FLAGS))
def test_a_setting_with_the_name_of_a_flag_is_refused(name):
    with pytest.raises(UserError, match=f"`{name}` is a flag of tfkit"):
        type("Own", (Config,), {"__annotations__": {name: int}, name: 1, "__module__": __name__})


def test_a_default_that_is_not_allowed_is_refused_with_its_page():
    with pytest.raises(UserError, match="`dropout` must be a number >= 0 and < 1"):

        class Own(Config):
            dropout: fraction = 1.5


def test_auto_is_settled_by_the_data():
    config = Page.of({"learning_rate": "auto", "batch_size": "auto", "target": "auto"})
    settled = config.settled({"learning_rate": 0.01, "batch_size": 64, "body": "mlp", "epochs": 99})
    assert settled.changed() == {"learning_rate": 0.01, "batch_size": 64, "target": "auto", "body": "mlp"}
    assert settled.epochs == 7


def test_auto_without_a_default_is_refused():
    with pytest.raises(UserError, match="`body=auto` needs a page whose data says what suits it"):
        Page().settled({})
    config = Config.of({"learning_rate": "auto", "batch_size": "auto"})
    with pytest.raises(UserError, match="`learning_rate` is still auto"):
        _ = config.optimization
    with pytest.raises(UserError, match="`batch_size` is still auto"):
        config.batch(10)


def test_optimization_is_a_plain_dictionary():
    config = Config.of({"optimizer": "sgd", "learning_rate_decay": "cosine", "clip_norm": 2})
    assert config.optimization == {
        "name": "sgd",
        "learning_rate": 0.001,
        "decay": "cosine",
        "weight_decay": 0.0,
        "clip_norm": 2.0,
    }


@pytest.mark.parametrize(("size", "rows", "batch"), [(128, 1000, 128), (128, 50, 50), ("all", 1000, 1000)])
def test_a_batch_is_never_larger_than_the_rows(size, rows, batch):
    assert Config.of({"batch_size": size}).batch(rows) == batch


def test_settings_are_read_from_a_file(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"epochs": 3}')
    assert read_settings(file) == read_settings({"epochs": 3}) == {"epochs": 3}
    assert read_settings(None) == {}
    file.write_text("[3]")
    with pytest.raises(UserError, match="Settings are a JSON object"):
        read_settings(file)
    file.write_text("{")
    with pytest.raises(UserError, match="Settings are read from a JSON file"):
        read_settings(file)
    with pytest.raises(UserError, match="No such file"):
        read_settings(tmp_path / "none.json")


class Table:
    """Something that says more of itself than a message can hold, as a DataFrame does."""

    def __repr__(self):
        return "a\n   b\n" + "c" * 500


def test_what_was_given_is_said_on_one_line():
    with pytest.raises(UserError, match=r"Received: epochs=a b c+\.\.\.$"):
        Config.of({"epochs": Table()})


def test_a_step_may_not_take_all_of_a_weight_away():
    with pytest.raises(UserError, match=r"must be below 1\. Received: weight_decay=0\.1 learning_rate=10"):
        Config.of({"weight_decay": "0.1", "learning_rate": "10"})


def test_splits_have_a_seed_of_their_own_where_one_is_given():
    assert Config.of({"seed": 3}).seed_of_splits == 3
    assert Config.of({"seed": 3, "split_seed": 0}).seed_of_splits == 0
