"""Every number in the notebook's running text comes from what it speaks of."""

from trustlab.course.lessons import questions
from trustlab.course.n32_prediction_sensitivity import EXPERIMENT
from trustlab.course.n32_prediction_sensitivity.posts_experiment import LEANING, MARKED, PRONOUNS, TERMS
from trustlab.course.n32_prediction_sensitivity.results import (
    SHOWN,
    by_dialect,
    flagged_more,
    on_posts,
    over_doses,
    ranks_of_examples,
    robustness,
    weights_on_words,
)
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import CLASS_WEIGHTS, NORMS, OF, VARIANTS
from trustlab.course.n32_prediction_sensitivity.toy import measured

NOTEBOOK = "32_prediction_sensitivity"
HARMLESS = r"2203\.08670|\b(?:19|20)\d\d\b|[Nn]otebooks? \d\d"


def test_every_number_in_the_text_is_of_what_it_speaks_of(numbers_left):
    fragments = [
        f"P has {len(VARIANTS)} answers",
        "25 models of known bias",
        "At dose 1 the biased recorder denies",
        "P goes where 1 − p goes",
        "P is above 0",
        "not negative and sum to 1",
        "with each of 50 identity terms",
    ]
    assert numbers_left(NOTEBOOK, fragments, HARMLESS) == []
    assert (len(NORMS), len(CLASS_WEIGHTS), len(OF)) == (3, 2, 3)
    assert len(EXPERIMENT.where(recorder="biased")) == 25


def test_what_is_said_of_the_dose_is_so():
    at = {(row["measure"], row["recorder"], row["dose"]): row["mean"] for row in over_doses(("P", "1 − p", "swap"))}
    assert at["P", "biased", 1.0] < at["P", "biased", 0.5] and at["swap", "biased", 1.0] > 2 * at["swap", "biased", 0.5]
    assert at["swap", "blind", 1.0] < 0.2 * at["swap", "biased", 1.0]
    assert at["1 − p", "blind", 1.0] > 3 * at["1 − p", "biased", 0.0]
    harm = EXPERIMENT.table().groupby(["recorder", "dose"])["gap"].mean()
    assert harm["biased"].idxmax() == 1.0
    wrong = EXPERIMENT.table().groupby(["recorder", "dose"])["wrong"].mean()
    assert abs(wrong["biased", 0.5] - wrong["blind", 0.5]) < 0.005  # nearly as many wrong labels


def test_what_is_said_of_examples_weights_and_choices_is_so():
    area = {(row["measure"], row["recorder"]): row["AUC"] for row in ranks_of_examples()}
    assert area["P", "blind"] > area["P", "biased"] - 0.02
    assert abs(area["P", "biased"] - area["P, v = even", "biased"]) < 0.02
    assert all(abs(area["P, v = learnt", who] - area["P, v = even", who]) < 0.02 for who in ("biased", "blind"))
    assert area["P of log odds", "biased"] < 0.5
    share = {row["v"]: row["share"] for row in weights_on_words()}
    assert share["soft"] < share["even"] + 0.1 < share["|IG|"]
    right = {(row["choice"], row["models"]): row["right"] for row in robustness()}
    against, honest = "blind against biased", "honest against biased"
    assert right["f = probabilities", against] < right["f = log odds", against]
    assert right["f = probabilities", against] < right["f = probabilities", honest]
    assert all(right["v = hard", pair] < right["v = even", pair] for pair in (against, honest))


def test_what_is_said_of_posts_is_so():
    at = {row["measure"]: row["agreement"] for row in on_posts(LEANING)}
    assert at["share of named words"] > at["P"] > at["swap"] > at["P, v = even"]
    terms = {row["measure"]: row["agreement"] for row in on_posts(TERMS)}
    assert terms["swap"] > 0.8 and abs(terms["P"]) < 0.2
    pronouns = {row["measure"]: row["agreement"] for row in on_posts(PRONOUNS)}
    assert pronouns["P, v = even"] + 0.1 < pronouns["P"] < pronouns["swap"] - 0.3
    words = {row["measure"]: row["agreement"] for row in on_posts(MARKED)}
    assert words["movement"] > 0.5 and words["share of P, |IG|"] <= words["movement"]


def test_the_questions_have_the_tables_answers():
    asked = questions("32")
    assert measured(0.0, 1.0, "probabilities")["P"] > 0
    fair = asked["a fair model"]
    assert fair["choices"][fair["answer"]] == "Above 0"
    mistakes = asked["as many mistakes"]
    assert mistakes["choices"][mistakes["answer"]] == "Both are about the same"
    biased, blind = (EXPERIMENT.where(recorder=who, dose=0.5)[SHOWN["P"]].mean() for who in ("biased", "blind"))
    assert 0.8 < biased / blind < 1.25


def test_what_is_said_of_dialects_is_so():
    ratio = {(row["measure"], row["tweets"]): row for row in by_dialect()}
    assert flagged_more()["low"] > 0.1  # far more often
    assert ratio["P, v = |IG|", "all"]["high"] < 1 < ratio["P, v = |IG|", "harmless"]["low"]
    assert ratio["1 − p", "all"]["high"] < 1
