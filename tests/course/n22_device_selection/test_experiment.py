import copy
import re
from pathlib import Path

import datasets
import numpy as np
import pandas
import pytest
import torch

from trustlab.course import characters, reproduce
from trustlab.course.experiment import without_rates
from trustlab.course.n22_device_selection import experiment
from trustlab.course.n22_device_selection import harm as activity_harm
from trustlab.course.n22_device_selection.claims import accuracy_at, claims_of, gain, gain_at_equal_work
from trustlab.course.n22_device_selection.experiment import (
    BETAS,
    COHORTS,
    CORPORA,
    KEY,
    OTHERS,
    TRIVIAL,
    WAYS,
    Setting,
    grid,
    recipe,
    result_name,
    run,
    search_name,
    selector,
    train,
)
from trustlab.course.n22_device_selection.fleets import (
    FLEETS,
    KINDS,
    MEASURES,
    heaviest,
    own_tests,
    problem,
    with_activity,
)
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.data import assistant, fingerprint, load
from trustlab.federated.partition import partition
from trustlab.lab.claims import claims
from trustlab.results import read_results, write_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"
LINES = {
    "king: ANN": ["To be or not", "be not or to", "O", "to", "or be"],
    "king: BOB": ["what, ho!", "ho, what", "what"],
    "fool: EVE": ["aye"],
}
POSTS = {"ann": ["sci", "sci", "rec"], "bob": ["rec"], "eve": ["sci"]}


@pytest.fixture(scope="module")
def corpus():
    return assistant(2000, devices=20)


def plays():
    rows = [{"text": text, "role": role, "play": role[:4]} for role, lines in LINES.items() for text in lines]
    tests = [{"text": "to be", "role": "king: ANN", "play": "king"}, {"text": "aye", "role": "a stranger", "play": "x"}]
    return datasets.DatasetDict({
        "train": datasets.Dataset.from_list(rows), "test": datasets.Dataset.from_list(tests)
    })  # fmt: skip


def news():
    rows = [
        {"tokens": ["orbit" if group == "sci" else "Goal", "the"], "group": group, "user": user}
        for user, groups in POSTS.items()
        for group in groups
    ]
    rows[0]["tokens"] = []  # a post without a word
    return datasets.DatasetDict({"train": datasets.Dataset.from_list(rows), "test": datasets.Dataset.from_list(rows)})


@pytest.fixture
def short(monkeypatch):
    """Four rounds instead of thirty or a hundred."""
    monkeypatch.setattr(experiment, "RECIPES", {name: {**how, "rounds": 4} for name, how in experiment.RECIPES.items()})


# Fleets and their tasks


def test_a_device_holds_and_is_tested_on_what_it_said(corpus):
    made = problem("assistant", corpus)
    said, asked = (corpus[split]["device"] for split in ("train", "test"))
    for k, name in enumerate(made.clients.names):
        assert {said[i] for i in made.clients[k]} == {name}
        assert sorted(made.tests[k]) == [i for i, device in enumerate(asked) if device == name]
    assert sorted(made.clients.flat.tolist()) == list(range(len(said)))


def test_tests_of_whom_nobody_trained_with_are_nobodys():
    users = partition(["ann", "bob", "ann"], scheme="natural")
    assert [own.tolist() for own in own_tests(users, ["eve", "bob", "eve"])] == [[], [1]]


@pytest.mark.parametrize("fleet", FLEETS)
def test_a_fleets_activity_follows_its_exponent(fleet):
    said = with_activity(assistant(10_000, devices=50), fleet)["train"]["device"]
    assert len(said) == 8_000 and max(said) == 49
    sizes = np.sort(np.bincount(said))[::-1]
    ranks = np.arange(1, 11)
    assert np.polyfit(np.log(ranks), np.log(sizes[:10]), 1)[0] == pytest.approx(-FLEETS[fleet], abs=0.12)


