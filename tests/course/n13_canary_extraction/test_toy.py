"""The toy of notebook 13: gradient descent on mixtures ends at the digits of least loss, and the rank is counted."""

import itertools

import numpy as np
import pytest

from trustlab.course.n13_canary_extraction.toy import (
    MEMORIES,
    RATE,
    SECRET,
    STEPS,
    ToyPlace,
    losses,
    rank,
    turned,
    wheels_toy,
)


def test_no_step_mixes_evenly_and_many_end_at_the_least_loss():
    for memory in MEMORIES:
        np.testing.assert_allclose(turned(memory, 0), 0.1)
        np.testing.assert_array_equal(turned(memory, 3000).argmax(1), losses(memory).argmin(1))


def test_a_step_is_the_gradient_of_the_expected_loss():
    """By finite differences from the even mixture, whose logits are 0."""
    table, small = losses(1.0), 1e-6

    def expected(logits):
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return (shares * table).sum()

    gradient = np.zeros((4, 10))
    for at in itertools.product(range(4), range(10)):
        up = np.zeros((4, 10))
        up[at] = small
        gradient[at] = (expected(up) - expected(-up)) / (2 * small)
    moved = np.exp(-RATE * 10 * gradient)
    np.testing.assert_allclose(turned(1.0, 1), moved / moved.sum(1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_rank_is_that_of_adding_up_all_codes(memory):
    table = losses(memory)
    sums = sorted(
        (sum(table[place][digit] for place, digit in enumerate(code)), code)
        for code in itertools.product(range(10), repeat=4)
    )
    assert rank(memory) == 1 + [code for _, code in sums].index(SECRET)


def test_more_memory_exposes_more_and_trying_all_finds_it_before_the_wheels_do():
    ranks = [rank(memory) for memory in MEMORIES]
    assert ranks == sorted(ranks, reverse=True)
    half = MEMORIES.index(1.5)
    assert ranks[half] <= 100 and (turned(MEMORIES[half], max(STEPS)).argmax(1) != SECRET).any()


def test_every_position_has_its_sentence(drawn):
    toy, seen = wheels_toy(), set()
    for memory, steps in itertools.product(MEMORIES, STEPS):
        answer, shown = drawn(toy, memory=memory, steps=steps)
        assert f"After {steps} steps" in answer.verdict and f"guess number {rank(memory):,}" in answer.verdict
        assert shown["here"][0][0] == memory
        seen.add(answer.verdict)
    assert len(seen) == len(MEMORIES) * len(STEPS)
    assert "nothing yet" in toy.answer_at(ToyPlace(steps=0)).verdict
