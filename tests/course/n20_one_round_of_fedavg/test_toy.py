"""The town against closed forms of gradient descent on a bowl, and against the package's server."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from trustlab.course.n20_one_round_of_fedavg import toy as toy_file
from trustlab.course.n20_one_round_of_fedavg.town import CLIENTS, RATE, START, STEPS, rounds_of, town, train
from trustlab.course.n20_one_round_of_fedavg.toy import MOMENTS, NOBODY, ROUNDS, WAYS, town_toy
from trustlab.federated.aggregation import ServerOptimizer, client_weights, pseudo_gradient

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "20_one_round_of_fedavg.ipynb"


@pytest.fixture(scope="module")
def toy():
    return town_toy()


def by_the_package(models, start, aggregation, examples):
    weights = client_weights(aggregation, examples=examples)
    before, local = {"w": torch.tensor(start)}, {"w": torch.tensor(models)}
    return ServerOptimizer().step(before, pseudo_gradient(weights, local, before))["w"].numpy()


def test_local_training_is_torchs_gradient_descent_on_half_the_mean_squared_distance():
    places = town()["Gus"]
    model = torch.tensor(START, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.SGD([model], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (((torch.tensor(places) - model) ** 2).sum(1).mean() / 2).backward()
        optimizer.step()
    np.testing.assert_allclose(train(np.array(START), places), model.detach())


@pytest.mark.parametrize("without", ["", "Ada", "Irma"])
@pytest.mark.parametrize("aggregation", WAYS)
def test_a_round_is_the_packages(aggregation, without):
    names = [name for name in CLIENTS if name != without]
    examples = np.array([len(town()[name]) for name in names])
    models, server = rounds_of(3, aggregation, without)
    np.testing.assert_allclose(by_the_package(models, server[-2], aggregation, examples), server[-1])


def test_by_examples_the_rounds_end_in_the_middle_of_all_data_and_equally_in_that_of_the_clients():
    """Each round leaves (1 − η)^steps of the way to the weighted mean of the clients' means."""
    means = np.stack([places.mean(0) for places in town().values()])
    ends = {"examples": np.concatenate(list(town().values())).mean(0), "equal": means.mean(0)}
    left = (1 - RATE) ** STEPS
    for (aggregation, end), count in itertools.product(ends.items(), ROUNDS):
        expected = end + left**count * (np.array(START) - end)
        np.testing.assert_allclose(rounds_of(count, aggregation)[1][-1], expected)


def test_every_position_has_words_and_a_place_of_its_own(toy, drawn):
    for moment, count, aggregation, without in itertools.product(MOMENTS, (1, 3), WAYS, (NOBODY, "Ada", "Irma")):
        answer, shown = drawn(toy, moment=moment, round=count, aggregation=aggregation, without=without)
        gone = "" if without == NOBODY else without
        models, server = rounds_of(count, aggregation, gone)
        at = MOMENTS.index(moment)
        np.testing.assert_allclose(shown["models"], [] if at == 0 else models)
        np.testing.assert_allclose(shown["star"], [server[-1] if at == 3 else server[-2]])
        assert bool(shown["ghost"]) == bool(gone and at == 3)
        assert shown["weights"][without] == 0 if gone else min(shown["weights"].values()) > 0
        assert sum(shown["weights"].values()) == pytest.approx(1)
        assert answer.verdict.startswith(f"Round {count}: ")


def test_what_the_server_sees_has_no_data(toy, drawn):
    for moment, visible in zip(MOMENTS, (True, True, False, False), strict=True):
        _, shown = drawn(toy, moment=moment)
        assert (max(shown["data"]) > 0) == visible


def test_taken_away_data_are_pale(toy, drawn):
    _, shown = drawn(toy, without="Irma")
    assert sorted(shown["data"])[:3] == [0.08] * 3 and sorted(shown["data"])[3] == 0.5


def test_a_played_round_passes_every_moment_and_ends_at_the_average(monkeypatch):
    monkeypatch.setattr(toy_file, "PAUSE", 0.0)
    toy = town_toy()
    toy.start().wait(60)
    assert len(toy.rows) == toy_file.FRAMES and toy.rows[-1]["progress"] == 1
    np.testing.assert_allclose(toy.drawing.shown()["star"], [rounds_of(1, "examples")[1][-1]])
    assert "the average of 12 models" in toy.answer.verdict and toy.config.moment == "4 average"


def test_the_toy_runs_on_the_readers_average():
    median = town_toy(average=lambda models, examples: np.median(models, axis=0)).set(moment="4 average")
    models, _ = rounds_of(1, "examples")
    np.testing.assert_allclose(median.drawing.shown()["star"], [np.median(models, axis=0)])
    assert town_toy(average=...).summary == town_toy().summary


def test_numbers_in_prose_and_question_are_those_of_the_town():
    def moved(name, aggregation):
        whole, part = (rounds_of(1, aggregation, gone)[1][-1] for gone in ("", name))
        return round(1000 * float(np.linalg.norm(whole - part)))

    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    prose = " ".join("".join(cell["source"]) for cell in cells)
    asked = (Path(toy_file.__file__).parent / "teaching.toml").read_text(encoding="utf-8")
    assert f"without Irma it moves {moved('Irma', 'examples')} m" in prose
    assert "moves half a kilometre" in prose and round(moved("Ada", "examples"), -2) == 500
    assert "moves it 340 m, more than Ada's" in prose and round(moved("Irma", "equal"), -1) == 340
    assert moved("Irma", "equal") > moved("Ada", "equal")
    assert f"without Ada it moves {round(moved('Ada', 'examples'), -1)} m, without Irma 78 m" in asked
    assert "about 7 times as much" in asked and round(moved("Ada", "examples") / moved("Irma", "examples")) == 7
    n = {name: len(places) for name, places in town().items()}
    assert f"Ada has {n['Ada']} of {sum(n.values())} examples, Irma has {n['Irma']}" in asked
    assert re.search(r"three times last year, Ada's family 62 times", prose) and n["Ada"] == 62
    assert "Ada's phone has a third of the say" in prose and round(3 * n["Ada"] / sum(n.values())) == 1