def test_accuracies_are_means_over_whom_they_say(corpus):
    made = problem("assistant", corpus, seed=3)
    row = made.task.evaluate(made.task.model, made.task.test)
    with torch.no_grad():
        right = (made.task.model(made.task.test).argmax(-1) == made.task.test.intents).float()
    sizes = made.clients.sizes
    own = {k: float(right[torch.as_tensor(made.tests[k])].mean()) for k in range(len(sizes)) if len(made.tests[k])}
    median = np.median([sizes[k] for k in own])
    assert row["accuracy"] == pytest.approx(float(right.mean()))
    assert row["accuracy_device"] == pytest.approx(np.mean(list(own.values())))
    assert row["accuracy_light"] == pytest.approx(np.mean([own[k] for k in own if sizes[k] <= median]))
    assert row["accuracy_heavy"] == pytest.approx(np.mean([own[k] for k in heaviest(sizes)]))
    assert len(heaviest(sizes)) == 2 and sizes[heaviest(sizes)].min() >= np.sort(sizes)[-2]


def test_the_next_character_is_scored_by_characters_not_lines(monkeypatch):
    made = problem("shakespeare_roles", plays())
    assert made.clients.names == ("king: ANN", "king: BOB", "fool: EVE")
    assert made.clients.sizes.tolist() == [5, 3, 1]
    texts = made.task.test
    with torch.no_grad():
        guessed = made.task.model(texts.input_ids, texts.attention_mask).argmax(-1)
    hits = [
        [int(guessed[i, t] == texts.input_ids[i, t + 1]) for t in range(length - 1)] for i, length in enumerate((5, 3))
    ]
    row = made.task.evaluate(made.task.model, texts)
    assert row["accuracy"] == pytest.approx(sum(map(sum, hits)) / (4 + 2))  # the stranger's line counts here
    assert row["accuracy_device"] == pytest.approx(np.mean(hits[0])) == row["accuracy_light"]  # and not here
    monkeypatch.setattr(characters, "AT_ONCE", 1)
    assert made.task.evaluate(made.task.model, texts) == row
    assert made.task.train.attention_mask.sum(1).min() == 2  # of a line of one character something is guessed


def test_posts_are_told_apart_by_their_words(short):
    made = problem("20newsgroups", news())
    assert made.clients.names[0] == "ann" and made.clients.sizes.tolist() == [3, 1, 1]
    model = copy.deepcopy(made.task.model)
    assert not model.scores.weight.any()
    rows = list(train(Setting("20newsgroups", beta=0.0, cohort=200), made, model=model))
    assert rows[-1]["accuracy"] >= 0.8  # all but the one without a word
    assert rows[-1]["engine"] == "stacked"


def test_real_activity_cannot_be_chosen():
    with pytest.raises(ValueError, match=re.escape("Expected fleet='as it is' with 'shakespeare_roles', got 'steep'")):
        problem("shakespeare_roles", plays(), fleet="steep")


# One training


@pytest.mark.parametrize("strategy", ["power", *OTHERS])
@pytest.mark.parametrize("aggregation", ["examples", "equal"])
def test_every_selection_trains(strategy, aggregation, corpus, short):
    (row,) = run(Setting(strategy=strategy, aggregation=aggregation, cohort=3), corpus)
    assert row["selection"] == ("β = 1" if strategy == "power" else strategy)
    assert row["accuracy"] > 1 / 40


def test_a_row_has_the_documented_fields_and_is_flat(corpus, short):
    cell = Setting(aggregation="horvitz-thompson", cohort=3, seed=2)
    (row,) = run(cell, corpus)
    documented = set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert set(row) == documented
    assert row.items() >= {**cell.key(), "selection": "β = 1"}.items()
    assert all(isinstance(value, int | float | str) for value in row.values())
    made = problem("assistant", corpus, seed=2)
    rows = list(train(cell, made))
    assert [float(x) for x in row["curve"].split("|")] == [round(each["accuracy"], 3) for each in rows]
    examples = [float(x) for x in row["curve_examples"].split("|")]
    assert examples == np.cumsum([each["examples"] for each in rows]).tolist()
    assert {name: row[name] for name in MEASURES} == {name: rows[-1][name] for name in MEASURES}
    assert row["examples"] == examples[-1]


