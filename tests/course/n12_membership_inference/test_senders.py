"""People as senders: who is registered, what a fleet learns of whom, and what two attackers find, on made-up posts."""

import dataclasses
import math
import re

import datasets
import numpy as np
import pytest
import torch

from trustlab.course.n12_membership_inference import (
    senders_attacked,
    senders_experiment,
    senders_fleets,
    senders_search,
)
from trustlab.course.n12_membership_inference.senders import FEWEST, distinct, hashed_words, senders
from trustlab.course.n12_membership_inference.senders_attacked import (
    ATTACKS,
    OTHER,
    OWN,
    POSTS,
    attacked,
    group_names,
    groups,
    headlines,
    over_people,
)
from trustlab.course.n12_membership_inference.senders_experiment import Setting, run
from trustlab.course.n12_membership_inference.senders_fleets import FleetTraining, losses, permitted_by, recipe, trained
from trustlab.lab.saved import numbers
from trustlab.privacy.accounting import epsilon
from trustlab.privacy.membership import Permitted, halves, permitted, success, user_losses

PEOPLE, ONCE = FEWEST + 20, 60


@pytest.fixture(scope="module")
def corpus():
    """Posts of 2, 4, 8 or 16 by each person, of words that their group likes and two of their own; others post once."""
    rng = np.random.default_rng(0)
    rows = {"tokens": [], "group": [], "user": []}
    for person in range(PEOPLE + ONCE):
        group = int(rng.integers(4))
        for _ in range(1 if person >= PEOPLE else int(rng.choice([2, 4, 8, 16]))):
            said = rng.integers(60 * group, 60 * group + 150, size=25)
            rows["tokens"].append([f"w{word}" for word in said] + [f"name{person}"] * 2)
            rows["group"].append(f"g{group}")
            rows["user"].append(f"u{person:03}")
    whole = datasets.Dataset.from_dict(rows)
    middle = len(whole) // 2
    return datasets.DatasetDict(train=whole.select(range(middle)), test=whole.select(range(middle, len(whole))))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(senders_fleets, "ROUNDS", 6)


