import html
import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from trustlab.course.n11_dp_sgd_vs_edp_sgd.toy import (
    ClippingDrawing,
    ClippingPosition,
    anna,
    answer,
    best_guess,
    clip,
    clipping_toy,
    others,
)
from trustlab.privacy import private_gradients

# Both ends of every slider and some places between.
PLACES = {
    "clip_norm": (0.1, 0.5, 1.0, 2.0, 3.0),
    "noise_multiplier": (0.0, 0.3, 1.0, 2.5, 4.0),
    "length": (0.5, 0.9, 1.5, 2.4, 3.5),
}
CORNERS = [
    dict(zip(PLACES, corner, strict=True)) for corner in itertools.product(*(p[:: len(p) - 1] for p in PLACES.values()))
]
POSITIONS = [
    ClippingPosition(),
    ClippingPosition(2.0, 0.7, 1.5),
    ClippingPosition(0.1, 2.5, 3.5),
    ClippingPosition(3.0, 0.4, 0.5),
]


@pytest.fixture(scope="module")
def panel():
    return clipping_toy()


def alt_and_picture(panel):
    alt, picture = re.search(r' aria-label="([^"]*)"[^>]*>(<.*)</div>', panel.widgets.picture.value).groups()
    return html.unescape(alt), picture


def number(shown, quantity):
    return next(row["value"] for row in shown.numbers if row["quantity"] == quantity)


def clouds(drawing):
    """Return the two clouds of noisy sums on the right of the picture: without Anna, and with her."""
    by_label = {cloud.get_label(): np.asarray(cloud.get_offsets()) for cloud in drawing.figure.axes[1].collections}
    return by_label["without Anna"], by_label["with Anna"]


def test_the_sliders_reach_as_far_as_these_tests_go(panel):
    for name, places in PLACES.items():
        slider = panel.controls[name].widget
        assert (slider.min, slider.max) == (places[0], places[-1])


@pytest.mark.parametrize("dial", PLACES)
def test_every_place_of_every_slider_has_words_and_its_own_picture(panel, dial):
    panel.reset()
    seen = set()
    for value in PLACES[dial]:
        panel.controls[dial].widget.value = value  # as a hand does
        alt, picture = alt_and_picture(panel)
        assert alt and alt in panel.summary
        assert getattr(panel.config, dial) == value
        seen.add(picture)
    assert len(seen) == len(PLACES[dial])


@pytest.mark.parametrize("corner", CORNERS, ids=str)
def test_the_extremes_of_all_sliders_together_are_drawn_and_said(panel, corner):
    alt, _ = alt_and_picture(panel.set(**corner))
    shift, noise = min(corner["length"], corner["clip_norm"]), corner["noise_multiplier"] * corner["clip_norm"]
    right = norm.cdf(shift / (2 * noise)) if noise else 1.0
    assert f"right {100 * right:.0f}\u00a0% of the time" in alt
    assert f"standard deviation {noise:.2f}." in alt
    assert ("clipped to" in alt) == (corner["length"] > corner["clip_norm"])


def test_reset_restores_words_and_picture(panel):
    panel.reset()
    before = panel.summary, alt_and_picture(panel)
    panel.set(clip_norm=2.0, noise_multiplier=0.3, length=0.9)
    assert (panel.summary, alt_and_picture(panel)) != before
    panel.widgets.buttons["Reset"].click()
    assert (panel.summary, alt_and_picture(panel)) == before
    assert panel.config == ClippingPosition()


def test_a_value_off_the_slider_is_refused(panel):
    with pytest.raises(ValueError, match=r"Expected clip_norm=0\.0 to be a number from 0\.1 to 3"):
        panel.set(clip_norm=0.0)


def test_a_move_is_drawn_once_and_reuses_what_is_there(panel, assert_moves_are_cheap):
    assert_moves_are_cheap(panel, [{"noise_multiplier": 0.1 * i, "clip_norm": 0.5 + 0.1 * i} for i in range(6)])


# Clipping


vectors = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=10).map(np.array)


@given(gradients=vectors, clip_norm=st.floats(0.05, 10))
def test_clip_is_its_definition(gradients, clip_norm):
    clipped = clip(gradients, clip_norm)
    assert clipped.shape == gradients.shape
    for before, after in zip(gradients, clipped, strict=True):
        length = math.hypot(*before)
        if length <= clip_norm:
            np.testing.assert_array_equal(after, before)  # short enough: not touched at all
        else:
            np.testing.assert_allclose(after, before / length * clip_norm, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("clip_norm", [0.3, 1.0, 3.0])
def test_the_toy_clips_as_the_package_does(clip_norm):
    gradients = torch.tensor(np.vstack([others(), anna(3.0)]), dtype=torch.float64)
    model = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)  # the gradient of example i is x_i itself
    loss = lambda model, batch: model(batch).squeeze(-1)  # noqa: E731
    private_gradients(
        model, loss, gradients, method="dp-sgd", engine="loop", clip_norm=clip_norm, expected_batch_size=1.0
    )
    np.testing.assert_allclose(model.weight.grad[0].numpy(), clip(gradients.numpy(), clip_norm).sum(0), rtol=1e-9)


