"""Other people's containers: every function gives NumPy's answer for the same values, or refuses by name.

The property runs over containers × functions: each public function of partitions, groups, tasks and selection that
takes labels, ids, masks, times or scores.
"""

import datetime
import decimal
import math

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.columns import (
    as_features,
    as_ids,
    as_indices,
    as_labels,
    as_mask,
    as_numbers,
    as_rows,
    as_scores,
    as_texts,
    as_times,
    count_rows,
)
from trustlab.containers import plain
from trustlab.course.n22_device_selection.fleets import own_tests
from trustlab.fairness.groups import Bootstrap, Groups, Mean, counterfactual_flips, group_aucs, group_means, group_rates
from trustlab.fairness.tasks import GroupedTexts, extrinsic_metrics, occupation_correlation
from trustlab.federated.continual import only
from trustlab.federated.feedback import Users, react
from trustlab.federated.partition import (
    Partition,
    by_period,
    gini,
    label_counts,
    matching,
    partition,
    partition_pair,
    skew,
)
from trustlab.federated.selection import Selector
from trustlab.federated.simulation.fleet import own_indices


def shuffled(values):
    """Return values as a column of pandas whose index is a permutation: place i is not label i."""
    return pd.Series(values, index=np.random.default_rng(1).permutation(len(values)))


def hub(kind):
    def column(values):
        return datasets.Dataset.from_dict({"x": values}).with_format(kind)["x"]

    return column


ANY = {  # for values of every kind
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "dict values": lambda values: dict(enumerate(values)).values(),
    "object array": lambda values: np.array(values, dtype=object),
    "masked array": np.ma.array,
    "pandas": shuffled,
    "pandas object": lambda values: shuffled(values).astype(object),
    "categorical": lambda values: shuffled(values).astype("category"),
    "index": pd.Index,
    "Arrow": pa.array,
    "Arrow chunks": lambda values: pa.chunked_array([values]),
    "Arrow dictionary": lambda values: pa.array(values).dictionary_encode(),
    "pandas Arrow": lambda values: shuffled(values).convert_dtypes(dtype_backend="pyarrow"),
    "pandas nullable": lambda values: shuffled(values).convert_dtypes(),
    **{f"datasets {kind}": hub(kind) for kind in (None, "numpy", "torch", "pandas", "arrow")},
}
NUMBERS = ANY | {
    "tensor": torch.tensor,
    "0-d tensors": lambda values: [torch.tensor(value) for value in values],
    "0-d arrays": lambda values: [np.array(value) for value in values],
    "NumPy scalars": lambda values: list(np.array(values)),
    "sparse": lambda values: shuffled(pd.arrays.SparseArray(values)),
}


def parts(made):
    return [own.tolist() for own in made], made.names


def table(rows):
    return [tuple("nan" if isinstance(v, float) and math.isnan(v) else v for v in row.values()) for row in rows]


def people(n):
    return Groups.by(np.array(["a", "b"])[np.arange(n) % 2])


def resampled(**of):
    drawn = Bootstrap(20, **of)
    n = len(drawn.units if drawn.strata is None else drawn.strata)
    return table(group_rates(np.arange(n) % 2, np.arange(n) % 3 == 0, people(n), bootstrap=drawn))


