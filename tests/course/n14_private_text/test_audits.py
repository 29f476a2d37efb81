"""What notebook 14 computes without a table: its audits, ADePT's scales, its toy."""

import math

import numpy as np
import pytest

from trustlab.course.n14_private_text.audits import adept, loss_of
from trustlab.course.n14_private_text.experiment import COMPARED
from trustlab.course.n14_private_text.toy import PLACES, chances, hiding_toy
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, SHAPED


@pytest.mark.parametrize("mechanism", [LAPLACE, SHAPED, EXPONENTIAL])
def test_three_mechanisms_keep_their_promise_on_ten_thousand_pairs(mechanism):
    for epsilon in (COMPARED[mechanism][0], COMPARED[mechanism][-1]):
        found = loss_of(mechanism, epsilon)
        assert found["promise"] == "kept" and found["loss / promise"] <= 1 + 1e-9 and found["pairs"] >= 10_000


def test_noise_uses_its_promise_up_and_truncated_gumbel_noise_breaks_it():
    assert loss_of(LAPLACE, COMPARED[LAPLACE][0])["loss / promise"] == pytest.approx(1, abs=1e-9)
    found = loss_of(GUMBEL, COMPARED[GUMBEL][0])
    assert found["promise"] == "broken" and found["loss / promise"] > 1


def test_adepts_true_epsilon_is_the_root_of_the_dimension_times_the_stated_one():
    # Goldens text/adept_scale_d16 and d768: Habernal 2021.
    rows = {row["d"]: row for row in adept()}
    assert (rows["16"]["published b"], rows["16"]["needed b"]) == (2.0, pytest.approx(8.0))
    assert rows["768"]["needed b"] == pytest.approx(55.42562584220407, rel=1e-9)
    assert all(row["true"] == pytest.approx(math.sqrt(int(d))) for d, row in rows.items())


def test_a_lonely_word_stays_and_a_crowded_one_hides():
    order = list(PLACES)
    for mechanism in (LAPLACE, EXPONENTIAL):
        tea, alone = (chances(word, 4.0, mechanism) for word in ("tea", "xylophone"))
        assert tea[0][order.index("tea")] < alone[0][order.index("xylophone")] and tea[1] > alone[1]
        assert sum(tea[0]) == pytest.approx(1)


def test_the_toy_draws_what_it_says(drawn):
    toy = hiding_toy()
    answer, shown = drawn(toy, word="pay", epsilon=16.0, mechanism=EXPONENTIAL)
    said = {row["word"]: row["said"] for row in answer.numbers}
    assert f"“pay” is said as it is in {100 * said['pay']:.0f}" in answer.verdict
    assert any(text.startswith("pay ") for text in shown["map"])
    distances = np.array([row["distance"] for row in answer.numbers])
    weights = np.exp(-8 * distances)
    assert said["owe"] == pytest.approx((weights / weights.sum())[list(PLACES).index("owe")], rel=0.01)
