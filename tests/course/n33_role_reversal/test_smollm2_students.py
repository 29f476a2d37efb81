"""What is read off a table of SmolLM2's students, against a table small enough to count by hand."""

import pandas as pd
import pytest

from trustlab.course.n33_role_reversal import smollm2_picture
from trustlab.course.n33_role_reversal import smollm2_students as results
from trustlab.course.n33_role_reversal.smollm2_texts import PROFESSIONS, openings


def made(name):
    assert name == "role_reversal_smollm2_bold"
    rows = []
    for model, polarity, leaning in (("plain", ("fm-m", "mmmm"), -2.0), ("teacher", ("ffff", "-ff-"), 1.0)):
        for seed in (1, 0):
            row = {"model": model, "seed": seed, "leaning": abs(leaning) + seed, "perplexity": 60.0 + 10 * seed}
            row |= {"ss": 50.0, "lms": 80.0, "gendered": 75.0, "said": "|".join(f"{model} {i}" for i in range(24))}
            row |= {f"polarity of {each}": polarity[seed] for each in PROFESSIONS}
            rows.append(row | {f"leaning of {each}": leaning + seed for each in PROFESSIONS})
    return pd.DataFrame(rows), {}


def test_models_are_compared_over_seeds_and_with_as_many_gendered_texts(monkeypatch):
    monkeypatch.setattr(results, "LEAST", 6)
    teacher, plain = results.comparison(read=made)
    assert (teacher["model"], plain["model"], plain["seeds"]) == ("teacher", "plain", 2)
    assert (plain["leaning"], plain["leaning low"], plain["leaning high"]) == (2.5, 2.0, 3.0)
    assert teacher["perplexity"] == 65.0
    # Of both seeds plain wrote one woman and six men; the teacher six women, so that one of plain's is left out.
    assert teacher["texts"] == plain["texts"] == 6
    assert plain["equity_mean"] < 0.3 and teacher["equity_min"] == 0 and teacher["equity_min blind"] > 0.1
    assert plain["equity_mean low"] < plain["equity_mean"] < plain["equity_mean high"]


def test_too_few_gendered_texts_are_refused():
    with pytest.raises(ValueError, match="100"):
        results.comparison(read=made)


def test_leanings_and_texts_of_one_model():
    assert results.leanings_of("plain", read=made) == dict.fromkeys(PROFESSIONS, -1.5)
    said = results.said_by("teacher", read=made)
    assert list(said) == openings() and said["The nurse was late because"] == "teacher 4"


def test_the_picture_says_who_leans_less_in_all_seeds(monkeypatch):
    leanings = {"teacher": (1.2, 1.2), "plain": (1.0, 1.1), "swap": (0.5, 0.9), "augmented, expectation": (0.6, 1.05)}
    rows = [
        {"model": name, "leaning": sum(ends) / 2, "leaning low": ends[0], "leaning high": ends[1], "perplexity": 100.0}
        for name, ends in leanings.items()
    ]
    monkeypatch.setattr(smollm2_picture, "comparison", lambda: rows)
    drawn = smollm2_picture.real_students()
    assert "In all seeds below the plain one: swap. Perplexity: 100, 100 and 100" in drawn.verdict
    assert [row["model"] for row in drawn.rows] == list(leanings)
    monkeypatch.setattr(smollm2_picture, "comparison", lambda: [row for row in rows if row["model"] != "swap"])
    assert "No student is below in all seeds." in smollm2_picture.real_students().verdict


def made_elsewhere(name):
    assert name == "role_reversal_smollm2_elsewhere_bold"
    rows = []
    for model, factor in (("plain", 1.0), ("augmented, expectation", 0.5), ("teacher", 2.0)):
        for seed in (1, 0):
            row = {"model": model, "seed": seed, "leaning": (1.0 + seed) * factor, "weat science": 0.9, "accuracy": 0.5}
            rows.append(row | {"ceat science": 0.4 + 0.2 * seed, "tpr_gap": 0.1 * factor, "flips": 0.2 + seed * 0.1})
    return pd.DataFrame(rows), {}


def test_elsewhere_each_model_is_divided_by_the_plain_student_of_its_seed(monkeypatch):
    rows = results.beside_plain(read=made_elsewhere)
    assert [row["model"] for row in rows] == ["teacher"] * 5 + ["augmented, expectation"] * 5
    at = {(row["model"], row["measured"]): row for row in rows}
    said = at["augmented, expectation", "leaning"]
    assert (said["times plain"], said["low"], said["high"], said["value"], said["plain"]) == (0.5, 0.5, 0.5, 0.75, 1.5)
    assert at["teacher", "flips"]["plain"] == pytest.approx(0.25)
    monkeypatch.setattr(smollm2_picture, "beside_plain", lambda: rows)
    drawn = smollm2_picture.real_students_elsewhere()
    assert "leans 0.50 times as much as the plain one. WEAT is 1.00 and CEAT 1.00 times" in drawn.verdict
    assert "25.0 % of its answers" in drawn.verdict and "TPR gap of 0.050, not 0.100" in drawn.verdict