def test_activity_draws_who_has_more_and_beta_0_draws_all_alike(corpus):
    clients = problem("assistant", corpus).clients
    n = clients.sizes
    np.testing.assert_allclose(selector(Setting(beta=0.0), clients).inclusion(1), np.full(len(n), 1 / len(n)))
    np.testing.assert_allclose(selector(Setting(beta=1.0), clients).inclusion(1), n / n.sum())
    np.testing.assert_allclose(selector(Setting(beta=2.0), clients).inclusion(1), n**2 / (n**2).sum())
    softmax = np.exp(n / OTHERS["softmax"]["temperature"])
    np.testing.assert_allclose(selector(Setting(strategy="softmax"), clients).inclusion(1), softmax / softmax.sum())


def test_proportional_selection_makes_horvitz_thompson_and_equal_weights_one(corpus, short):
    def accuracy(way):
        (row,) = run(Setting(beta=1.0, aggregation=way, cohort=10, seed=1), corpus)
        return row["curve"], row["curve_light"]

    assert accuracy("horvitz-thompson") == accuracy("equal") != accuracy("examples")


def test_the_seed_decides_the_row(corpus, short):
    def row(seed):
        (found,) = run(Setting(seed=seed, cohort=3), corpus)
        return {name: value for name, value in found.items() if name not in ("seconds", "seed")}

    assert row(0) == row(0) != row(1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(strategy="random"), "Expected strategy='random' to be one of 'power', 'softmax'"),
        (dict(beta=-1.0), "Expected beta=-1.0 to be one of 0.0, 0.5, 1.0, 2.0"),
        (dict(fleet="flat"), "Expected fleet='flat' to be one of 'mild', 'as it is', 'steep'"),
        (dict(cohort=4), "Expected cohort=4 to be one of 3, 10, 200"),
        (dict(corpus="enron"), "Expected corpus='enron'"),
    ],
)
def test_a_cell_outside_the_experiment_is_refused_before_any_work(bad, message, corpus):
    with pytest.raises(ValueError, match=re.escape(message)):
        next(run(Setting(**bad), corpus))


# The table


def test_the_grid_has_each_training_once():
    keys = [tuple(cell.key().values()) for cell in grid("assistant", seeds=range(2))]
    others = len(BETAS) + 2 * len(OTHERS) + len(TRIVIAL)  # Horvitz–Thompson with every β, and the rest
    assert len(keys) == len(set(keys)) == 2 * (len(FLEETS) * len(BETAS) * len(WAYS) + others)
    assert {cell.fleet for cell in grid("assistant", fleets=["steep"])} == {"steep"}
    for name in CORPORA[1:]:
        assert len({tuple(cell.key().values()) for cell in grid(name, seeds=[0])}) == 4


@pytest.mark.parametrize("name", CORPORA)
def test_the_committed_table_is_whole_and_about_this_data(name):
    table, about = read_results(COMMITTED / result_name(name))
    cells = grid(name, seeds=about["seeds"])
    assert len(about["seeds"]) >= (5 if name == "assistant" else 3)
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert committed == [tuple(cell.key().values()) for cell in cells]
    if name == "assistant":
        assert about["data_hash"] == fingerprint(load(name))
    (cohort, *_) = COHORTS[name]
    if name == "assistant":
        assert about["config"][f"cohort {cohort}"] == without_rates(recipe(Setting(name, cohort=cohort)))


def test_the_experiment_is_known_to_the_command():
    known = EXPERIMENTS["device-selection"]
    assert experiment_of(Setting()) is known
    assert set(known.slowest_first) == set(CORPORA) == set(KINDS)
    assert known.named(*[Setting().key()[name] for name in KEY]) == "fleet as it is, β = 1, examples, 10"


def done(rows):
    """Rows as a reproduction has them, of nobody knows which processor."""
    return [reproduce.Done(row, {}, False) for row in rows]


def test_a_fresh_number_is_compared_with_the_committed_one(tmp_path, monkeypatch):
    rows = made_up().to_dict("records")
    write_search(tmp_path, monkeypatch)
    write_results(result_name("assistant"), rows, {"seeds": [0, 1, 2, 3, 4]})
    known = EXPERIMENTS["device-selection"]
    assert reproduce.compare("assistant", done(rows), known).misses == []
    worse = [{**row, "examples": row["examples"] + (row["selection"] == "oort")} for row in rows]
    assert len(reproduce.compare("assistant", done(worse), known).misses) == 2  # by examples and equally
    part = [row for row in rows if row["fleet"] == "mild"]
    assert reproduce.compare("assistant", done(part), known, fleets=["mild"]).misses == []


