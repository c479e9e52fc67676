"""The page for texts, from end to end: what a person and a script see."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli import main
from tfkit.data import stored
from tfkit.errors import UserError
from tfkit.testing import check_recipe

FAST = {"epochs": 2, "units": 8, "num_ngrams": 64, "ngram_dim": 4, "batch_size": 32, "dropout": 0.1, "refit": False}
SPAM = ["FREE entry, call now!!!", "you have WON a prize", "claim your cash reward", "urgent: call 08712300220"]
HAM = ["are you coming home", "see you at lunch", "ok, thanks a lot", "the train is late again"]
HAO, HUAI = ["这本书写得很好", "孩子非常喜欢", "质量不错，推荐"], ["太差了，退货", "浪费钱", "服务很糟糕，失望"]


def messages(rows, one=SPAM, other=HAM, seed=0):
    """Texts of two kinds, in which a word more tells each from its like."""
    random = np.random.default_rng(seed)
    spam = random.random(rows) < 0.4
    ends = [f"{'abcdefghijklmnopqrst'[number % 20]}{number // 20}" for number in range(rows)]
    words = [f"{random.choice(one if s else other)} {end}" for s, end in zip(spam, ends, strict=True)]
    return pd.DataFrame({"label": np.where(spam, "spam", "ham"), "text": words})


def trained(table, out, **settings):
    return tfkit.train("text", table=table, out=out, quiet=True, **{**FAST, **settings})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "messages.csv"
    messages(200).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return trained(table, tmp_path_factory.mktemp("runs"), epochs=8, learning_rate=0.01)


def test_a_run_beats_the_constant_and_is_kept_whole(run):
    assert run.metrics["test"]["accuracy"] > 0.9 > run.metrics["baselines"]["constant"]["accuracy"]
    assert run.metrics["baselines"]["tfidf"]["accuracy"] > 0.9
    assert run.metrics["positive"] == "spam"
    assert run.config["tokens"] == "words"
    kept = pd.read_csv(run.folder / "predictions.csv")
    assert (kept["truth"] == kept["predicted"]).mean() == pytest.approx(run.metrics["test"]["accuracy"])


def test_the_file_takes_strings(run):
    """Of a row, of none, of any length: strings in, probabilities out."""
    import tensorflow as tf

    model = tfkit.load_model(run.path("model.keras"))
    texts = tf.constant([["Call now for your FREE prize!!!"], ["see you at home"], [""], ["word, " * 100_000]])
    said = np.asarray(model({"text": texts}))
    assert said.shape == (4, 2)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert said.argmax(axis=1)[:2].tolist() == [1, 0]
    np.testing.assert_allclose(model({"text": texts[1:2]}), said[1:2], atol=1e-5)
    assert run.predict(["Call now for your FREE prize!!!", "see you at home"])["predicted"].tolist() == ["spam", "ham"]


@pytest.mark.slow
def test_exports_answer_as_the_model_does(run, tmp_path):
    import tensorflow as tf

    texts = ["Call now for your FREE prize!!!", "我喜欢", ""]
    said = run.predict(texts)[["probability_ham", "probability_spam"]].to_numpy()
    loaded = tf.saved_model.load(run.export("savedmodel", tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve({"text": tf.constant([[t] for t in texts])}), said, atol=1e-5)
    copied = tfkit.load_model(run.export("keras", tmp_path / "copy.keras"))
    np.testing.assert_allclose(copied({"text": tf.constant([[t] for t in texts])}), said, atol=1e-5)


def test_a_file_is_predicted_and_scored(run, tmp_path, capsys):
    messages(60, seed=1).to_json(tmp_path / "new.jsonl", orient="records", lines=True)
    assert main(["predict", str(run.folder), str(tmp_path / "new.jsonl"), "--out", str(tmp_path / "out.csv")]) == 0
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found) == ["label", "text", "predicted", "probability_ham", "probability_spam"]
    accuracy = (found["label"] == found["predicted"]).mean()
    assert main(["evaluate", str(run.folder), str(tmp_path / "new.jsonl"), "--json"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said[said.index("{") :])["test"]["accuracy"] == pytest.approx(accuracy)


@pytest.mark.slow
def test_a_folder_for_each_class(tmp_path):
    for number, (label, text) in enumerate(messages(60).to_numpy()):
        (tmp_path / "mail" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / label / f"{number}.txt").write_text(text)
    run = trained(tmp_path / "mail", tmp_path / "runs", encoder="none")
    assert run.info["target"]["classes"] == ["ham", "spam"]
    run.predict_file(tmp_path / "mail", tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv")["file"].str.match(r"(ham|spam)/\d+\.txt").all()
    assert run.evaluate(tmp_path / "mail")["test"]["accuracy"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["transformer", "lstm", "convolution", "none"])
def test_every_encoder_learns_chinese(tmp_path, encoder):
    messages(120, HAO, HUAI).to_csv(tmp_path / "table.csv", index=False)
    run = trained(
        tmp_path / "table.csv",
        tmp_path / "runs",
        encoder=encoder,
        epochs=12,
        learning_rate=0.01,
        ngrams="trained" if encoder == "none" else "none",
    )
    assert run.config["tokens"] == "characters"
    assert run.metrics["test"]["accuracy"] > run.metrics["baselines"]["constant"]["accuracy"] + 0.2


@pytest.mark.slow
def test_a_number_is_predicted_in_its_own_units(tmp_path):
    some, chance = messages(150), np.random.default_rng(0).normal(0, 10, 150).round(2)
    some["stars"] = np.where(some["label"] == "spam", 100.0, 300.0) + chance
    some.drop(columns="label").to_parquet(tmp_path / "table.parquet")
    run = trained(tmp_path / "table.parquet", tmp_path / "runs", target="stars", epochs=15, learning_rate=0.01)
    assert run.metrics["task"] == "regression"
    assert run.metrics["test"]["r2"] > 0.5
    assert run.metrics["baselines"]["tfidf"]["r2"] > 0.5
    assert 50 < run.predict(["FREE entry, call now!!!"])["predicted"][0] < 250


@pytest.mark.slow
def test_class_weights_raise_the_recall_of_the_rare_class(tmp_path):
    some = messages(400)
    random = np.random.default_rng(0)
    some["label"] = np.where(random.random(400) < np.where(some["label"] == "spam", 0.35, 0.05), "rare", "common")
    some.to_csv(tmp_path / "table.csv", index=False)
    given = {"encoder": "none", "ngrams": "trained", "epochs": 4}
    plain, weighted = (
        trained(tmp_path / "table.csv", tmp_path / "runs", **given, class_weights=on).metrics["test"]
        for on in (False, True)
    )
    assert weighted["recall"] > plain["recall"] + 0.3


@pytest.mark.slow
def test_few_texts_are_fitted_again_on_all_but_the_test_texts(table, tmp_path, capfd):
    run = tfkit.train("text", table=table, out=tmp_path, **{**FAST, "refit": "auto", "encoder": "none"})
    assert run.config["refit"] is True
    assert "Fitted again on training and validation rows together, 170" in capfd.readouterr().err


@pytest.mark.slow
def test_it_holds_what_every_recipe_must(table):
    refused = [({"encoder": "none", "ngrams": "none"}, "reads nothing"), ({"text": "body"}, "the column 'body'")]
    check_recipe("text", {**FAST, "table": table}, source=table, refused=refused)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": "label"}, "`text` and `target` must be two columns. Received: label for both"),
        ({"time_column": "a", "group_column": "b"}, "give time_column= or group_column=, not both"),
        ({"refit": True, "learning_rate_decay": "plateau"}, "refit=true leaves none"),
        ({"group_column": "body"}, "The table must have the column 'body'"),
        ({"loss": "huber"}, "'label' has classes, so it can be cross_entropy"),
    ],
)
def test_settings_that_do_not_fit_are_refused_and_leave_nothing(table, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        trained(table, tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": range(200)}, "The column of texts must hold texts; name it with text="),
        ({"text": ""}, "The column of texts must hold texts"),
        ({"label": "ham"}, "The target must have at least two classes"),
        ({"label": None}, "The target must be present in at least one row"),
        ({"text": "the same words"}, "Training, validation and test must each have at least one row"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capfd, columns, message):
    messages(200).assign(**columns).to_csv(tmp_path / "table.csv", index=False)
    words = ["train", "text", f"table={tmp_path / 'table.csv'}", "text=text", "--out", str(tmp_path / "runs")]
    assert main(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert message in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_document_of_ten_megabytes_is_learnt_from_and_answered(tmp_path):
    some = messages(100)
    some.loc[3, "text"] = "a long book, " * 800_000
    some.to_parquet(tmp_path / "table.parquet")
    run = trained(tmp_path / "table.parquet", tmp_path / "runs", encoder="none", max_length=50)
    assert run.info["length"] <= 50
    assert len(run.predict(tmp_path / "table.parquet")) == 100


def test_where_the_ids_fill_the_memory_they_lie_on_disk_and_no_bit_changes(table, tmp_path, monkeypatch, caplog):
    """Fitted once more on training and validation rows, which lie in two files."""
    settings = {**FAST, "table": table, "refit": True, "ngrams": "both", "class_weights": True}
    caplog.set_level("INFO", "tfkit")
    said = []
    for share in (1, 0):
        monkeypatch.setattr(stored, "SHARE", share)
        run = tfkit.train("text", out=tmp_path, quiet=True, **settings)
        said.append(pd.read_csv(run.folder / "predictions.csv"))
        assert ("the ids of the texts lie on disk" in caplog.text) == (share == 0)
    pd.testing.assert_frame_equal(*said)
