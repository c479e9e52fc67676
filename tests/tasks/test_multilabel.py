"""The multilabel task, against scikit-learn: metrics, baselines, files."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from tfkit.evaluation import scoring
from tfkit.metadata import Metadata, Target
from tfkit.tasks import get_task

RNG = np.random.default_rng(0)
TAGS = list("abcde")
METADATA = Metadata(target=Target(name="y", task="multilabel", classes=TAGS, tag_delimiter="|"))
TASK = get_task("multilabel")
Y = (RNG.random((300, 5)) < [0.1, 0.3, 0.5, 0.7, 0.2]).astype(int)
Y[0], Y[1] = 0, 1
Y_PROB = np.round(np.clip(0.3 * Y + 0.7 * RNG.random((300, 5)), 0, 1), 1)  # with ties


def test_metrics_equal_those_of_scikit_learn():
    scores, y_pred = scoring.compute_metrics(Y, Y_PROB, METADATA), Y_PROB >= 0.5
    clipped = np.clip(Y_PROB, np.finfo("float64").eps, 1 - np.finfo("float64").eps)
    expected = {
        "exact_match": metrics.accuracy_score(Y, y_pred),
        "hamming_loss": metrics.hamming_loss(Y, y_pred),
        "roc_auc": metrics.roc_auc_score(Y, Y_PROB),
        "average_precision": metrics.average_precision_score(Y, Y_PROB),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(Y, Y_PROB),
        "log_loss": np.mean([metrics.log_loss(Y[:, tag], clipped[:, tag]) for tag in range(5)]),
    }
    for average in ("micro", "macro"):
        for name in ("precision", "recall", "f1"):
            expected[f"{name}_{average}"] = getattr(metrics, f"{name}_score")(Y, y_pred, average=average)
    assert scores == pytest.approx(expected)


def test_metrics_of_each_tag_equal_those_of_scikit_learn():
    per_tag = scoring.per_class_metrics(Y, Y_PROB, METADATA)
    expected = metrics.precision_recall_fscore_support(Y, Y_PROB >= 0.5)
    names = ("precision", "recall", "f1", "support")
    for code, tag in enumerate(TAGS):
        assert per_tag[tag] == pytest.approx({name: v[code] for name, v in zip(names, expected, strict=True)})


def test_a_tag_without_rows_does_not_count_in_means():
    y, y_prob = np.array([[1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.2, 0.3]])
    scores = scoring.compute_metrics(
        y, y_prob, METADATA.model_copy(update={"target": Target(task="multilabel", classes=["a", "b"])})
    )
    assert scores["f1_macro"] == scores["roc_auc"] == 1.0


def test_losses_and_errors_of_rows():
    y, y_prob = np.array([[1, 0, 0, 0, 1]]), np.array([[0.8, 0.4, 0.1, 0.6, 0.3]])
    expected = -np.log([0.8, 0.6, 0.9, 0.4, 0.3]).mean()
    assert TASK.row_losses(y, y_prob, METADATA) == pytest.approx([expected])
    assert TASK.row_errors(y, y_prob, METADATA).tolist() == [0.4]
    assert TASK.confidence(y_prob) == pytest.approx([0.1])
    row = TASK.label_and_prediction(y[0], y_prob[0], METADATA)
    assert row == {"label": "a|e", "predicted": "a|d", "probability_of_label": 0.3}


def test_loss_is_the_mean_cross_entropy_of_tags():
    logits = RNG.normal(size=(4, 5)).astype("float32")
    probability = 1 / (1 + np.exp(-logits))
    loss = TASK.make_loss("binary_cross_entropy", METADATA)(Y[:4].astype("float32"), logits)
    assert float(loss) == pytest.approx(TASK.row_losses(Y[:4], probability, METADATA).mean(), rel=1e-5)
    np.testing.assert_allclose(TASK.make_postprocessor(METADATA)(logits), probability, rtol=1e-5)


def test_estimators_are_one_against_the_rest():
    x = RNG.normal(size=(300, 4)) + Y[:, :4]
    y = np.c_[Y[:, :4], np.zeros(300, int)]  # no row has the last tag
    predict = TASK.fit_estimator(lambda y, count: LogisticRegression(), None, x, y, None, METADATA)
    expected = OneVsRestClassifier(LogisticRegression()).fit(x, y[:, :4]).predict_proba(x)
    np.testing.assert_allclose(predict(x)[:, :4], expected, rtol=1e-6)
    assert not predict(x)[:, 4].any()
    kernel, bias = TASK.fit_linear(lambda y, count: LogisticRegression(), None, x, y, None, METADATA)
    logits = x @ kernel + bias
    np.testing.assert_allclose(1 / (1 + np.exp(-logits[:, :4])), expected, rtol=1e-6)
    assert (logits[:, 4] < -5).all()


@pytest.mark.parametrize(
    ("delimiter", "label_type"), [("|", "string"), (",", "string"), ("list", "string"), ("list", "integer")]
)
def test_predictions_csv_is_read_as_it_was_written(tmp_path, delimiter, label_type):
    tags = ["1", "2", "3", "4", "5"] if label_type == "integer" else ["NA", "b c", 'd"', "é", "1"]
    target = Target(name="y", task="multilabel", classes=tags, tag_delimiter=delimiter, label_type=label_type)
    metadata = Metadata(target=target)
    TASK.test_frame(None, Y, Y_PROB, metadata).to_csv(tmp_path / "predictions.csv", index=False)
    y_true, y_prob = TASK.read_test_frame(tmp_path / "predictions.csv", metadata)
    np.testing.assert_array_equal(y_true, Y)
    np.testing.assert_allclose(y_prob, Y_PROB)
    predicted = TASK.predictions_to_frame(Y_PROB, metadata)["predicted"][1]
    labels = [label for label, is_tag in zip(target.labels, Y_PROB[1] >= 0.5, strict=True) if is_tag]
    assert predicted == (labels if delimiter == "list" else delimiter.join(labels))