SCHEMES = (
    ("label-dirichlet-fednlp", {"alpha": 0.1}),
    ("label-dirichlet-flower", {"alpha": 0.1}),
    ("shards", {"shards_per_client": 2}),
    ("pathological", {"classes_per_client": 2}),
    ("iid", {}),
    ("sizes-power-law", {}),
    ("time", {}),
)
# Each takes a way to put integers, 0 … 3, into a container, and the integers.
OF_LABELS = {
    **{
        scheme: lambda put, y, scheme=scheme, options=options: parts(
            partition(put(y), scheme=scheme, clients=3, **options)
        )
        for scheme, options in SCHEMES
        if scheme not in ("iid", "sizes-power-law")
    },
    "natural": lambda put, y: parts(partition(put(y), scheme="natural")),
    **{
        f"pair of {scheme}": lambda put, y, scheme=scheme, options=options: list(
            map(parts, partition_pair(put(y), put(y[::-1]), scheme=scheme, clients=3, **options))
        )
        for scheme, options in SCHEMES
        if scheme != "time"
    },
    "pair of natural": lambda put, y: list(map(parts, partition_pair(put(y), put(y[:5]), scheme="natural"))),
    "matching": lambda put, y: parts(matching(partition(y, scheme="iid", clients=3), put(y), put(y[:7]))),
    "label_counts": lambda put, y: [
        each.tolist() if isinstance(each, np.ndarray) else each
        for each in label_counts(partition(y, scheme="iid", clients=3), put(y))
    ],
    "skew": lambda put, y: skew(partition(y, scheme="shards", clients=3), put(y)),
    "by_period": lambda put, y: {
        period: parts(part) for period, part in by_period(partition(y, scheme="iid", clients=3), put(y)).items()
    },
    "from_owners": lambda put, y: parts(Partition.from_owners(put(y), 4)),
    "own_tests": lambda put, y: [own.tolist() for own in own_tests(partition(y, scheme="natural"), put(y[:9]))],
    "react": lambda put, y: [
        each.tolist() for each in react(put(y), put(y[::-1]), Users(1.0, 0.5, 0.5), np.random.default_rng(0))
    ],
    "Groups.by": lambda put, y: (Groups.by(put(y)).names, Groups.by(put(y)).masks.tolist()),
    "units": lambda put, y: resampled(units=put(y)),
    "strata": lambda put, y: resampled(strata=put(y)),
    "facts": lambda put, y: GroupedTexts(["x"] * len(y), facts={"y": put(y)}).take([2, 0]).facts["y"].tolist(),
    "take": lambda put, y: GroupedTexts(list(map(str, range(len(y))))).take(put(y)).texts,
    "groups at": lambda put, y: people(len(y))[put(y)].masks.tolist(),
    "clients": lambda put, y: [own.tolist() for own in own_indices([put(sorted(set(y))), put([5])], 9)],
    "update": lambda put, y: _updated(put(sorted(set(y))), len(set(y))),
    "occupations": lambda put, y: occupation_correlation(
        np.linspace(0, 1, len(y)) ** 2, put(y), np.array([10.0, 20.0, 70.0, 80.0])[y]
    ),
}
OF_MASKS = {
    "truth": lambda put, m: table(group_rates(put(m), put(m[::-1]), people(len(m)))),
    "auc": lambda put, m: table(group_aucs(put(m), np.arange(len(m)) % 5, people(len(m)))),
    "at_least": lambda put, m: people(len(m)).at_least(1, put(m)).names,
    "among": lambda put, m: table(group_means([Mean("x", np.arange(len(m)), put(m))], people(len(m)))),
    "take": lambda put, m: GroupedTexts(list(map(str, range(len(m))))).take(put(m)).texts,
    "GroupedTexts": lambda put, m: GroupedTexts(["x"] * len(m), put(m)).take([0, 3, 1]).truth.tolist(),
    "only": lambda put, m: parts(only(Partition.from_owners(np.arange(len(m)) % 3, 3), put(m))),
}
OF_SCORES = {
    "flips": lambda put, s: table(counterfactual_flips(put(s), put(s[::-1]), people(len(s)))),
    "means": lambda put, s: table(group_means([Mean("x", put(s), np.arange(len(s)) > 2)], people(len(s)))),
    "metrics": lambda put, s: table(
        extrinsic_metrics(GroupedTexts(["x"] * len(s), np.arange(len(s)) % 2, people(len(s))), put(s))
    ),
    "gini": lambda put, s: gini(put(s)),
    "selector": lambda put, s: Selector(put(s), design="poisson").inclusion(2).tolist(),
    "time": lambda put, s: parts(partition(put(s), scheme="time", clients=3)),
    "preference": lambda put, s: occupation_correlation(put(s), np.arange(len(s)) % 4, np.arange(len(s)) % 4 * 10),
}
OF_TEXTS = {
    **{name: OF_LABELS[name] for name in ("natural", "matching", "label_counts", "by_period", "Groups.by", "units")},
    "shards": OF_LABELS["shards"],
    "GroupedTexts": lambda put, t: GroupedTexts(put(t), counterparts=put(t[::-1])).take([3, 0]).counterparts,
    "as_texts": lambda put, t: as_texts(put(t)),
    "overlapping": lambda put, t: Groups.overlapping(shuffled([[w] for w in t]), put(sorted(set(t)))).masks.tolist(),
}


