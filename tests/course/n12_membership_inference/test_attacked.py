"""Every model a target: no reference is its counterpart, and coins alone tell an attacker nothing."""

import math

import numpy as np
import pytest

from trustlab.course.n12_membership_inference.attacked import (
    ATTACKS,
    FPRS,
    MEASURES,
    REFERENCES,
    column,
    combinations,
    epsilon_shown,
    measured,
    points_above,
    pooled_scores,
    references_of,
)
from trustlab.course.n12_membership_inference.stacked_training import MODELS, SIZES
from trustlab.lab.saved import numbers
from trustlab.privacy.membership import Permitted, halves

EXAMPLES = 400


def losses(shift, seed=0, models=MODELS):
    """Losses by models that know nothing, or that have members' losses lowered."""
    inside = halves(EXAMPLES, models, seed=seed)
    rng = np.random.default_rng(seed + 1)
    return np.exp(rng.normal(size=inside.shape) - shift * inside), inside, np.exp(rng.normal(size=(1000, models)))


@pytest.mark.parametrize("count", REFERENCES)
def test_references_are_whole_pairs_without_the_targets_own(count):
    for target in range(MODELS):
        found = references_of(target, MODELS, count)
        assert len(set(found)) == count and target // 2 not in set(found // 2)
        assert all(2 * pair in found and 2 * pair + 1 in found for pair in found // 2)
    for wrong in (3, MODELS):
        with pytest.raises(ValueError, match="Pairs stay whole"):
            references_of(0, MODELS, wrong)


@pytest.mark.parametrize("name", ATTACKS)
def test_where_nothing_leaks_an_attack_finds_nothing(name):
    given, inside, others = losses(0.0)
    scores = pooled_scores(name, 30, given, inside, others)
    (found,) = numbers([measured(scores, inside)[""]])
    values = dict(zip(MEASURES, found, strict=True))
    assert abs(values["auc"] - 0.5) < 0.02
    assert abs(values["tpr at fpr 0.01"] - 0.01) < 0.006
    assert epsilon_shown(scores, inside) == 0
    assert points_above(scores, inside, Permitted(((0.01, 1e-5),))) == 0


def test_a_counterpart_among_the_references_would_tell_who_is_a_member():
    """With it, members have one OUT model more: per-example counts alone separate the two, though nothing leaked."""
    _, inside, _ = losses(0.0)
    with_it = [k for k in range(MODELS) if k != 0]
    counts = inside[:, with_it].sum(1)
    assert set(counts[inside[:, 0]]) == {15} and set(counts[~inside[:, 0]]) == {16}
    assert set(inside[:, references_of(0, MODELS, 30)].sum(1)) == {15}


def test_what_leaks_is_found_and_proves_an_epsilon_that_a_smaller_promise_does_not_permit():
    given, inside, others = losses(2.5)
    scores = pooled_scores("lira-online", 30, given, inside, others)
    shown = epsilon_shown(scores, inside)
    assert shown > 0.5
    assert points_above(scores, inside, Permitted(((shown / 2, 1e-5),))) > 0
    assert points_above(scores, inside, Permitted(((math.inf, 0.0),))) == 0


def test_each_measure_is_where_its_name_says():
    members = np.arange(4000) < 2000
    scores = np.where(members, np.arange(4000) % 2000 + 0.5, np.arange(4000) % 2000)
    texts = measured(scores[:, None], members[:, None], intervals=True)
    (found,) = numbers([texts[""]])
    assert dict(zip(MEASURES, found, strict=True))["tpr at fpr 0.5"] == pytest.approx(0.5, abs=2e-3)
    assert len(FPRS) + 2 == len(MEASURES) == len(found)
    low, high = (numbers([texts[end]])[0] for end in ("_low", "_high"))
    own, ends = [0, 2, 5], [0, 2, 3]  # the advantage's interval is shifted upwards
    assert (low[ends] <= found[own]).all() and (found[own] <= high[ends]).all() and low[1] < high[1]


def test_every_combination_has_a_column_and_the_smallest_fpr_can_be_measured():
    names = [column(*each) for each in combinations()]
    assert len(set(names)) == len(names) == 1 + 3 * len(REFERENCES)
    assert SIZES[0] * MODELS * FPRS[0] >= 1  # one non-member in a thousand is at least one
