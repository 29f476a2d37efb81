import numpy as np
import pytest

from trustlab.course.n23_continual_learning.toy import (
    BUDGETS,
    DRIFTS,
    EXAMPLES,
    LENGTHS,
    PERIODS,
    PULL,
    ToyPosition,
    continual_toy,
    follow,
)


@pytest.mark.parametrize("replay", BUDGETS)
def test_the_number_is_what_many_drawn_examples_give_on_average(replay):
    """The same followed with examples drawn around the targets and a sample of them kept."""
    at = ToyPosition(drift=4.0, replay=replay, rounds=5)
    targets, path = follow(at)
    rng = np.random.default_rng(0)
    ends = []
    for _ in range(300):
        stands, past, own = 0.0, np.empty(0), []
        for target in targets:
            new = rng.normal(target, 1.0, EXAMPLES)
            kept = rng.permutation(past)[:replay]
            mean = np.concatenate([new, kept]).mean()
            for _ in range(at.rounds):
                stands += PULL * (mean - stands)
            past = np.concatenate([past, new])
            own.append(stands)
        ends.append(own)
    np.testing.assert_allclose(np.mean(ends, axis=0), path[:, -1], atol=0.06)


def test_without_drift_nothing_is_forgotten_and_with_it_replay_keeps_some():
    toy = continual_toy()
    still = np.array(toy.set(drift=0.0, replay=0, rounds=20).answer.matrix)
    np.testing.assert_allclose(still, 1.0)
    said = "replay changes nothing"
    assert said in toy.answer.verdict and said in toy.set(replay=100).answer.verdict
    np.testing.assert_allclose(toy.answer.matrix, still)
    assert said not in toy.set(drift=4.0).answer.verdict
    left = [toy.set(replay=replay).answer.matrix[-1][0] for replay in BUDGETS]
    assert left == sorted(left) and left[-1] > 10 * left[0]
    present = [toy.set(replay=replay).answer.matrix[-1][-1] for replay in BUDGETS]
    assert present == sorted(present, reverse=True)  # which it pays for with the present


def test_every_position_has_a_sentence_with_its_numbers(drawn):
    toy, seen = continual_toy(), set()
    for drift in DRIFTS[1:]:
        for replay in BUDGETS:
            for rounds in LENGTHS:
                answer, shown = drawn(toy, drift=drift, replay=replay, rounds=rounds)
                matrix = np.array(answer.matrix)
                assert (
                    f"fits the present by {100 * matrix[-1, -1]:.0f}\u00a0% and the first period by" in answer.verdict
                )
                assert len(shown["number"]) == PERIODS * rounds + 1
                assert shown["matrix"] == [[f"{100 * fit:.0f}" for fit in row] for row in matrix]
                seen.add((answer.verdict, tuple(matrix[:, 0])))
    assert len(seen) == 3 * len(BUDGETS) * len(LENGTHS)


def test_a_matrix_in_the_making_is_white_where_it_is_not_yet():
    drawing = continual_toy().drawing
    drawing.matrix.show([[0.9] * PERIODS])
    assert drawing.shown()["matrix"] == [["90"] * PERIODS] + [[""] * PERIODS] * (PERIODS - 1)
