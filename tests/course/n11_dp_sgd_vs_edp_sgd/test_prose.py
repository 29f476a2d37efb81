"""Every number in the notebook's running text comes from what it speaks of."""

from trustlab.course.lessons import questions
from trustlab.course.n11_dp_sgd_vs_edp_sgd import claims, method_search, toy
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPSILON_OF_VARIANTS
from trustlab.data import load
from trustlab.privacy import SENSITIVITY, decayed, epsilon, noise_multiplier_for

NOTEBOOK = "11_dp_sgd_vs_edp_sgd"
# Years, the paper's number, a section, "up to 130 times" as the summary of the paper has it, notebook 12; in exercises
# and in the example of one dimension the numbers are the task itself.
HARMLESS = (
    r"\b(?:19|20)\d\d\b|2107\.14586|§5\.6|130 times|notebook 12|C = 1, and|gradient of −1|is 1000|−1 and 1|"
    r"x₁ = \(1, 2\), x₂ = \(0, 1\)|δ₁ = \(1, 0\), δ₂ = \(1, 1\)|longer than 10|more than 1\.9 C|less than 2C|\b2C\b|"
    r"have 2ε|δ\(1 \+|δ exceeds 1|that count by 1|Algorithm 1\b|σ/2|‖²"
)


def names(number):
    words = "zero one two three four five six seven eight nine ten eleven twelve"
    return words.split()[number]


def test_every_number_in_the_text_is_of_the_run_that_it_speaks_of(numbers_left):
    train = len(load("assistant")["train"])
    rate, steps, epochs = 0.032, 155, 5  # of the example in the code: `run`, and five epochs of 31 steps
    fragments = [
        f"{train:,} utterances, {rate * train:.0f} of them expected in each step (q = {rate:g})",
        f"{names(epochs)} epochs ({steps} steps), and δ = 1e-5",
        f"(more than {claims.MANY_TIMES:g} ×, less than {claims.A_FEW_PER_CENT:g} ×)",
        "the same 128 utterances",  # as in the code of the cell
        f"δ = 1e-5, q = {rate:g}, {steps // epochs} steps",
        "For ε = 4, ",
        "and γ = 0.8",
        "at ε = 8: no guarantee",
        "At ε = 3 it did not: in our looks",  # in words only; what was looked at is in layers_experiment
        f"on the embedded corpus at ε = {EPSILON_OF_VARIANTS:g}, with the options",
    ]
    left = numbers_left(NOTEBOOK, fragments, HARMLESS)
    assert not left, left
    assert round(train / (rate * train)) * epochs == steps


def test_from_three_utterances_of_a_person_on_delta_exceeds_1_at_epsilon_8():
    of_two, of_three = 1e-5 * (1 + 2.718281828**8), 1e-5 * (1 + 2.718281828**8 + 2.718281828**16)
    assert of_two < 1 < of_three


def test_what_the_text_counts_in_words_is_so(numbers_left):
    trials, passes = names(method_search.BUDGET), names(method_search.COMMON["epochs"].values[-1])
    text = [f"{trials} trials of batch size, learning rate and, for eDP-SGD, K, with the same {passes} passes over"]
    text += [f"{passes} passes for every method, {trials} trials of its settings"]
    text += [
        f"{names(len(toy.others()) + 1).capitalize()} examples have gradients",
        "SNIPS has seven intents",
    ]
    numbers_left(NOTEBOOK, text, HARMLESS)
    assert SENSITIVITY["edp-sgd"] == 2 * SENSITIVITY["dp-sgd"]  # "with twice the noise"


def test_the_question_about_decay_has_the_answer_that_the_accountant_gives():
    asked = questions("11")["decay"]
    run = dict(sample_rate=0.032, delta=1e-5, sensitivity=2.0)
    sigma = noise_multiplier_for(epsilon=8.0, steps=155, **run)
    spent = epsilon(noise_multiplier=decayed(sigma, decay=0.7, steps=155, steps_per_epoch=31), **run)
    assert "γ = 0.7" in asked["question"] and "five epochs" in asked["question"] and "ε = 8" in asked["question"]
    assert asked["choices"][asked["answer"]] == "More than 100" and spent > 100
    assert "a quarter of σ₀" in asked["because"] and abs(0.7**4 - 0.25) < 0.02
    last = epsilon(noise_multiplier=sigma * 0.7**4, steps=31, **run)
    assert last > 0.8 * spent  # "spends nearly everything"
