"""The pictures of notebook 24, and each number of its text, are what the committed table and the options say."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest

from trustlab.course.lessons import question, questions
from trustlab.course.n24_fednlp_benchmark import exercises, own_server, task_findings
from trustlab.course.n24_fednlp_benchmark import experiment as fednlp
from trustlab.course.n24_fednlp_benchmark.claims import column
from trustlab.course.n24_fednlp_benchmark.experiment import Setting, divide, examples, problem, recipe
from trustlab.course.n24_fednlp_benchmark.results import ONE_RATE, ONE_SERVER, confounded_reading, saved
from trustlab.course.n24_fednlp_benchmark.tuned_rates import SEARCHED, TRIALS
from trustlab.data import assistant
from trustlab.federated.batch_weights import by_batches, by_examples
from trustlab.federated.simulation import simulate

ROOT = Path(__file__).resolve().parents[3]
ROOM = ROOT / "trustlab" / "course" / "n24_fednlp_benchmark"


@pytest.fixture(scope="module")
def text():
    cells = json.loads((ROOT / "notebooks" / "24_fednlp_benchmark.ipynb").read_text(encoding="utf-8"))["cells"]
    words = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"<abbr[^>]*>|</abbr>", "", words)


# The numbers of the text


def test_the_texts_numbers_are_the_experiments(text):
    passes = fednlp.ROUNDS * fednlp.SHARE
    assert (passes, fednlp.ROUNDS) == (30, 90) and "ninety rounds of a third of the clients" in text
    assert "thirty passes over the data on average" in text and "Thirty epochs in one place" in text
    label, quantity = (fednlp.PARTITIONS[name] for name in ("label", "quantity"))
    assert f"Dirichlet with α = {label['alpha']:g}" in text and f"sizes from Dir({quantity['beta']:g})" in text
    assert fednlp.ENCODER_ROUNDS * fednlp.SHARE == 3 and f"{fednlp.ENCODER_TRAIN} utterances and three passes" in text
    assert {test for _, test in fednlp.SIZES.values()} == {200, 100}
    assert "a test split of 200 examples (100 for seq2seq)" in text
    assert len(saved()[1]["seeds"]) == 5 and "**Five seeds**" in text


def test_what_the_text_and_the_card_say_of_the_search_is_true(text):
    assert f"its {TRIALS} trials chose for each task" in text and f"the best of {TRIALS}: it flatters" in text
    assert "*quantity*, *feature* and *natural* take those of the two with the smaller client rate" in text
    assert {*SEARCHED, "quantity", "feature", "natural"} == set(fednlp.PARTITIONS)
    assert (ONE_RATE, ONE_SERVER) == (0.3, {"fedavg": 1.0, "fedadam": 0.03})
    assert "all clients the rate 0.3, FedAvg's server 1 and both adaptive servers 0.03" in text
    small, most = fednlp.SIZES["seq2seq"][0], fednlp.SIZES["tagging"][0]
    card = tomllib.loads((ROOM / "teaching.toml").read_text(encoding="utf-8"))["card"]
    assert f"{most} examples ({small} for seq2seq); thirty passes; five seeds." in " ".join(card["correctness"])
    assert f"from {TRIALS} trials of one seed" in " ".join(card["correctness"])


def test_with_one_local_step_fedprox_is_fedavg_as_the_text_says(text):
    assert -(-fednlp.SIZES["seq2seq"][0] // fednlp.CLIENTS) <= fednlp.BATCH and "FedProx *is* FedAvg there" in text
    for partition in ("uniform", "label", "feature"):
        prox, plain = (column(saved()[0], "seq2seq", name, partition) for name in ("fedprox", "fedavg"))
        assert prox == plain


def test_the_exercises_numbers_are_the_checks(text):
    assert f"Five clients have {', '.join(map(str, exercises.SIZES[:-1]))} and {exercises.SIZES[-1]} utterances" in text
    assert f'The answer is "{exercises.TRUTH}", the model says "{exercises.SAID}"' in text
    said = f"Δ = {exercises.DELTA}. How far does FedAdam move it, with η = {exercises.RATE}, β₁ = {exercises.BETA_1}, "
    assert said + f"β₂ = {exercises.BETA_2}, τ = {exercises.TAU}" in text


def test_the_claims_about_the_clients_optimizer_are_the_tables():
    sgd, adam = confounded_reading().split(". ")
    assert sgd.count("better on") == 2 and "not clearly" not in sgd
    assert adam.count("not clearly better or worse on") == 2
    asked = questions("24")["Adam on the clients"]
    assert asked["choices"][asked["answer"]] == "Nothing that five seeds can show, or it harms"


def test_the_first_question_is_about_the_package_weights():
    weights = by_batches([1, 10], 10) / [1, 10]
    assert weights[0] / weights[1] == pytest.approx(10)
    assert question("24 minibatches").choose(1).summary.count("Yes.") == 1


# The pictures


def row(seed, before, after):
    shares = {"weight by utterances": 0.12, "weight by minibatches": 0.31}
    return {"seed": seed, "light": 5, "clients": 9, **shares, "F1 by utterances": before, "F1 by minibatches": after}


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([(0.28, 0.281), (0.34, 0.32), (0.29, 0.30)], "by at most 0.02, in both directions."),
        ([(0.28, 0.28), (0.34, 0.33)], "by at most 0.01."),
    ],
)
def test_the_traps_sentence_is_read_off_its_own_numbers(scores, said):
    found = task_findings.trap([row(seed, *pair) for seed, pair in enumerate(scores)])
    assert found.verdict.endswith(said) and "the 5 of 9 clients" in found.verdict
    assert "have 31\u00a0% of the weight instead of 12\u00a0%" in found.verdict


def test_weights_are_drawn_for_each_client():
    found = task_findings.weights_of([1, 9], by_examples([1, 9], 10), by_batches([1, 9], 10))
    said = found.verdict.replace("\u00a0", " ")
    assert said == "The client with 1 utterance has 10 % of the weight by utterances, and 50 % by minibatches."
    assert [row["client"] for row in found.rows] == ["1 utterance", "9 utterances"]


def test_freezing_says_how_much_more_is_sent():
    table, _ = saved()
    sent = [
        column(table, "classification", "fedavg", "label", model=m, measure="megabytes")[0] for m in fednlp.ENCODERS
    ]
    assert f"{sent[1] / sent[0]:.0f} times as much" in task_findings.frozen().verdict


# A fleet with the reader's server


@pytest.fixture(scope="module")
def fleet():
    setting = Setting(task="tagging", partition="quantity")
    known, asked = (
        part[:most] for part, most in zip(examples(setting, assistant(400, devices=5)), (60, 20), strict=True)
    )
    return problem(setting, known, asked), divide(setting, known), recipe(setting)


@pytest.mark.parametrize(
    ("step", "algorithm", "rate"), [(own_server.fedavg, "fedavg", 1.0), (own_server.fedadam, "fedadam", 0.03)]
)
def test_one_round_with_a_step_of_ones_own_is_the_packages(fleet, step, algorithm, rate):
    learned, clients, config = fleet
    (mine,) = own_server.rounds_with(step, learned, clients, dataclasses.replace(config, rounds=1))
    server = recipe(Setting(task="tagging", algorithm=algorithm, server_rate=rate)).server
    same = dataclasses.replace(config, rounds=1, evaluate_every=1, server=server, seed=1)
    (theirs,) = simulate(learned, clients, same)
    assert mine["score"] == pytest.approx(theirs["score"]) and mine["round"] == 1


def test_it_is_measured_every_so_often_and_at_the_end_and_the_task_is_left_as_it_was(fleet):
    learned, clients, config = fleet
    before = own_server.flat(learned.model).copy()
    rows = list(
        own_server.rounds_with(own_server.fedavg, learned, clients, dataclasses.replace(config, rounds=5), every=2)
    )
    assert [each["round"] for each in rows] == [2, 4, 5]
    assert (own_server.flat(learned.model) == before).all()
    runs = {"FedAvg": rows, "FedAdam": rows}
    assert task_findings.own_server(runs).verdict.startswith("After 5 rounds the same clients have")
