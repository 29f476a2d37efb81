"""The saved measurements: complete, plausible, and what the notebook says of them."""

import json
import re
from pathlib import Path

import pytest

from trustlab.course.n25_beyond_one_machine.claims import claims_of
from trustlab.course.n25_beyond_one_machine.many import Rate, descend
from trustlab.course.n25_beyond_one_machine.results import ENGINES, MOST, PARTS, at, engines, growth, measured, medians
from trustlab.federated.deployment_costs import SECAGG, Deployment, needs
from trustlab.lab.display import number
from trustlab.results import read_results

NOTEBOOK = Path(__file__).resolve().parents[3] / "notebooks" / "25_beyond_one_machine.ipynb"
PROSE = " ".join(
    "".join(cell["source"])
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "markdown"
)


def test_every_size_that_was_tried_was_measured_five_times():
    assert set(measured().groupby(["part", "devices"]).size()) == {5}
    assert set(measured()["part"]) == set(PARTS)
    table = read_results("scaling")[0]
    for part in PARTS:
        largest = measured()[measured()["part"] == part]["devices"].max()
        untried = table[(table["part"] == part) & (table["repetition"] < 0)]
        assert (largest == MOST) == untried.empty and all("not tried" in note for note in untried["note"])


def test_memory_of_a_selector_is_at_least_its_two_arrays():
    assert min(at("selection", MOST, "megabytes")) >= 2 * 8 * MOST / 1e6


def test_pictures_say_the_medians():
    seconds, memory = growth()
    wanted = {(row["part"], row["devices"]): row["megabytes"] for row in medians("megabytes")}
    assert f"selection takes {number(wanted['selection', MOST], 2)} MB" in memory.verdict
    assert "a selector is set up in" in seconds.verdict


def test_every_claim_has_five_runs_or_nothing_left_to_chance():
    for row in claims_of():
        assert len(row.get("values", range(5))) == 5 and row["setup"]


def test_the_engines_are_those_of_the_page():
    assert len(ENGINES) == 5 and "torchrun" in str(engines())


def test_numbers_in_the_prose_are_computed():
    one = needs(Deployment(cohort=1000, parameters=340_867, payload=1_369_470, aggregation=SECAGG))
    assert "26 bits for each weight" in PROSE and one.neighbours == 999
    assert needs(Deployment()).server_memory - 2 * 4_000_000 == 16e6 and "a million of them are 16 MB" in PROSE
    table = read_results("payloads")[0].set_index("model")
    assert f"{table.loc['the encoder itself (MiniLM)', 'Flower'] / 1e6:.1f} MB" in PROSE


def test_the_story_of_the_first_question_is_right():
    at_start = Deployment(parameters=340_867, payload=1_369_470, aggregation=SECAGG)
    found = needs(at_start)
    assert round(found.server_masks / 1e9) in (100, 101)
    assert round(found.server_masks / (found.device_masks / 1000), -3) == pytest.approx(91_000, rel=0.01)


def test_a_tiny_training_descends_and_refuses_a_rate_that_is_none():
    losses = [row["loss"] for row in descend(Rate(0.1))]
    assert losses == sorted(losses, reverse=True) and losses[-1] == pytest.approx(0.8**20)
    with pytest.raises(ValueError, match=re.escape("Expected learning_rate=-1.0 > 0")):
        list(descend(Rate(-1.0)))