def _updated(devices, count):
    selector = Selector([1.0] * 9, strategy="power", design="poisson")
    selector.update(devices, np.arange(count) + 2.0)
    return selector.inclusion(1).tolist()


def agrees(functions, containers, name, container, values):
    """Compare one function's answer from one container with its answer from NumPy's array."""
    wanted = functions[name](np.array, values)
    assert repr(functions[name](containers[container], values)) == repr(wanted)


KINDS = {
    "labels": (OF_LABELS, NUMBERS, [*range(4), *range(4), 2, 0, 0, 3], st.integers(0, 3)),
    "masks": (OF_MASKS, NUMBERS, [True, True, False, False, True, True], st.booleans()),
    "scores": (OF_SCORES, NUMBERS, [0.5, 0.25, 1.5, 0.75, 0.5, 3.5], st.sampled_from([0.25, 0.5, 0.75, 3.5])),
    "texts": (OF_TEXTS, ANY, ["hill", "coast", "hill", "coast", "é"], st.sampled_from(["hill", "the valley", "é"])),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, (functions, *_) in KINDS.items() for name in functions]
)
def test_every_container_gives_numpys_answer(kind, name):
    functions, containers, values, _ = KINDS[kind]
    for container in containers:
        agrees(functions, containers, name, container, values)


@settings(max_examples=100)
@given(st.data())
def test_random_values_in_a_random_container_give_any_function_numpys_answer(data):
    functions, containers, first, others = KINDS[data.draw(st.sampled_from(sorted(KINDS)))]
    name, container = data.draw(st.sampled_from(sorted(functions))), data.draw(st.sampled_from(sorted(containers)))
    agrees(functions, containers, name, container, [*first, *data.draw(st.lists(others, max_size=12))])


DAYS = [datetime.datetime(2026, 1, day) for day in (3, 1, 2, 1)]


@pytest.mark.parametrize(
    "times",
    [
        np.array(DAYS, dtype="datetime64[ns]"),
        np.array(DAYS, dtype="datetime64[s]"),
        pd.Series(DAYS, index=[3, 2, 1, 0]),
        pd.DatetimeIndex(DAYS),
        pa.array(DAYS),
        hub("numpy")(DAYS),
        hub(None)(DAYS),
    ],
)
def test_dates_are_dates_in_every_container(times):
    assert parts(partition(times, scheme="time", clients=2))[0] == [[1, 3], [0, 2]]
    assert partition(times, scheme="natural").names == (DAYS[1], DAYS[0], DAYS[2])
    assert list(by_period(partition(DAYS, scheme="iid", clients=2), times)) == sorted(set(DAYS))


def test_values_stay_what_they_are():
    assert as_labels([1, "1"]).tolist() == [1, "1"]  # NumPy would make one text of both
    assert as_labels([2**53 + 1, 0.5]).tolist() == [2**53 + 1, 0.5] and as_labels([2**80]).tolist() == [2**80]
    assert as_labels([(torch.tensor(1), "a"), (1, "a")]).tolist() == [(1, "a")] * 2
    assert as_labels(torch.tensor([1.5], dtype=torch.bfloat16)).tolist() == [1.5]
    assert as_labels(torch.tensor([1.5], requires_grad=True)).tolist() == [1.5]
    assert plain(np.datetime64("2026-01-01T00:00:00.000000001", "ns")) == np.datetime64("2026-01-01T00:00:00.000000001")
    assert as_labels([]).shape == as_scores([]).shape == as_mask([]).shape == as_indices([]).shape == (0,)