# The claims


def write_search(folder, monkeypatch):
    """Take results from `folder`, with the committed search in it: the grid reads its rates there."""
    search = read_results(COMMITTED / search_name("assistant"))[0]
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(folder))
    write_results(search_name("assistant"), search.to_dict("records"), {"seeds": [100, 101, 102]})


def made_up(per_round=0.1, per_example=0.0, light=1.0):
    """A table in which β = 1 gains `per_round` (a steep fleet twice that), and light devices `light` of it."""
    rows = []
    for cell in grid("assistant", seeds=range(5)):
        active = cell.strategy == "power" and cell.beta == 1
        gained = per_round * active * {"mild": 0.5, "as it is": 1.0, "steep": 2.0}[cell.fleet]
        accuracy, examples = 0.5 + gained + 0.001 * cell.seed, 1000 * (1 + 3 * active)
        at_1000 = 0.5 + per_example * active + 0.001 * cell.seed
        rows.append(
            {
                **cell.key(),
                "learning_rate": cell.learning_rate,
                "server_rate": cell.server_rate,
                "accuracy": accuracy,
                "accuracy_light": 0.45 + light * gained + 0.002 * cell.seed,
                "examples": examples,
                "curve": f"{at_1000}|{accuracy}",
                "curve_examples": f"1000|{examples}",
            }
        )
    return pandas.DataFrame(rows)


@pytest.fixture
def outcomes(tmp_path, monkeypatch):
    """Return a function from a made-up table to which claims hold."""
    write_search(tmp_path, monkeypatch)

    def show(table, lost=(0.5, 0.0)):
        write_results(result_name("assistant"), table.to_dict("records"), {"seeds": [0, 1, 2, 3, 4]})
        harmed = [
            {
                **cell.key(),
                "learning_rate": cell.learning_rate,
                "server_rate": cell.server_rate,
                "accuracy_few": 0.7 + 0.01 * cell.seed - gone * cell.beta,
            }
            for gone, way in zip(lost, ("examples", "equal"), strict=True)
            for cell in activity_harm.grid("assistant", aggregations=[way])
        ]
        write_results(activity_harm.result_name("assistant"), harmed, {"seeds": [0, 1, 2, 3, 4]})
        return [row["outcome"] == "holds" for row in claims(claims_of("assistant")).rows]

    return show


def test_a_gain_per_round_that_is_none_per_example_is_told_apart(outcomes):
    won = [True] * 6 + [False, True]  # 0.1 is more than half of what one rate shows by examples, and less of it equally
    lost = [True, False]  # by examples, and not equally
    assert outcomes(made_up()) == [*won, True, True, False, False, *lost]
    assert outcomes(made_up(light=0.2)) == [*won, True, True, True, False, *lost]
    assert outcomes(made_up(light=-0.5)) == [*won, True, False, True, False, *lost]
    assert outcomes(made_up(per_example=0.05)) == [*won, True, True, False, True, *lost]
    none = outcomes(made_up(per_round=0.0, per_example=-0.1), lost=(-0.1, 0.1))
    assert none == [False] * 6 + [True] * 2 + [False] * 5 + [True]


def test_gains_are_between_trainings_of_one_seed():
    table = made_up()
    assert gain(table) == pytest.approx([0.1] * 5)
    assert gain(table, fleet="steep", aggregation="equal") == pytest.approx([0.2] * 5)
    assert gain_at_equal_work(made_up(per_example=0.03)) == pytest.approx([0.03] * 5)


def test_between_two_measurements_the_accuracy_is_read_in_examples_and_before_the_first_not_at_all():
    training = pandas.Series({"curve": "0.2|0.6", "curve_examples": "100|300"})
    assert accuracy_at(training, 200) == pytest.approx(0.4)
    with pytest.raises(ValueError, match=r"Expected a measurement at 50 examples or before, got the first at 100"):
        accuracy_at(training, 50)
