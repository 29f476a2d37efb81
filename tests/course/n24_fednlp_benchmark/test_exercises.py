import pytest
import torch

from trustlab.course.n24_fednlp_benchmark.exercises import adaptive_step, hints, light_share, squad_f1
from trustlab.federated.aggregation import ServerConfig, ServerOptimizer


def test_an_unanswered_exercise_says_so():
    assert all(str(exercise(...)).startswith("… Not answered yet") for exercise in hints)


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
