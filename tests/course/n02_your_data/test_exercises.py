"""The exercises of notebook 02: the right answers, what each slip is told, and what the solution says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from trustlab.course.n02_your_data.exercises import a_members_promise, hints, promise_to, strangers
from trustlab.data import example_file, load_own
from trustlab.privacy import PrivacyStatement

ROOT = Path(__file__).resolve().parents[3]


def by_numpy(train, test):
    return float(np.mean(~np.isin(test, train)))


def one_by_one(epsilon, delta, rows):
    """The inequality P <= e^ε P' + δ, put into itself."""
    found = 0.0
    for _ in range(rows):
        found = math.exp(epsilon) * found + delta
    return rows * epsilon, min(1.0, found)


def test_right_functions_are_right():
    assert str(strangers(by_numpy)).startswith("✓ Your function is right on 6")
    assert str(a_members_promise(one_by_one)).startswith("✓ Your function is right on 5")


def test_the_promise_to_two_rows_is_that_of_the_statement():
    steps = dict(method="dp-sgd", clip_norm=1.0, noise_multiplier=2.0, steps=100, sample_rate=0.01, delta=1e-6)
    card = PrivacyStatement.of_steps(**steps)
    epsilon, delta = promise_to(card.epsilon, 1e-6, 2)
    said = str(card).partition("a person with two has ")[2].split("\n")[0]
    there, at = said.removeprefix("ε = ").split(" at δ = ")
    assert float(there) == pytest.approx(epsilon, rel=0.01) and float(at) == pytest.approx(delta, rel=0.05)


@pytest.mark.parametrize("check", [strangers, a_members_promise])
def test_a_stub_is_not_written_yet(check):
    assert str(check(lambda *arguments: ...)).startswith("… Not written yet")
    assert "sum" in hints(check).reveal().reveal().reveal().summary


@pytest.mark.parametrize(
    ("check", "mine", "slip"),
    [
        (strangers, lambda train, test: len(set(test) - set(train)) / len(set(test)), "share of the members"),
        (strangers, lambda train, test: 1 - by_numpy(train, test), "you counted the others"),
        (strangers, lambda train, test: by_numpy(test, train), "Ask it of the test rows"),
        (strangers, lambda train, test: by_numpy(train, test) * len(test) / len(train), "Divide by that of the test"),
        (strangers, lambda train, test: by_numpy(train, test) * len(test), "A share is from 0 to 1"),
        (a_members_promise, lambda e, d, k: (k * e, k * d), "δ grows faster"),
        (a_members_promise, lambda e, d, k: (k * e, d * math.exp((k - 1) * e)), "left out the δ"),
        (a_members_promise, lambda e, d, k: (k * e, k * d * math.exp((k - 1) * e)), "is not the smallest"),
        (a_members_promise, lambda e, d, k: (math.sqrt(k) * e, d), "for independent steps"),
        (a_members_promise, lambda e, d, k: (e / k, d), "ε cannot shrink"),
        (a_members_promise, lambda e, d, k: k * e, "Expected two numbers"),
    ],
)
def test_slips_are_explained(check, mine, slip):
    assert slip in str(check(mine))


def test_the_solution_says_what_is_so():
    cells = json.loads((ROOT / "notebooks" / "solutions" / "02_your_data.ipynb").read_text(encoding="utf-8"))["cells"]
    shown = [text for cell in cells for output in cell.get("outputs", ())
             for text in output["data"]["text/plain"]]  # fmt: skip
    corpora = [load_own(example_file(), text="message", intent="wish", user="member", test_share=0.3, by_user=by_user)
               for by_user in (False, True)]  # fmt: skip
    shares = [by_numpy(corpus["train"]["device"][:], corpus["test"]["device"][:]) for corpus in corpora]
    assert shares[0] < 0.1 and shares[1] == 1.0
    assert shown[1] == f"Of the test rows, {100 * shares[0]:.0f} % and 100 % are of strangers."
    epsilon, delta = one_by_one(8.0, 1e-5, 2)
    assert f"has ε = {epsilon:.0f} at δ = {delta:.2f}" in shown[3]
