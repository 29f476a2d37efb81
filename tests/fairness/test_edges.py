"""Where other people's groups, masks and texts enter: what gave a wrong answer without a word, and the right one."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from trustlab.fairness.association import fill
from trustlab.fairness.contexts import ContextEncoder, occurrences
from trustlab.fairness.generated_texts import (
    equity_ratios,
    generation_metrics,
    projection_scores,
    unigram_polarity,
)
from trustlab.fairness.groups import (
    Bootstrap,
    Groups,
    Mean,
    counterfactual_flips,
    group_means,
    group_rates,
)
from trustlab.fairness.scorers import fit_scorer
from trustlab.fairness.tasks import GroupedTexts, extrinsic_metrics, load_task, occupation_correlation
from trustlab.fairness.tasks.dialect import DialectModel

AB = Groups.by(["a", "b"])


def value(rows, metric, group=None):
    (found,) = [row["value"] for row in rows if row["metric"] == metric and group in (None, row["group"])]
    return found


# Groups


@pytest.mark.parametrize("empty", ["", " ", None, float("nan"), pd.NA])
def test_an_empty_name_is_no_group_and_moves_no_gap(empty):
    """Of "".split(",") comes an empty name; as a group of its own it moved the gap from 0 to 0.5."""
    truth, said = [1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0]
    members = [["a"], ["a"], ["b"], ["b"], [], []]
    groups = Groups.overlapping(members)
    assert groups.names == ("a", "b")
    assert value(group_rates(truth, said, groups), "true_positive_rate_difference") == 0
    with pytest.raises(ValueError, match=r"names of groups in row 4, got an empty or a missing one.*write \[\]"):
        Groups.overlapping([*members[:4], [empty], []])
    with pytest.raises(ValueError, match="in names, got an empty"):
        Groups.overlapping(members, ["a", empty])
    with pytest.raises(ValueError, match="group for each of 2 rows, 1 have none"):
        Groups.by(["a", empty])


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"sex": ["f", "m", "f"], "race": ["x", "y", "y"]}),
        {"sex": ["f", "m", "f"], "race": ["x", "y", "y"]},
    ],
)
def test_the_names_of_a_tables_columns_are_no_groups(table):
    for make in (Groups.by, Groups.overlapping):
        with pytest.raises(ValueError, match=r"got (DataFrame|dict) with 'sex', 'race'.*take one column"):
            make(table)
    assert Groups.by(table["sex"]).sizes.tolist() == [2, 1]


def test_a_row_lists_names_and_nothing_else():
    for row in ({"women": False}, 3, None, float("nan"), "women", b"women"):
        with pytest.raises(ValueError, match=r"list of groups for row 1"):
            Groups.overlapping([["women"], row])
    for row in (("women",), {"women"}, np.array(["women"]), pd.Series(["women"], index=[5])):
        assert Groups.overlapping([row, []]).masks.tolist() == [[True], [False]]


def test_what_cannot_name_groups_is_refused():
    for labels, message in (
        ([1, "1", 2], "3 values with 2 different texts"),
        ([frozenset({"a"}), frozenset()], "Use Groups.overlapping"),
        ([20.5, 31.25, 44.5], "look like measurements"),
        ("hill", "one text"),
    ):
        with pytest.raises(ValueError, match=message):
            Groups.by(labels)
    assert Groups.by([0.0, 1.0]).names == ("0.0", "1.0") and Groups.by([True, False]).names == ("False", "True")


def test_tensors_are_groups_by_value():
    wanted = Groups.by(np.array([0, 1, 1]))
    for labels in (torch.tensor([0, 1, 1]), list(torch.tensor([0, 1, 1]))):
        assert Groups.by(labels).names == ("0", "1") == wanted.names
        assert np.array_equal(Groups.by(labels).masks, wanted.masks)


def test_masks_of_a_frame_keep_their_names():
    masks = np.array([[True, False], [True, True]])
    frame = pd.DataFrame(masks, columns=["a", "b"], index=[1, 0])
    for given in (frame, frame.astype("boolean"), torch.tensor(masks), masks.tolist(), pd.DataFrame(masks)):
        assert np.array_equal(Groups(("a", "b"), given).masks, masks)
    with pytest.raises(ValueError, match=r"columns \['b', 'a'\] in this order, got \['a', 'b'\]"):
        Groups(("b", "a"), frame)
    with pytest.raises(ValueError, match="mask of a"):
        Groups(("a", "b"), frame.astype("boolean").mask(masks))
    with pytest.raises(ValueError, match="one text"):
        Groups("ab", masks)


def test_zeros_and_ones_are_no_mask():
    groups = Groups.by(["a", "b", "a"])
    assert groups.at_least(1, [True, False, False]).names == ("a",)
    for rows in ([1, 0, 0], [2], [0.0, 1.0, 1.0], [True]):
        with pytest.raises(ValueError, match="mask"):
            groups.at_least(1, rows)
    for rows in ([1, 0, 0], np.array([0, 1, 1])):
        with pytest.raises(ValueError, match="mask of x of True and False"):
            group_means([Mean("x", np.ones(3), rows)], groups)
    for rows in ([0.0, 1.0], [-1], [3], [True]):
        with pytest.raises(ValueError, match="row"):
            groups[rows]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_scores_that_are_none_flip_nothing(bad):
    for scores in (([0.9, bad], [0.1, 0.2]), ([0.9, 0.1], [bad, 0.2])):
        with pytest.raises(ValueError, match="finite"):
            counterfactual_flips(*scores, AB)
    with pytest.raises(ValueError, match="threshold=nan"):
        counterfactual_flips([0.9, 0.1], [0.2, 0.1], AB, threshold=float("nan"))
    texts = GroupedTexts(("x", "y"), [1, 0], AB, ("y", "x"))
    for options in (dict(scores=[bad, 1.0]), dict(scores=[0.0, 1.0], swapped=[bad, 0.0])):
        with pytest.raises(ValueError, match="finite"):
            extrinsic_metrics(texts, **options)
    with pytest.raises(ValueError, match="threshold=nan"):
        extrinsic_metrics(texts, [0.0, 1.0], threshold=float("nan"))


def test_rows_without_a_unit_are_not_one_unit():
    for units in ([1.0, float("nan"), float("nan")], ["ann", None, None], ["ann", "", ""], "abc"):
        for name in ("units", "strata"):
            with pytest.raises(ValueError, match=r"have none|one text"):
                Bootstrap(**{name: units})


def test_masked_answers_are_missing():
    for masked in (np.ma.array([True, False], mask=[False, True]), np.ma.array([1, 0], mask=[False, True])):
        with pytest.raises(ValueError, match=re.escape("1 has no label (first: row 1)")):
            group_rates(masked, [1, 0], AB)


# Texts


def test_a_shuffled_column_takes_its_own_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"text": [f"t{i}" for i in range(60)], "truth": rng.random(60) < 0.5, "unit": np.arange(60) // 2}
    )
    frame["who"] = np.where(frame["truth"], "a", "b")
    mixed = frame.sample(frac=1, random_state=1)
    texts = GroupedTexts(
        mixed["text"], mixed["truth"], Groups.by(mixed["who"]), mixed["text"], mixed["unit"], {"who": mixed["who"]}
    )
    rows = rng.permutation(60)[:20]
    for chosen in (rows, torch.tensor(rows), pd.Series(rows, index=rows[::-1])):
        part = texts.take(chosen)
        wanted = mixed.iloc[rows]
        assert part.texts == part.counterparts == tuple(wanted["text"])
        assert part.truth.tolist() == wanted["truth"].tolist() and part.units.tolist() == wanted["unit"].tolist()
        assert part.facts["who"].tolist() == wanted["who"].tolist()
        assert part.groups.masks[:, 0].tolist() == (wanted["who"] == "a").tolist()
    assert texts.take(mixed["truth"]).truth.all()  # a mask goes by place as well
    assert len(texts.take([])) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (dict(texts="ab"), "one text"),
        (dict(texts=("a", "b"), counterparts="ba"), "one text"),
        (dict(texts=("a", None)), "text for each of 2 rows, 1 have none"),
        (dict(texts=("a", 3)), "got int 3 in row 1"),
        (dict(texts=("a", "b"), truth=[1, None]), "has no label"),
        (dict(texts=("a", "b"), truth=[0.3, 1]), "truth of 0 or 1"),
        (dict(texts=("a", "b"), groups=["x", "y"]), "Groups.by"),
        (dict(texts=("a", "b"), units=["u", None]), "unit for each of 2 rows"),
        (dict(texts=("a", "b"), facts={"x": "ab"}), "one text"),
        (dict(texts=("a", "b"), facts={"x": [1]}), "x for each of 2 texts, got 1"),
    ],
)
def test_grouped_texts_refuse_what_they_would_misread(columns, message):
    with pytest.raises(ValueError, match=message):
        GroupedTexts(**columns)


VECTORS = {"she": [1.0, 0.0], "he": [-1.0, 0.0]}
ONE_TEXT = {
    "unigram_polarity": lambda text: unigram_polarity(text),
    "projection_scores": lambda text: projection_scores(text, VECTORS),
    "generation_metrics": lambda text: generation_metrics(text, Groups.by(["a"] * len(text))),
    "embed_texts": lambda text: ContextEncoder().embed_texts(text),
    "posterior": lambda text: DialectModel(["a", "b"], np.ones((2, 2))).posterior(text),
    "DialectModel": lambda text: DialectModel(text, np.ones((len(text), 2))),
    "words": lambda text: occurrences(text, ["A rose."]),
    "fill": lambda text: fill(text, "plain"),
    "sentences": lambda text: occurrences(["rose"], text),
    "GroupedTexts": lambda text: GroupedTexts(text),
    "Groups.by": lambda text: Groups.by(text),
    "Groups.overlapping": lambda text: Groups.overlapping(text),
    "correlation": lambda text: occupation_correlation(range(len(text)), text, range(len(text))),
}


@pytest.mark.parametrize("name", ONE_TEXT)
def test_one_text_is_not_read_letter_by_letter(name):
    with pytest.raises(ValueError, match="one text"):
        ONE_TEXT[name]("she sang")


def test_a_scorer_does_not_rate_letters():
    task = load_task("assistant", utterances=300)
    scorer = fit_scorer("banking", "assistant", task.train, task.test, bootstrap=Bootstrap(10))
    with pytest.raises(ValueError, match="one text"):
        scorer.score("pay my bill")
    texts = ["pay my bill", "play a song"]
    for put in (tuple, np.array, lambda t: pd.Series(t, index=[1, 0])):
        assert scorer.score(put(texts)).tolist() == scorer.score(texts).tolist()


def test_one_text_is_no_list_of_words():
    """In "she her" stands "e", as it does in a text."""
    for options in (dict(female="she her"), dict(male="he him")):
        with pytest.raises(ValueError, match=r"list of words for (female|male), got the text .* Write \['"):
            unigram_polarity(["e"], **options)
    for options in (dict(pair="ab"), dict(gendered="she")):
        with pytest.raises(ValueError, match=r"list of words for (pair|gendered)"):
            projection_scores(["x"], {"a": [1.0], "b": [0.0], **VECTORS}, **options)


def test_a_sentence_that_is_none_is_refused_with_its_row():
    with pytest.raises(ValueError, match="sentence in each row, got float in row 1"):
        occurrences(["rose"], pd.Series(["A rose.", None]))
    assert len(occurrences({"rose", "bee"}, pd.Series(["A rose.", "A bee."], index=[1, 0]))["rose"]) == 1


def test_a_polarity_that_is_none_is_refused():
    for polarity in ([1.0, float("nan")], [1, None], [2, 0], ["1", "0"]):
        with pytest.raises(ValueError, match="polarity"):
            equity_ratios(polarity, AB)


def test_an_occupation_has_one_share_of_women():
    with pytest.raises(ValueError, match=r"one percentage of women .* got 10 and, in row 3, 40 for 'a'"):
        occupation_correlation([0.1, 0.2, 0.3, 0.4], ["a", "b", "c", "a"], [10, 20, 30, 40])
