"""The text recipe from end to end."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.datasets import memmap
from tfkit.errors import UserError
from tfkit.testing import check_recipe

FAST = {"epochs": 2, "units": 8, "max_ngrams": 64, "ngram_dim": 4, "batch_size": 32, "dropout": 0.1, "refit": False}
SPAM = ["FREE entry, call now!!!", "you have WON a prize", "claim your cash reward", "urgent: call 08712300220"]
HAM = ["are you coming home", "see you at lunch", "ok, thanks a lot", "the train is late again"]
GOOD_ZH, BAD_ZH = ["这本书写得很好", "孩子非常喜欢", "质量不错，推荐"], ["太差了，退货", "浪费钱", "服务很糟糕，失望"]


def messages(rows, positive=SPAM, negative=HAM, seed=0):
    """Make a table of texts of two classes, each with a different last word."""
    random = np.random.default_rng(seed)
    spam = random.random(rows) < 0.4
    suffixes = [f"{'abcdefghijklmnopqrst'[row % 20]}{row // 20}" for row in range(rows)]
    texts = [
        f"{random.choice(positive if is_spam else negative)} {suffix}"
        for is_spam, suffix in zip(spam, suffixes, strict=True)
    ]
    return pd.DataFrame({"label": np.where(spam, "spam", "ham"), "text": texts})


def train(table, out, **settings):
    return tfkit.train("text", data=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "messages.csv"
    messages(200).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return train(table, tmp_path_factory.mktemp("runs"), epochs=8, learning_rate=0.01)


def test_training_beats_the_constant_baseline_and_saves_predictions(run):
    assert run.metrics["test"]["accuracy"] > 0.9 > run.metrics["baselines"]["dummy"]["accuracy"]
    assert run.metrics["baselines"]["tfidf"]["accuracy"] > 0.9
    assert run.metrics["positive_class"] == "spam"
    assert run.config["tokenization"] == "words"
    predictions = pd.read_csv(run.folder / "predictions.csv")
    assert (predictions["actual"] == predictions["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])


def test_the_saved_model_accepts_strings(run):
    """Texts of any length, and empty ones, give probabilities."""
    import tensorflow as tf

    model = tfkit.load_model(run.path("model.keras"))
    texts = tf.constant([["Call now for your FREE prize!!!"], ["see you at home"], [""], ["word, " * 100_000]])
    probabilities = np.asarray(model({"text": texts}))
    assert probabilities.shape == (4, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert probabilities.argmax(axis=1)[:2].tolist() == [1, 0]
    np.testing.assert_allclose(model({"text": texts[1:2]}), probabilities[1:2], atol=1e-5)
    assert run.predict(["Call now for your FREE prize!!!", "see you at home"])["predicted"].tolist() == ["spam", "ham"]


@pytest.mark.slow
def test_exported_models_predict_as_the_run(run, tmp_path):
    import tensorflow as tf

    texts = ["Call now for your FREE prize!!!", "我喜欢", ""]
    expected = run.predict(texts)[["probability_ham", "probability_spam"]].to_numpy()
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    inputs = {"text": tf.constant([[text] for text in texts])}
    np.testing.assert_allclose(loaded.serve(inputs), expected, atol=1e-5)
    copied = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(copied(inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_predict_and_evaluate_a_file(run, tmp_path, capsys):
    messages(60, seed=1).to_json(tmp_path / "new.jsonl", orient="records", lines=True)
    assert main(["predict", str(run.folder), str(tmp_path / "new.jsonl"), "--out", str(tmp_path / "out.csv")]) == 0
    predictions = pd.read_csv(tmp_path / "out.csv")
    assert list(predictions) == ["label", "text", "predicted", "probability_ham", "probability_spam"]
    accuracy = (predictions["label"] == predictions["predicted"]).mean()
    assert main(["evaluate", str(run.folder), str(tmp_path / "new.jsonl"), "--json"]) == 0
    output = capsys.readouterr().out
    assert json.loads(output[output.index("{") :])["test"]["accuracy"] == pytest.approx(accuracy)


@pytest.mark.slow
def test_training_on_a_folder_per_class(tmp_path):
    for index, (label, text) in enumerate(messages(60).to_numpy()):
        (tmp_path / "mail" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / label / f"{index}.txt").write_text(text)
    run = train(tmp_path / "mail", tmp_path / "runs", architecture="none")
    assert run.predictor.metadata.target.classes == ["ham", "spam"]
    run.predict_file(tmp_path / "mail", tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv")["file"].str.match(r"(ham|spam)/\d+\.txt").all()
    assert run.evaluate(tmp_path / "mail")["test"]["accuracy"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["transformer", "lstm", "cnn", "none"])
def test_every_encoder_trains_on_chinese(tmp_path, architecture):
    messages(120, GOOD_ZH, BAD_ZH).to_csv(tmp_path / "table.csv", index=False)
    run = train(
        tmp_path / "table.csv",
        tmp_path / "runs",
        architecture=architecture,
        epochs=12,
        learning_rate=0.01,
        ngram_model="embedding" if architecture == "none" else "none",
    )
    assert run.config["tokenization"] == "characters"
    assert run.metrics["test"]["accuracy"] > run.metrics["baselines"]["dummy"]["accuracy"] + 0.2


@pytest.mark.slow
def test_regression_predictions_are_in_the_units_of_the_target(tmp_path):
    table, noise = messages(150), np.random.default_rng(0).normal(0, 10, 150).round(2)
    table["stars"] = np.where(table["label"] == "spam", 100.0, 300.0) + noise
    table.drop(columns="label").to_parquet(tmp_path / "table.parquet")
    run = train(tmp_path / "table.parquet", tmp_path / "runs", target="stars", epochs=15, learning_rate=0.01)
    assert run.metrics["task"] == "regression"
    assert run.metrics["test"]["r2"] > 0.5
    assert run.metrics["baselines"]["tfidf"]["r2"] > 0.5
    assert 50 < run.predict(["FREE entry, call now!!!"])["predicted"][0] < 250


@pytest.mark.slow
def test_balanced_classes_increase_the_recall_of_the_rare_class(tmp_path):
    table = messages(400)
    random = np.random.default_rng(0)
    table["label"] = np.where(random.random(400) < np.where(table["label"] == "spam", 0.35, 0.05), "rare", "common")
    table.to_csv(tmp_path / "table.csv", index=False)
    settings = {"architecture": "none", "ngram_model": "embedding", "epochs": 4}
    unweighted, weighted = (
        train(tmp_path / "table.csv", tmp_path / "runs", **settings, balance_classes=enabled).metrics["test"]
        for enabled in (False, True)
    )
    assert weighted["recall"] > unweighted["recall"] + 0.3


@pytest.mark.slow
def test_small_data_is_refit_on_training_and_validation_texts(table, tmp_path, capfd):
    run = tfkit.train("text", data=table, out=tmp_path, **{**FAST, "refit": "auto", "architecture": "none"})
    assert run.config["refit"] is True
    assert "Refit on training and validation rows together: 170 rows" in capfd.readouterr().err


@pytest.mark.slow
def test_checks_of_all_recipes_pass(table):
    invalid = [
        ({"architecture": "none", "ngram_model": "none"}, "A model needs inputs"),
        ({"text_column": "body"}, "the column 'body'"),
    ]
    check_recipe("text", {**FAST, "data": table}, source=table, invalid_settings=invalid)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text_column": "label"}, "`text_column` and `target` must be two columns. Received: label for both"),
        ({"time_column": "a", "group_column": "b"}, "give time_column= or group_column=, not both"),
        ({"refit": True, "learning_rate_schedule": "plateau"}, "refit=true leaves none"),
        ({"group_column": "body"}, "The table must have the column 'body'"),
        ({"loss": "huber"}, "with task=classification it can be cross_entropy"),
    ],
)
def test_inconsistent_settings_are_errors_and_leave_no_run(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": range(200)}, "The text column must have texts; name it with text_column="),
        ({"text": ""}, "The text column must have texts"),
        ({"label": "ham"}, "The target must have at least two classes"),
        ({"label": None}, "The target must be present in at least one row"),
        ({"text": "the same words"}, "Training, validation and test must each have"),
    ],
)
def test_invalid_data_gives_a_one_line_error_and_exit_code_2(tmp_path, capfd, columns, message):
    messages(200).assign(**columns).to_csv(tmp_path / "table.csv", index=False)
    arguments = ["train", "text", f"data={tmp_path / 'table.csv'}", "text_column=text", "--out", str(tmp_path / "runs")]
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_text_of_ten_megabytes_in_training_and_prediction(tmp_path):
    table = messages(100)
    table.loc[3, "text"] = "a long book, " * 800_000
    table.to_parquet(tmp_path / "table.parquet")
    run = train(tmp_path / "table.parquet", tmp_path / "runs", architecture="none", max_length=50)
    assert run.predictor.metadata.length <= 50
    assert len(run.predict(tmp_path / "table.parquet")) == 100


@pytest.mark.slow
def test_training_on_memory_mapped_ids_is_bit_identical(table, tmp_path, monkeypatch, caplog):
    """With a refit on training and validation rows, which are in two files."""
    settings = {**FAST, "data": table, "refit": True, "ngram_model": "both", "balance_classes": True}
    caplog.set_level("INFO", "tfkit")
    predictions = []
    for share in (1, 0):
        monkeypatch.setattr(memmap, "MEMORY_FRACTION", share)
        run = tfkit.train("text", out=tmp_path, quiet=True, **settings)
        predictions.append(pd.read_csv(run.folder / "predictions.csv"))
        assert ("The token ids do not fit into memory" in caplog.text) == (share == 0)
    pd.testing.assert_frame_equal(*predictions)
