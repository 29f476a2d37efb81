"""Every number in the notebook's running text comes from what it speaks of."""

import itertools

import numpy as np

from trustlab.course.lessons import questions
from trustlab.course.n14_private_text import TUNING
from trustlab.course.n14_private_text.adept_experiment import EPSILONS, LATENT, PUBLIC
from trustlab.course.n14_private_text.claims import SAME
from trustlab.course.n14_private_text.experiment import COMPARED, TRAIN
from trustlab.course.n14_private_text.results import PACKAGES, adept_texts, packages, points, same_epsilon
from trustlab.course.n14_private_text.toy import PER, PLACES
from trustlab.course.n14_private_text.word_mechanisms import (
    DIMENSIONS,
    EXPONENTIAL,
    GUMBEL,
    LAPLACE,
    SHAPE,
    SHAPED,
    public_table,
)
from trustlab.lab.saved import read

NOTEBOOK = "14_private_text"
HARMLESS = r"1910\.08902|\b(?:19|20)\d\d\b|notebooks? \d\d"


def test_every_number_in_the_text_is_of_what_it_speaks_of(numbers_left):
    fragments = [
        f"said for it in {PER} draws",
        f"no noise in {DIMENSIONS} dimensions",
        f"such as {SAME:g}, moves a word",
        f"learns from {TRAIN} rewritten requests",
        f"input embeddings in {DIMENSIONS} dimensions",
        f"In {DIMENSIONS} dimensions that is measured on the noisy vector",
        f"learned to repeat {PUBLIC:,} public requests, as vectors of {LATENT} numbers",
        f"shaped by λ = {SHAPE:g}, chosen by a search",
        f"and of λ = {read(PACKAGES)[1]['config']['lambda']:g}, pypantera's default",
    ]
    assert numbers_left(NOTEBOOK, fragments, HARMLESS) == []
    assert len(PLACES) == 12  # Twelve words on a map


def test_noise_at_that_epsilon_is_longer_than_half_of_the_typical_distance():
    table = public_table()
    typical = np.median(table.distances(table.vectors[::40]))
    assert 0.5 * typical < DIMENSIONS / SAME


def test_the_shapes_that_were_searched_are_less_than_a_percentage_point_apart():
    scores = TUNING.table().groupby("shape")["score"].mean()
    assert len(scores) == 6 and scores.max() - scores.min() < 0.01


def test_what_is_said_of_public_packages_is_in_their_table():
    rows = {(row["mechanism"], row["audited"]): row for row in packages()}
    chosen, shaped = rows["exponential, pypantera", "words said"], "Mahalanobis, pypantera"
    assert rows["exponential, mldp-text", "words said"]["loss / promise"] > 1.05
    assert chosen["loss / promise"] is None  # words that are never said
    assert all(rows[shaped, how]["loss / promise"] > 1.05 for how in ("words said", "noisy vector"))
    known = {name: row["unknown words kept"] for (name, _), row in rows.items() if "trustlab" not in name}
    assert {name: kept for name, kept in known.items() if "mldp-text" in name} == dict.fromkeys(
        (f"{each}, mldp-text" for each in (EXPONENTIAL, LAPLACE, SHAPED, GUMBEL)), 1.0
    )
    assert known["exponential, pypantera"] == 1.0
    assert all(row["promise"] == "kept" for (name, _), row in rows.items() if name == "exponential, trustlab")


def test_one_stated_epsilon_of_adept_is_another_true_one_and_over_that_both_noises_are_one_curve():
    rows = adept_texts()
    worth = {(row["noise"], row["stated ε"]): row for row in rows}
    for epsilon in EPSILONS[:-1]:
        assert worth["published", epsilon]["intents right"] > worth["corrected", epsilon]["intents right"]
    curve = sorted((row["true ε"], row["intents right"]) for row in rows if row["noise"] != "gaussian")
    assert all(right > before - 0.05 for (_, before), (_, right) in itertools.pairwise(curve))
    learned = [row for row in rows if row["intents right"] > 0.6]
    assert learned and all(row["found"] > 0.5 for row in learned)  # finds most texts where a classifier learns well


def test_the_question_about_one_word_in_five_has_the_tables_answer():
    asked = questions("14")["one word in five"]
    (gumbel,) = (row for row in points() if row["mechanism"] == GUMBEL and row["ε"] == COMPARED[GUMBEL][0])
    assert 0.15 < gumbel["kept"] < 0.25 and gumbel["guessed"] > 0.5
    assert asked["choices"][asked["answer"]] == "More than a half"


def test_the_question_about_the_same_epsilon_has_the_tables_answer():
    asked = questions("14")["the same ε"]
    found = {row["mechanism"]: row["recovered"] for row in same_epsilon()}
    assert f"ε = {SAME:g} per unit" in asked["question"]
    assert found[EXPONENTIAL] > 1.5 * found[LAPLACE] and asked["choices"][asked["answer"]].startswith("No")
