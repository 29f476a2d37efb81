"""The committed trainings: tuned alike, none above what ε permits, and what the claims say of them."""

import math

import numpy as np
import pytest

from trustlab.course.n12_membership_inference import EXPERIMENT, TUNING
from trustlab.course.n12_membership_inference import membership_search as search
from trustlab.course.n12_membership_inference.attacked import ATTACKS, FPRS, REFERENCES, column
from trustlab.course.n12_membership_inference.claims import claims_of, points_over, removed
from trustlab.course.n12_membership_inference.experiment import BASELINES, SIZES_OF, TRAINED_SIZES
from trustlab.course.n12_membership_inference.results import private, trained
from trustlab.course.n12_membership_inference.stacked_training import METHODS, OPTIONS
from trustlab.course.tuning import at_the_edge, best, uneven
from trustlab.lab.saved import numbers

BY = ("method", "epsilon")


@pytest.fixture(scope="module", params=EXPERIMENT.corpora())
def table(request):
    return EXPERIMENT.table(request.param)


def test_every_method_had_the_same_trials_at_every_epsilon_and_none_is_at_an_open_end():
    tried = TUNING.table()
    assert uneven(tried, by=BY, options=OPTIONS) == []
    assert at_the_edge(tried, search.SPACES, by=BY, options=OPTIONS) == []
    assert len(tried) == search.BUDGET * sum(map(len, search.EPSILONS.values()))


def test_the_trainings_are_at_the_chosen_options(table):
    chosen = best(TUNING.table(), by=BY, options=OPTIONS)
    for row in chosen.to_dict("records"):
        runs = trained(table)
        runs = runs[(runs["method"] == row["method"]) & (runs["epsilon"] == row["epsilon"])]
        assert len(runs) == 5 * len(SIZES_OF[row["method"]])
        assert all((runs[name] == row[name]).all() for name in OPTIONS)


def test_no_training_spent_more_than_its_epsilon(table):
    held = private(table)
    assert (held["epsilon_spent"] <= held["epsilon"]).all() and (held["epsilon_spent"] > 0.97 * held["epsilon"]).all()


def test_no_measured_point_is_significantly_above_what_is_permitted(table):
    """Neither by a bound that assumes nothing of how examples act together, nor by one that takes them as independent.

    The first: 32 models each prove an ε by their surest guesses (Steinke et al. 2023), corrected for 32 and for the
    numbers of guesses; with 95 % confidence a stack, so of 90 stacks some could be above by chance, and none is. The
    second: Clopper–Pearson at twelve ranks, at 99.9 % together. And of the means over five pools none is above
    by Student's bound, corrected for all; a few are by chance, where little more than guessing is permitted.
    """
    held = private(table)
    assert (held["epsilon_shown"] <= held["epsilon_spent"]).all()
    assert (held["points_above"] == 0).all()
    means, above, clearly = points_over(table)
    assert means == len(held) // 5 * len(ATTACKS) * len(FPRS) and clearly == 0 and above < 0.05 * means


def test_the_test_has_teeth_plain_sgd_is_far_above_what_a_small_epsilon_permits(table):
    plain = table[(table["method"] == "sgd") & (table["size"] == TRAINED_SIZES[0])]
    promised = private(table)
    promised = promised[(promised["epsilon"] == 0.5) & (promised["method"] == "dp-sgd")]
    allowed = numbers(promised["permitted"])[0]
    found = numbers(plain[column("lira-online", REFERENCES[-1])])[:, 2:]
    assert (found[:, : len(FPRS) - 1] > allowed[:-1]).all()
    assert (plain["epsilon_shown"] > 0.5).all()


def test_more_is_permitted_by_a_larger_epsilon(table):
    held = private(table)
    for _, runs in held[held["seed"] == 0].groupby(["method", "size"]):
        curves = numbers(runs.sort_values("epsilon")["permitted"])
        assert (np.diff(curves, axis=0) >= 0).all()


def test_intervals_hold_the_aucs_and_their_resamples(table):
    for attack in ATTACKS:
        name = column(attack, REFERENCES[-1])
        values, low, high = (numbers(trained(table)[f"{name}{end}"]) for end in ("", "_low", "_high"))
        assert (low[:, 0] <= values[:, 0]).all() and (values[:, 0] <= high[:, 0]).all()


def test_baselines_are_there_once_a_size(table):
    rows = table[table["method"].isin(BASELINES)]
    assert len(rows) == len(BASELINES) * len(TRAINED_SIZES) and rows["auc"].isna().all()


def test_claims_are_read_off_the_table(table):
    rows = claims_of(table["corpus"].iloc[0])
    falls, large = rows[0]["values"], rows[1]["values"]
    at = trained(table).set_index(["method", "epsilon", "size", "seed"])["auc"]
    size = TRAINED_SIZES[-1]
    assert falls == pytest.approx([at["dp-sgd", 16.0, size, s] - at["dp-sgd", 0.5, size, s] for s in range(5)])
    tpr = trained(table).set_index(["method", "epsilon", "size", "seed"])["tpr_01"]
    left = [(tpr["dp-sgd", 16.0, size, s] - 0.01) / (tpr["sgd", math.inf, size, s] - 0.01) for s in range(5)]
    assert large == pytest.approx([1 - each for each in left])
    assert removed(table, "sgd", math.inf).tolist() == [0] * 5
    assert set(METHODS) >= {"dp-sgd", "edp-sgd"}