NO_COLUMNS = {
    "one text": ("ann", "got one text. It would be read letter by letter"),
    "bytes": (b"ann", "got one text"),
    "mapping": ({"sex": [0], "race": [1]}, "got dict with 'sex', 'race'"),
    "frame": (pd.DataFrame({"sex": [0], "race": [1]}), "got DataFrame with 'sex', 'race'"),
    "data set": (datasets.Dataset.from_dict({"sex": [0]}), "got Dataset with 'sex'"),
    "Arrow table": (pa.table({"sex": [0]}), "got Table with 'sex'"),
    "records": (np.array([(0, 1)], dtype=[("sex", int), ("race", int)]), "got ndarray with 'sex', 'race'"),
    "set": ({"ann", "bob"}, "got a set"),
    "table": (np.zeros((3, 2)), r"got shape \[3, 2\]"),
    "column": (torch.zeros(3, 1), r"got shape \[3, 1\]"),
    "scalar tensor": (torch.tensor(1), r"got shape \[\]"),
    "number": (3, "got int"),
    "nothing": (None, "got NoneType"),
    "lists": ([[1], [2]], "that can be hashed, got list in row 0"),
    "tensors": ([torch.tensor([1])], "that can be hashed, got Tensor in row 0"),
    "objects": ([1, object()], "equal when their content is, got object in row 1"),
}
MISSING = {
    "None": ["ann", None],
    "NaN": [1.0, float("nan")],
    "a decimal NaN": [decimal.Decimal(1), decimal.Decimal("NaN")],
    "pandas NA": pd.Series([1, None], dtype="Int64"),
    "pandas text": pd.Series(["ann", None]),
    "category": pd.Series(["ann", None], dtype="category"),
    "NaT": pd.to_datetime(pd.Series(["2026-01-01", None])),
    "NumPy NaT": np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
    "masked": np.ma.array([1, 2], mask=[False, True]),
    "masked dates": np.ma.array(np.array(["2026", "2027"], dtype="datetime64[ns]"), mask=[False, True]),
    "masked elements": list(np.ma.array([1, 2], mask=[False, True])),
    "Arrow null": pa.array(["ann", None]),
    "tensor": torch.tensor([1.0, float("nan")]),
    "datasets": hub("torch")(["ann", None]),
}
READERS = {
    "natural": lambda values: partition(values, scheme="natural"),
    "shards": lambda values: partition(values, scheme="shards", clients=1),
    "time": lambda values: partition(values, scheme="time", clients=1),
    "matching": lambda values: matching(Partition.from_owners([0, 0], 1), ["a", "b"], values),
    "Groups.by": Groups.by,
    "by_period": lambda values: by_period(Partition.from_owners([0, 0], 1), values),
    "units": lambda values: Bootstrap(units=values),
    "strata": lambda values: Bootstrap(strata=values) if values is not None else as_ids(None, "stratum"),
    "as_texts": as_texts,
    "as_scores": lambda values: as_scores(values),
    "as_times": as_times,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", NO_COLUMNS)
def test_what_is_no_column_is_refused_by_name(reader, case):
    values, message = NO_COLUMNS[case]
    if reader == "units" and case == "nothing":
        return  # None stands for no units
    with pytest.raises(ValueError, match="Expected" if reader == "as_scores" else message):
        READERS[reader](values)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", MISSING)
def test_missing_values_are_refused_with_their_row(reader, case):
    with pytest.raises(ValueError, match=r"row 1|got 'ann' in row 0|numbers, got datetime64|got Timestamp"):
        READERS[reader](MISSING[case])


@pytest.mark.parametrize("reader", ["natural", "Groups.by", "units", "as_times"])
@pytest.mark.parametrize(
    "made",
    [
        lambda: np.asarray(["ann", float("nan")]),
        lambda: np.array(["ann", "NaT"]),
        lambda: np.array(["ann", "<NA>"]),
    ],
    ids=["numpy", "date", "pandas"],
)
def test_a_missing_name_that_became_a_text_is_refused_with_its_row(reader, made):
    """NumPy makes 'nan' of a missing name next to texts, which was a person or a group of its own."""
    with pytest.raises(ValueError, match=r"the text '(nan|NaT|<NA>)' (in|\(first:) row 1"):
        READERS[reader](made())


@pytest.mark.parametrize("scheme", ["iid", "sizes-linear", "quantity-dirichlet"])
def test_schemes_that_only_count_count_rows_of_tables_and_nothing_else(scheme):
    options = dict(scheme=scheme, clients=2)
    for values in (
        np.zeros((6, 2)),
        pd.DataFrame({"a": range(6)}),
        datasets.Dataset.from_dict({"a": range(6)}),
        range(6),
    ):
        assert partition(values, **options).sizes.sum() == count_rows(values) == 6
    for values in ("abcdef", {"a": [1], "b": [2]}, {1, 2}, 6, torch.tensor(6)):
        with pytest.raises(ValueError, match="Expected"):
            partition(values, **options)


def test_features_of_every_container_are_numpys():
    rng = np.random.default_rng(0)
    array = np.concatenate([rng.normal(centre, 0.1, (20, 2)) for centre in (0, 5)])
    frame = pd.DataFrame(array, index=rng.permutation(40))
    options = dict(scheme="feature-clusters", clients=3, clusters=2)
    wanted = parts(partition(array, **options))
    for values in (
        array.tolist(), torch.tensor(array), list(torch.tensor(array)), list(array), frame, frame.astype("Float64"),
        hub("torch")(array.tolist()), hub(None)(array.tolist()), torch.tensor(array, requires_grad=True),
    ):  # fmt: skip
        assert parts(partition(values, **options)) == wanted
    for bad in ([[1, 2], [3]], "ab", [["a", "b"]], [1, 2], [[1.0, float("nan")]], {"a": [1]}):
        with pytest.raises(ValueError, match="Expected"):
            as_features(bad)


def test_masks_indices_and_rows_are_told_apart():
    for bad in ([0, 1, 1], ["a"], [0.0, 1.0], pd.Series([True, None], dtype="boolean")):
        with pytest.raises(ValueError, match="Expected a mask"):
            as_mask(bad)
    with pytest.raises(ValueError, match="mask for each of 3 rows, got 2"):
        as_mask([True, False], 3)
    for bad, message in (
        ([True, False], r"got a mask.*np\.flatnonzero"),
        ([0.0, 1.0], "whole number, got 0.0"),
        (["0"], "whole number, got '0'"),
        ([0, -1], ">= 0 and < 3, got -1"),
        ([0, 3], ">= 0 and < 3, got 3"),
        ([0, 1, 1], r"once, got 3 with 2 different ones.*from_owners"),
        (np.array([2**63], dtype=np.uint64), "< 3, got 9223372036854775808"),
    ):
        with pytest.raises(ValueError, match=message):
            as_indices(bad, 3)
    with pytest.raises(ValueError, match="12 zeros and ones"):
        as_rows([0, 1] * 6, 12)
    assert as_rows(slice(-2, None), 4).tolist() == [2, 3] and as_rows([0, 1], 2).tolist() == [0, 1]


def test_scores_are_finite_numbers_in_range():
    for bad, message in (
        ([0.5, math.inf], "a finite score in each of 2 rows, got inf in row 1"),
        ([0.5, None], "got nan in row 1"),
        (["0.5"], "every score to be a number, got '0.5' in row 0"),
        (np.array(["0.5"]), "numbers, got <U3"),
        ([0.5, 1.5], r"in \[0, 1\], got 1.5 in row 1"),
        ([[0.5]], "to be a number"),
        (torch.zeros(2, 1), r"got shape \[2, 1\]"),
        ([1j], "got 1j in row 0"),
    ):
        with pytest.raises(ValueError, match=message):
            as_scores(bad, low=0, high=1)
    with pytest.raises(ValueError, match="for each of 3 rows, got 1"):
        as_scores([1], rows=3)
    assert as_scores([True, 2, decimal.Decimal("0.5")]).tolist() == [1.0, 2.0, 0.5]
    assert as_numbers([1, None]).tolist()[0] == 1 and np.isnan(as_numbers([1, None])[1])


def test_times_sort_as_they_follow():
    with pytest.raises(ValueError, match="texts of unequal length"):
        as_times(["9", "10"])
    with pytest.raises(ValueError, match="of one kind that can be sorted, got complex"):
        as_times([1j, 2j])
    days = pd.Categorical(["mon", "tue"], categories=["tue", "mon"], ordered=True)
    with pytest.raises(ValueError, match="in another order"):
        as_times(pd.Series(days))
    with pytest.raises(ValueError, match="sorted, got datetime, int"):
        as_times([datetime.datetime(2026, 1, 1), 3])
