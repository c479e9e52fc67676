"""Decision thresholds and summaries of predictions."""

import numpy as np
import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import text_format, write_frame
from tfkit.errors import UserError
from tfkit.inference.decision import decision_threshold, lowest_cost_threshold, read_decision, store_decision
from tfkit.inference.summary import PredictionSummary
from tfkit.metadata import Metadata, Target
from tfkit.run_dir import RunDir
from tfkit.tasks import get_task

RNG = np.random.default_rng(0)
BINARY = Metadata(target=Target(name="y", task="classification", classes=["no", "yes"], positive_class="yes"))
SCORES = np.round(RNG.random(300), 2)
LABELS = (RNG.random(300) < SCORES).astype(int)


THREE = {"classes": ["a", "b", "c"], "positive_class": None}


@pytest.fixture
def empty_run(tmp_path):
    for name in ("config.json", "provenance.json"):
        (tmp_path / name).write_text("{}")
    return RunDir(tmp_path)


@pytest.fixture
def run(empty_run, tmp_path):
    frame = get_task("classification").test_frame(None, LABELS, np.c_[1 - SCORES, SCORES], BINARY)
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    return empty_run


@pytest.mark.parametrize("cost", [0.2, 1.0, 3.0, 10.0])
def test_no_other_threshold_has_a_lower_cost(run, cost):
    def total_cost(threshold):
        predicted = threshold <= SCORES
        return (predicted & (LABELS == 0)).sum() + cost * (~predicted & (LABELS == 1)).sum()

    threshold = lowest_cost_threshold(run, BINARY, cost)
    assert total_cost(threshold) == min(map(total_cost, SCORES))


def test_the_threshold_of_the_report_is_used_by_later_predictions(run):
    assert decision_threshold(run, BINARY) is None
    store_decision(run, BINARY, 5.0)
    assert decision_threshold(run, BINARY) == read_decision(run)["threshold"] == lowest_cost_threshold(run, BINARY, 5.0)
    assert decision_threshold(run, BINARY, threshold=0.5) == 0.5
    store_decision(run, BINARY, 1.0)
    assert decision_threshold(run, BINARY) is None


@pytest.mark.parametrize(
    ("options", "target", "message"),
    [
        ({"threshold": 1.5}, {}, "`threshold` is a probability, from 0 to 1. Received: threshold=1.5"),
        ({"threshold": 0.5, "false_negative_cost": 2}, {}, "Give `threshold` or `false_negative_cost`, not both"),
        ({"false_negative_cost": 0}, {}, "must be above 0. Received: 0"),
        (
            {"false_negative_cost": 2},
            THREE,
            "for a target of two classes",
        ),
        (
            {"threshold": 0.3},
            THREE,
            "for a target of two classes, or tags",
        ),
        ({"threshold": 0.3}, {"task": "regression", "classes": None}, "Received: 'y', task regression"),
    ],
)
def test_invalid_thresholds_are_refused(run, options, target, message):
    metadata = Metadata(target=BINARY.target.model_copy(update=target))
    with pytest.raises(UserError, match=message):
        decision_threshold(run, metadata, **options)


def test_a_run_without_test_rows_has_no_threshold(empty_run):
    with pytest.raises(UserError, match="chosen on test rows of both classes; give threshold="):
        lowest_cost_threshold(empty_run, BINARY, 5.0)


def test_predictions_with_a_threshold():
    outputs = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    assert get_task("classification").decide(outputs, 0.3, BINARY).tolist() == ["no", "yes", "yes"]
    negative = Metadata(target=BINARY.target.model_copy(update={"positive_class": "no"}))
    assert get_task("classification").decide(outputs, 0.8, negative).tolist() == ["no", "yes", "yes"]
    tags = Metadata(target=Target(task="multilabel", classes=["a", "b"], tag_delimiter="|"))
    assert get_task("multilabel").decide(outputs, 0.3, tags) == ["a", "a|b", "b"]


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([["no", "yes"], ["no"]], "3 rows: 2 no, 1 yes"),
        ([["yes"]], "1 row: 1 yes"),
        ([[1.5, 2.5], [np.nan, 10.0]], "4 rows: predictions from 1.5000 to 10.0000, median 2.5000"),
        ([[0, 1, 1]], "3 rows: 2 1, 1 0"),
        ([[["a", "b"], ["b"], []]], "3 rows: 2 b, 1 a"),
        ([[str(n) for n in range(10)]], "10 rows: 1 0, 1 1, 1 2, 1 3, 1 4, 1 5, 1 6, 1 7 and 2 more classes"),
    ],
)
def test_predictions_are_summarized(chunks, text):
    summary = PredictionSummary()
    for chunk in chunks:
        summary.add(pd.Series(chunk))
    assert summary.text() == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "cp1251"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_a_file_is_written_in_the_form_in_which_it_was_read(tmp_path, encoding, delimiter):
    text = "имя" if encoding == "cp1251" else "café"
    source = tmp_path / "in.csv"
    lines = [f"{text}{delimiter}b", *(f"{text}{row}{delimiter}{row}" for row in range(40))]
    source.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    frame = read_frame(source, encoding=encoding)
    write_frame(frame, tmp_path / "out.csv", **text_format(frame))
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()


def test_letters_that_the_encoding_lacks_are_refused(tmp_path):
    with pytest.raises(UserError, match="written in the encoding of the file, cp1252, which does not have"):
        write_frame(pd.DataFrame({"a": ["имя"]}), tmp_path / "out.csv", encoding="cp1252")
    assert not (tmp_path / "out.csv").exists()
