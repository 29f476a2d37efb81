"""The committed fleets of senders: tuned alike, none above its promise, and what claims and pictures say of them."""

import math

import numpy as np
import pytest
from scipy import stats

from trustlab.course.n12_membership_inference import SENDERS, SENDERS_TUNING, senders_pictures
from trustlab.course.n12_membership_inference import senders_search as search
from trustlab.course.n12_membership_inference.attacked import FPRS, MEASURES
from trustlab.course.n12_membership_inference.senders_attacked import ATTACKS, OTHER, OWN, column, group_names
from trustlab.course.n12_membership_inference.senders_claims import claims_of_senders, points_over, promised, removed
from trustlab.course.n12_membership_inference.senders_experiment import BASELINES
from trustlab.course.n12_membership_inference.senders_fleets import CORPORA, METHODS, OPTIONS
from trustlab.course.tuning import at_the_edge, best, uneven
from trustlab.lab.saved import numbers, select

CORPUS = CORPORA[0]
BY = ("method", "epsilon")


@pytest.fixture(scope="module")
def table():
    return SENDERS.table(CORPUS)


@pytest.fixture(scope="module")
def fleets(table):
    return table[table["method"].isin(METHODS)]


def test_every_method_had_every_combination_at_every_promise_and_none_is_at_an_open_end():
    tried = SENDERS_TUNING.table(CORPUS)
    assert uneven(tried, by=BY, options=OPTIONS) == [] and len(tried) == search.BUDGET * len(search.COMPARED)
    spaces = dict.fromkeys(METHODS, search.SPACE)
    assert at_the_edge(tried, spaces, by=BY, options=OPTIONS) == []


def test_the_fleets_have_the_chosen_rates(fleets):
    for row in best(SENDERS_TUNING.table(CORPUS), by=BY, options=OPTIONS).to_dict("records"):
        runs = select(fleets, method=row["method"], epsilon=row["epsilon"])
        assert runs["seed"].tolist() == [0, 1, 2, 3, 4]
        assert all((runs[name] == row[name]).all() for name in OPTIONS)


def test_no_person_lost_more_than_the_promise(table):
    held = promised(table)
    assert (held["epsilon_spent"] <= held["epsilon"]).all() and (held["epsilon_spent"] > 0.97 * held["epsilon"]).all()


def test_nothing_is_significantly_above_the_promise(table):
    held = promised(table)
    assert all((held[f"{kind}_epsilon_shown"] <= held["epsilon_spent"]).all() for kind in ATTACKS)
    assert (held["points_above"] == 0).all()
    means, above, clearly = points_over(table)
    assert means == 2 * sum(map(len, ATTACKS.values())) * len(FPRS) and clearly == 0 and above < 0.1 * means


def test_the_test_has_teeth_fedavg_is_above_what_a_small_promise_permits(table, fleets):
    allowed = numbers(select(promised(table), epsilon=2.0)["permitted"])[0]
    found = numbers(select(fleets, method="fedavg")[column(OWN, "lira-offline")])[:, 2:]
    assert (found[:, : len(FPRS) - 2] > allowed[:-2]).all()
    assert (select(fleets, method="fedavg")["own_epsilon_shown"] > 2).all()


def test_the_headlines_are_the_curves_and_in_their_intervals_over_people(fleets):
    for kind, names in ATTACKS.items():
        curves = numbers(fleets[column(kind, names[-1])])
        for place, (name, measure) in enumerate(
            (("auc", "auc"), ("tpr_001", "tpr at fpr 0.001"), ("tpr_01", "tpr at fpr 0.01"))
        ):
            np.testing.assert_allclose(fleets[f"{kind}_{name}"], curves[:, MEASURES.index(measure)], atol=6e-5)
            low, high = (numbers(fleets[f"{kind}_{end}"])[:, place] for end in ("low", "high"))
            assert (low <= fleets[f"{kind}_{name}"] + 1e-4).all() and (fleets[f"{kind}_{name}"] <= high + 1e-4).all()


def test_baselines_know_how_hard_the_task_is(table, fleets):
    plain = table[table["method"].isin(BASELINES)].set_index("method")["accuracy"]
    assert len(plain) == len(BASELINES) and plain["majority"] < plain["tf-idf"]
    # A fleet below the majority learned nothing: an attack on it would say nothing of its promise.
    assert (fleets["accuracy"] > plain["majority"]).all()


def test_claims_are_read_off_the_table(table, fleets):
    rows = claims_of_senders()
    at = fleets.set_index(["method", "epsilon", "seed"])
    plain = [at.loc[("fedavg", math.inf, seed)] for seed in range(5)]
    assert rows[0]["values"] == pytest.approx([row["other_auc"] for row in plain])
    ends = [[float(text) for text in row["other_auc_by_posts"].split("|")] for row in plain]
    assert rows[1]["values"] == pytest.approx([each[-1] - each[0] for each in ends])
    left = [at.loc[("dp-fedavg", 8.0, s), "own_tpr_01"] - 0.01 for s in range(5)]
    share = [1 - each / (row["own_tpr_01"] - 0.01) for each, row in zip(left, plain, strict=True)]
    assert rows[3]["values"] == pytest.approx(share) and removed(table, OWN, 8.0).tolist() == pytest.approx(share)
    assert all(str(int(table["people"].iloc[0])) in row["setup"] for row in rows)
    assert len(rows) == 7  # "The last seven"


def test_pictures_say_what_the_table_says(fleets):
    drawn = senders_pictures.who_takes_part()
    verdict = drawn.verdict.replace("\u00a0", " ")
    plain = select(fleets, method="fedavg")
    assert f"{100 * plain['other_tpr_01'].mean():.1f} % by posts that no fleet has seen" in verdict
    assert f"{100 * plain['own_tpr_01'].mean():.0f} % of the people" in verdict
    assert len(drawn.rows) == 2 * len(search.COMPARED)
    half = stats.t.ppf(0.975, 4) * plain["own_tpr_01"].std() / math.sqrt(5)
    assert drawn.rows[0]["high"] - drawn.rows[0]["people found"] == pytest.approx(half)
    posts = senders_pictures.by_number_of_posts()
    assert len(posts.rows) == 2 * len(group_names())
    few = numbers(plain["own_auc_by_posts"])[:, 0].mean()
    assert f"the AUC is {few:.2f} of people with {group_names()[0]}" in posts.verdict
    assert {row["attacker has"] for row in posts.rows} == set(senders_pictures.SHOWN.values())
    assert OTHER in ATTACKS