def test_no_post_has_two_roles(corpus):
    own = senders(corpus)
    given, others = own.halves(0)
    assert len(own.people) == PEOPLE and len(own.searched) + len(own.validation) + len(own.tested) == ONCE
    assert [len(rows) for rows in given] == [len(rows) for rows in others] == [len(rows) // 2 for rows in own.people]
    roles = [np.concatenate(part) for part in (given, others, own.searched)] + [own.validation, own.tested]
    every = np.concatenate(roles)
    assert len(set(every.tolist())) == len(every)
    names = [name for split in corpus.values() for name in split["user"]]
    assert all(len({names[row] for row in (*mine, *held)}) == 1 for mine, held in zip(given, others, strict=True))
    assert not np.array_equal(np.concatenate(own.halves(1)[0]), roles[0])


def test_a_post_that_was_sent_again_or_quotes_itself_is_left_out():
    first = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    posts = [
        first,
        first,
        ["re", *first],
        [*first[:3], "quite", "new", "words", "that", "nobody", "wrote"],
        ["hi"],
        ["hi"],
    ]
    assert distinct(posts, range(6)).tolist() == [0, 3, 4]
    assert distinct(posts, [2, 0]).tolist() == [2]


def test_words_are_roots_of_counts_scaled_to_length_one():
    found = hashed_words([["a", "a", "a", "a", "b"], [], ["b"]])
    assert found.norm(dim=1).tolist() == pytest.approx([1, 1, 1]) and not found[:, 0].any()
    most, least = found[0].sort(descending=True).values[:2].tolist()
    assert most == pytest.approx(2 * least) and found[0].argsort()[-2] == found[2].argmax()


def test_too_few_people_are_refused_before_any_training(corpus):
    few = datasets.DatasetDict(train=corpus["train"].select(range(50)))
    with pytest.raises(ValueError, match=f"Expected at least {FEWEST} people with two distinct posts"):
        senders(few)


def test_who_is_not_in_the_fleet_changes_nothing_and_who_is_changes_something(corpus, short):
    own = senders(corpus)
    given, _ = own.halves(0)
    inside = halves(PEOPLE, 1, seed=0)[:, 0]
    out, member = int(np.flatnonzero(~inside)[0]), int(np.flatnonzero(inside)[0])
    config = dataclasses.replace(recipe(Setting(), PEOPLE), clients_per_round=PEOPLE)  # all are selected
    first, _ = trained(own, given, inside, own.tested, config)

    def with_other_posts(person):
        held = list(given)
        held[person] = own.searched[0]
        return trained(own, held, inside, own.tested, config)[0]

    assert torch.equal(first.weight, with_other_posts(out).weight)
    assert not torch.equal(first.weight, with_other_posts(member).weight)


def test_a_round_selects_the_same_people_whoever_is_in_the_fleet(corpus, short):
    """Otherwise the rate, and with it the promise, would depend on who takes part."""
    own = senders(corpus)
    given, _ = own.halves(0)
    inside = halves(PEOPLE, 2, seed=0)
    rows = [trained(own, given, inside[:, k], own.tested, recipe(Setting(), PEOPLE))[1] for k in range(2)]
    assert rows[0]["clients"] == rows[1]["clients"] and rows[0]["examples"] != rows[1]["examples"]


def test_fedavg_promises_nothing_and_a_promise_of_it_is_refused():
    with pytest.raises(ValueError, match="Expected epsilon=inf with method='fedavg', got 8"):
        recipe(FleetTraining(method="fedavg", epsilon=8.0), 1000)


@pytest.mark.parametrize("promise", [2.0, 8.0])
def test_the_promise_is_to_each_person_and_its_curve_that_of_the_rounds(promise):
    training = FleetTraining(epsilon=promise)
    config = recipe(training, 1000)
    run_of = dict(sample_rate=0.1, delta=config.delta)
    spent = epsilon(noise_multiplier=config.noise_multiplier, steps=config.rounds, **run_of)
    assert 0.97 * promise < spent <= promise and config.aggregation == "equal" and config.clip_norm
    allowed = permitted(((config.noise_multiplier, config.rounds),), sample_rate=0.1)
    assert permitted_by(training, 1000).tpr([0.01]) == allowed.tpr([0.01]) < 1
    assert permitted_by(FleetTraining(method="fedavg", epsilon=math.inf), 1000).tpr([0.01]) == 1


def made_up_people(own_shift, other_shift, seed=0):
    """Losses of 800 people by 16 fleets, lower for members by so much; and how many posts each has."""
    rng = np.random.default_rng(seed)
    posts = rng.choice([1, 2, 5, 9], size=800)
    inside = halves(800, 16, seed=seed)
    shifts = {OWN: own_shift, OTHER: other_shift}
    people = {kind: np.exp(rng.normal(size=inside.shape) - shift * inside) for kind, shift in shifts.items()}
    return people, np.exp(rng.normal(size=(50, 16))), inside, posts


def test_where_nothing_leaks_nobody_is_found_with_any_posts():
    row = attacked(*made_up_people(0.0, 0.0), Permitted(((0.01, 1e-5),)))
    assert row["points_above"] == 0
    for kind, names in ATTACKS.items():
        assert abs(row[f"{kind}_auc"] - 0.5) < 0.02 and abs(row[f"{kind}_tpr_01"] - 0.01) < 0.008
        assert row[f"{kind}_epsilon_shown"] == 0
        assert all(abs(numbers([row[senders_attacked.column(kind, name)]])[0, 0] - 0.5) < 0.02 for name in names)
        assert np.abs(numbers([row[f"{kind}_auc_by_posts"]]) - 0.5).max() < 0.05


def test_what_leaks_through_either_kind_of_posts_is_found_there_and_not_permitted_by_a_small_promise():
    for kind, shifts in ((OWN, (2.0, 0.0)), (OTHER, (0.0, 2.0))):
        row = attacked(*made_up_people(*shifts), Permitted(((0.1, 1e-5),)))
        other = next(each for each in ATTACKS if each != kind)
        assert row[f"{kind}_auc"] > 0.8 and abs(row[f"{other}_auc"] - 0.5) < 0.02
        assert row["points_above"] > 0 and row[f"{kind}_epsilon_shown"] > 0.1
        low, high = (numbers([row[f"{kind}_{end}"]])[0] for end in ("low", "high"))
        assert low[0] < row[f"{kind}_auc"] < high[0]


def test_a_persons_scores_stay_together_when_people_are_resampled():
    """If all of a person's scores say the same, 16 of them are worth no more than one."""
    rng = np.random.default_rng(0)
    one = rng.normal(size=(500, 1))
    members = np.repeat(np.arange(500)[:, None] < 250, 16, axis=1)
    scores = np.repeat(one + members[:, :1], 16, axis=1) + 1e-6 * rng.normal(size=members.shape)
    low, high = over_people(scores, members)
    alone = next(iter(success(scores.ravel(), members.ravel(), resamples=200)))
    assert high[0] - low[0] > 3 * (alone["high"] - alone["low"])
    assert low[0] < headlines(scores, members)[0] < high[0]


def test_every_person_is_in_one_group_by_posts():
    posts = np.arange(1, 70)
    found = groups(posts)
    assert sorted(np.concatenate(found).tolist()) == list(range(69)) and len(group_names()) == len(POSTS)
    assert [int(posts[group].min()) for group in found] == list(POSTS)


@pytest.mark.parametrize("setting", [Setting(method="fedavg", epsilon=math.inf, server_rate=1.0), Setting()],
                         ids=lambda setting: setting.method)  # fmt: skip
def test_a_row_has_what_it_says_and_keeps_its_promise(setting, corpus, short):
    (row,) = run(setting, corpus)
    named = {name for text in (run.__doc__, attacked.__doc__) for name in re.findall(r"``(\w+)``", text)}
    assert named <= set(row) | {each.removeprefix("own_") for each in row}
    assert row["people"] == PEOPLE and row["epsilon_spent"] <= setting.epsilon and row["points_above"] == 0
    (curve,) = numbers([row["own_lira_offline"]])
    assert [row["own_auc"], row["own_tpr_001"], row["own_tpr_01"]] == pytest.approx(curve[[0, 2, 5]], abs=1e-4)
    (most,) = numbers([row["permitted"]])
    assert (most == 1).all() if setting.method == "fedavg" else most[0] < 0.1


def test_a_baseline_has_the_same_columns_and_is_not_attacked(corpus, short):
    rows = [next(run(Setting(method=name, epsilon=math.inf), corpus)) for name in ("majority", "tf-idf")]
    (trained_row,) = run(Setting(), corpus)
    assert all(set(row) == set(trained_row) and row["own_lira_online"] == "none" for row in rows)
    assert 0.1 < rows[0]["accuracy"] < rows[1]["accuracy"] <= 1


def test_the_search_trains_on_other_people_and_measures_on_yet_others(corpus, short):
    own = senders(corpus)
    (row,) = senders_search.run(senders_search.Setting(), corpus)
    assert 0 <= row["score"] <= 1 and row["epsilon_spent"] <= 8
    searched = np.concatenate([*own.searched, own.validation])
    assert set(searched.tolist()).isdisjoint(np.concatenate(own.people).tolist() + own.tested.tolist())
    settings = senders_search.grid("20newsgroups")
    assert len(settings) == len(set(settings)) == senders_search.BUDGET * len(senders_search.COMPARED)
    assert {each.seed for each in settings} == {100}


def test_a_persons_evidence_is_of_their_own_posts(corpus, short):
    own = senders(corpus)
    given, _ = own.halves(0)
    model, _ = trained(own, given, halves(PEOPLE, 1, seed=0)[:, 0], own.tested, recipe(Setting(), PEOPLE))
    owners = np.repeat(np.arange(PEOPLE), [len(rows) for rows in given])
    found = user_losses(losses(model, own, np.concatenate(given)), owners, PEOPLE)
    alone = user_losses(losses(model, own, given[7]), np.zeros(len(given[7]), dtype=int), 1)
    assert found[7] == pytest.approx(alone[0])


def test_the_grid_has_every_method_and_promise_once_a_seed():
    settings = senders_experiment.grid("20newsgroups", seeds=[0, 1])
    assert len(set(settings)) == len(settings) == 2 * len(senders_search.COMPARED) + 2
