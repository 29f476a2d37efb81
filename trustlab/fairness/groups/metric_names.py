"""Names of metrics in results: fairlearn's where it has them, and in its spelling where it has none.

A rate is ``true_positive_rate``; between groups there are ``true_positive_rate_difference`` and
``true_positive_rate_ratio``; for each group ``true_positive_rate_minus_rest``, which fairlearn lacks. Version 0.1
called these "tpr", "tpr gap", "tpr ratio" and "tpr minus rest": a name still equals such a text until version 0.3.
"""

from __future__ import annotations

from trustlab.deprecation import warn_of_old_value

_OLD = {
    "accuracy_score": "accuracy",
    "selection_rate": "selection",
    "demographic_parity": "selection",
    "true_positive_rate": "tpr",
    "false_positive_rate": "fpr",
    "equalized_odds": "equalized odds",
    "subgroup_auc": "subgroup auc",
    "bpsn_auc": "bpsn auc",
    "bnsp_auc": "bnsp auc",
    "flip_rate": "flip rate",
    "score_change": "score change",
    "absolute_score_change": "absolute score change",
    "correlation_with_statistics": "correlation with statistics",
}
_OLD_ENDINGS = {"_minus_rest": " minus rest", "_difference": " gap", "_ratio": " ratio", "_mean": " mean",
                "_minimum": " minimum"}  # fmt: skip


class MetricName(str):
    """The name of a metric in a row of results, which also equals the text of version 0.1, with a warning.

    Examples
    --------
    >>> name = MetricName("true_positive_rate_difference")
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     name == "tpr gap", name == "fpr gap"
    (True, False)
    >>> print(caught[0].message)
    The metric 'tpr gap' is now 'true_positive_rate_difference'; the old name is removed in version 0.3.
    """

    __slots__ = ()
    __hash__ = str.__hash__  # that of the name: a dictionary finds new names only

    def __eq__(self, other: object) -> bool:
        return self._is(other)

    def __ne__(self, other: object) -> bool:
        return not self._is(other)

    def _is(self, other: object) -> bool:
        if str.__eq__(self, other) is True:
            return True
        if not isinstance(other, str) or isinstance(other, MetricName) or old_name(self) != other:
            return False
        warn_of_old_value(f"The metric {other!r}", repr(str(self)), depth=2)  # of who compares
        return True


def old_name(name: str) -> str:
    """Return what version 0.1 called a metric.

    Examples
    --------
    >>> old_name("demographic_parity_difference"), old_name("bpsn_auc_mean"), old_name("auc")
    ('selection gap', 'bpsn auc mean', 'auc')
    """
    name = str(name)
    for ending, old in _OLD_ENDINGS.items():
        if name.endswith(ending):
            return old_name(name.removesuffix(ending)) + old
    return _OLD.get(name, name)
