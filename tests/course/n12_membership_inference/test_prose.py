"""Every number in the notebook's running text comes from what it speaks of."""

import math

from trustlab.course.lessons import questions
from trustlab.course.n12_membership_inference import EXPERIMENT, SENDERS, toy
from trustlab.course.n12_membership_inference.attacked import FPRS, REFERENCES
from trustlab.course.n12_membership_inference.claims import claims_of
from trustlab.course.n12_membership_inference.exercises import DELTA, EPSILON, FPR
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES
from trustlab.course.n12_membership_inference.results import AT_ONE_IN_A_HUNDRED, reached
from trustlab.course.n12_membership_inference.senders_claims import people
from trustlab.course.n12_membership_inference.senders_fleets import CORPORA, FLEETS
from trustlab.course.n12_membership_inference.stacked_training import MODELS, REPORTED
from trustlab.lab.saved import numbers

NOTEBOOK = "12_membership_inference"
# Years, the paper's number, "(1)" of a title, the indices of models, and what an FPR is in words.
HARMLESS = r"\b(?:19|20)\d\d\b|2107\.14586|\(1\) Training|model 0\b|model 1\b|1 − p\b|1/3|2/3|3/3|1 non-member in 1,000"


def words(number):
    return ["zero", "one", "two", "three", "four", "five", "six", "seven"][number]


def test_every_number_in_the_text_is_of_what_it_speaks_of(numbers_left):
    fragments = [
        f"and {REFERENCES[-1]} others as references",
        f"{MODELS} models together for each method",
        f"{words(REPORTED)} times on utterances",
        f"the claims use {words(REPORTED)} independent pools",
        "at 0.1 and move **exposed** from no member to 10 %",
        "With 2 % of the members exposed",
        "finds these 2 % nearly for sure",
        "members found at an FPR of 1 %",
        "wrong in at most 5 % of stacks",
        "With 16 models",
        f"The people are the {people(SENDERS.table(CORPORA[0])):,} senders of 20 Newsgroups",
        f"{FLEETS} fleets at a time",
    ]
    left = numbers_left(NOTEBOOK, fragments, HARMLESS)
    assert not left, left
    assert 0.1 in toy.SHIFTS and {0.02, toy.SHARES[-1]} == {0.02, 0.1}
    assert (EPSILON, DELTA, FPR) == (2.0, 1e-5, 0.001)  # as the third exercise has them


def test_the_first_lines_are_the_papers():
    paper = [row for row in claims_of() if not row["claim"].startswith("(Ours)")]
    assert len(paper) == 5 and claims_of()[:5] == paper  # "The first five lines"


def test_the_questions_have_the_answers_that_were_measured():
    asked = questions("12")
    size = TRAINED_SIZES[-1]
    plain, weak = (
        reached(AT_ONE_IN_A_HUNDRED, method=method, epsilon=epsilon, size=size).mean() - 0.01
        for method, epsilon in (("sgd", math.inf), ("dp-sgd", 16.0))
    )
    assert asked["large budget"]["answer"] == 2 and weak < plain / 4
    permitted = numbers(EXPERIMENT.where(method="dp-sgd", epsilon=16.0, size=size)["permitted"])[0]
    assert permitted[FPRS.index(0.01)] > 0.5  # "more than half of the members"
    found = {
        (attack, measure): reached(measure, method="sgd", epsilon=math.inf, size=size, attack=attack).mean()
        for attack in ("loss", "lira-online")
        for measure in ("auc", "tpr at fpr 0.001")
    }
    text = asked["auc"]["question"]
    assert f"AUC of {found['loss', 'auc']:.2f}" in text and f"one of {found['lira-online', 'auc']:.2f}" in text
    times = found["lira-online", "tpr at fpr 0.001"] / found["loss", "tpr at fpr 0.001"]
    assert asked["auc"]["answer"] == 2 and times > 10
