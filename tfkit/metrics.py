"""Which way is better: the direction of every metric that a page may monitor."""

UP = """accuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy balanced_accuracy
top_k_categorical_accuracy sparse_top_k_categorical_accuracy precision recall f1 f1_score fbeta_score roc_auc auc
average_precision r2 r2_score io_u mean_io_u binary_io_u one_hot_io_u one_hot_mean_io_u cosine_similarity
pearson_correlation concordance_correlation precision_at_recall recall_at_precision sensitivity_at_specificity
specificity_at_sensitivity coverage""".split()
DOWN = """loss log_loss mse mae mape mean_squared_error root_mean_squared_error mean_absolute_error
median_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error mean_relative_error huber logcosh
kl_divergence poisson hinge squared_hinge categorical_hinge binary_crossentropy categorical_crossentropy
sparse_categorical_crossentropy crossentropy pinball expected_calibration_error error""".split()
DIRECTIONS = {**dict.fromkeys(UP, "max"), **dict.fromkeys(DOWN, "min")}


def direction(name: str) -> str | None:
    """Whether a metric should rise ("max") or fall ("min"); None for a name that is not known.

    Of the name, a leading `val_` and what averages over classes (`_macro`, `_weighted`) do not count. Keras and Keras
    Tuner guess, and guess some wrongly.

    Example:
        >>> direction("val_f1"), direction("val_loss"), direction("precision_weighted"), direction("mood")
        ('max', 'min', 'max', None)
    """
    plain = name.removeprefix("val_").removesuffix("_macro").removesuffix("_weighted").removesuffix("_micro")
    return DIRECTIONS.get(plain)