def test_the_toy_is_drawn_by_the_readers_function():
    toy = clipping_toy(lambda gradients, C: np.zeros_like(gradients).tolist())
    assert not toy.drawing.shown()["clipped"].any() and toy.drawing.shown()["whole"].any()
    assert toy.answer.verdict == clipping_toy().answer.verdict


# What the picture shows


@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_the_clouds_lie_around_the_two_sums_and_are_as_wide_as_said(position):
    drawing = ClippingDrawing()
    drawing.draw(answer(position))
    without, with_her = clouds(drawing)
    sums = clip(others(), position.clip_norm).sum(0)
    moved = sums + clip(anna(position.length)[None], position.clip_norm)[0]
    std = position.noise_multiplier * position.clip_norm
    for cloud, centre in ((without, sums), (with_her, moved)):
        errors = (cloud - centre).ravel()  # 300 draws of N(0, std²)
        assert abs(errors.mean()) < 5 * std / math.sqrt(errors.size)
        assert errors.std() == pytest.approx(std, rel=5 / math.sqrt(2 * errors.size))


def test_without_noise_the_clouds_are_the_two_sums():
    drawing = ClippingDrawing()
    drawing.draw(answer(ClippingPosition(1.0, 0.0, 3.0)))
    without, with_her = clouds(drawing)
    assert np.ptp(without, axis=0).max() == np.ptp(with_her, axis=0).max() == 0
    assert np.linalg.norm(with_her[0] - without[0]) == pytest.approx(1.0)  # Anna, clipped to C = 1


def test_the_noise_with_and_without_anna_is_not_the_same():
    """The same draws on both sides would show a shift that nobody who sees one sum could see."""
    drawing = ClippingDrawing()
    drawing.draw(answer(ClippingPosition()))
    without, with_her = clouds(drawing)
    assert abs(np.corrcoef(without.ravel(), with_her.ravel())[0, 1]) < 0.5


def test_the_circle_has_radius_c():
    drawing = ClippingDrawing()
    drawing.draw(answer(ClippingPosition(clip_norm=2.2)))
    (circle,) = drawing.figure.axes[0].patches
    assert circle.get_radius() == 2.2


# The verdict


@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_the_best_guess_is_what_an_attacker_reaches(position):
    """A likelihood-ratio attacker, who knows everything but Anna's part, on 40 000 noisy sums."""
    draws = 40_000
    rng = np.random.default_rng(11)
    took_part = rng.random(draws) < 0.5
    without = clip(others(), position.clip_norm).sum(0)
    share = clip(anna(position.length)[None], position.clip_norm)[0]
    noise = position.noise_multiplier * position.clip_norm * rng.standard_normal((draws, 2))
    seen = without + took_part[:, None] * share + noise
    # log p(seen | with) - log p(seen | without), times the variance: positive says "with".
    ratio = ((seen - without) ** 2).sum(1) - ((seen - without - share) ** 2).sum(1)
    measured = ((ratio > 0) == took_part).mean()
    said = number(answer(position), "best guess is right")
    assert measured == pytest.approx(said, abs=5 * math.sqrt(said * (1 - said) / draws))
    assert 0.52 < said < 0.99  # neither end, where anything agrees


@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_the_numbers_are_the_closed_form(position):
    shown = answer(position)
    shift, std = min(position.length, position.clip_norm), position.noise_multiplier * position.clip_norm
    assert number(shown, "Anna's share of the sum") == shift
    assert number(shown, "standard deviation of the noise") == std
    assert number(shown, "best guess is right") == pytest.approx(norm.cdf(shift / (2 * std)))
    # At worst Δ = C against noise σ·C: C cancels, and σ alone decides (Gaussian DP with μ = 1/σ).
    worst = number(shown, "… at worst, for any gradient")
    assert worst == pytest.approx(norm.cdf(1 / (2 * position.noise_multiplier)))
    assert worst >= number(shown, "best guess is right")


def test_beyond_c_her_length_changes_nothing_about_the_guess():
    guesses = {number(answer(ClippingPosition(1.0, 1.0, length)), "best guess is right") for length in (1.0, 2.0, 3.5)}
    assert len(guesses) == 1
    assert number(answer(ClippingPosition(1.0, 1.0, 0.5)), "best guess is right") < guesses.pop()


def test_the_best_guess_has_the_right_limits():
    assert best_guess(1.0, 0.0) == 1.0
    assert best_guess(1.0, 1e-9) == 1.0
    assert best_guess(1.0, 1e9) == pytest.approx(0.5)
    assert best_guess(0.0, 1.0) == 0.5


@given(shift=st.floats(0.01, 100), noise_std=st.floats(0.01, 100), factor=st.floats(1.01, 10))
def test_more_noise_never_helps_the_attacker_and_units_do_not_matter(shift, noise_std, factor):
    here = best_guess(shift, noise_std)
    assert 0.5 <= best_guess(shift, factor * noise_std) <= here <= best_guess(factor * shift, noise_std) <= 1
    assert best_guess(factor * shift, factor * noise_std) == pytest.approx(here)
