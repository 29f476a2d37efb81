import numpy as np
import pytest
import torch

from trustlab.course.n24_fednlp_benchmark.exercises import adaptive_step, hints, light_share, server_step, squad_f1
from trustlab.federated.aggregation import ServerConfig, ServerOptimizer


def test_an_unanswered_exercise_says_so():
    assert all(str(exercise(...)).startswith("… Not ") and exercise(...).right is None for exercise in hints)


def test_right_answers_are_right():
    assert str(light_share(4 / 14)).startswith("✓")
    assert str(squad_f1(2 / 3)).startswith("✓")
    server = ServerOptimizer(ServerConfig("adam", learning_rate=0.03))
    step = server.step({"w": torch.zeros(1)}, {"w": torch.tensor([0.1])})["w"].item()
    assert str(adaptive_step(step)).startswith("✓")


@pytest.mark.parametrize(
    ("exercise", "answer", "slip"),
    [
        (light_share, 0.08, "share by examples"),
        (light_share, 4 / 13, "the last one counts too"),
        (light_share, 0.8, "equal weights for all clients"),
        (light_share, (4 / 14) / 0.08, "how many times too much weight"),
        (squad_f1, 0, "exact match"),
        (squad_f1, 0.5, "Jaccard"),
        (squad_f1, 1, "the other lacks"),
        (adaptive_step, 0.1, "FedAvg's step"),
        (adaptive_step, 0.03 * 0.01 / (1.0099e-4 + 1e-3), "root is missing"),
        (adaptive_step, 0.03 * 0.01 / 0.011, "starts at τ², not at 0"),
        (adaptive_step, 0.03 * 0.1 / 0.101, "bias correction"),
    ],
)
def test_each_slip_is_named(exercise, answer, slip):
    assert slip in str(exercise(answer))


@pytest.mark.parametrize(
    ("exercise", "rounded"), [(light_share, (0.29, 0.286)), (squad_f1, (0.67, 0.667)), (adaptive_step, (0.027, 0.0272))]
)
def test_an_answer_may_be_rounded(exercise, rounded):
    assert all(str(exercise(answer)).startswith("✓") for answer in rounded)


@pytest.mark.parametrize(
    ("exercise", "rounded", "slip"),
    [(light_share, 0.31, "the last one counts too"), (adaptive_step, 0.0273, "starts at τ², not at 0")],
)
def test_so_may_a_slip_that_stays_apart(exercise, rounded, slip):
    assert slip in str(exercise(rounded))


def test_nearly_right_is_not_right():
    assert str(light_share(0.3)).startswith("✗") and str(squad_f1(0.66)).startswith("✗")


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    for text in hints[exercise]:
        assert text.replace("`", "")[:30] in str(shown.reveal())


# The function that a reader builds

ETA, BETA_1, BETA_2, TAU = 0.03, 0.9, 0.99, 0.001


def by_hand(w, delta, m, v):
    """Algorithm 2 of Reddi et al., written again."""
    m = m + (1 - BETA_1) * (delta - m)
    v = v - (1 - BETA_2) * (v - np.square(delta))
    return w + ETA * m / (TAU + np.sqrt(v)), m, v


def with_weights(move):
    def step(w, delta, m, v):
        _, new_m, new_v = by_hand(w, delta, m, v)
        return move(w, delta, m, v, new_m, new_v), new_m, new_v

    return step


def test_the_formula_written_again_is_right():
    assert server_step(by_hand).right


def test_a_function_that_is_not_written_yet_is_not_wrong():
    assert server_step(lambda w, delta, m, v: None).right is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda w, delta, m, v: w + delta, "Return three things"),
        (lambda w, delta, m, v: (w, BETA_1 * m + delta, v), "m is not the one of the formula"),
        (lambda w, delta, m, v: (w, by_hand(w, delta, m, v)[1], v + delta**2), "v is not the one of the formula"),
        (with_weights(lambda w, delta, m, v, M, V: w - ETA * M / (np.sqrt(V) + TAU)), "not against it"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * M / (V + TAU)), "root is missing"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * M / np.sqrt(V + TAU)), "not below the root"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * m / (np.sqrt(V) + TAU)), "uses the new m"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * M / (np.sqrt(v) + TAU)), "uses the new v"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * delta / (np.sqrt(V) + TAU)), "along m, not along Δ"),
        (with_weights(lambda w, delta, m, v, M, V: w + M / (np.sqrt(V) + TAU)), "η is missing"),
        (with_weights(lambda w, delta, m, v, M, V: w + ETA * 10 * M / (np.sqrt(100 * V) + TAU)), "bias correction"),
        (with_weights(lambda w, delta, m, v, M, V: ETA * M / (np.sqrt(V) + TAU)), "add it to w"),
    ],
)
def test_a_wrong_step_hears_what_is_wrong(wrong, sentence):
    checked = server_step(wrong)
    assert checked.right is False and sentence in str(checked)
