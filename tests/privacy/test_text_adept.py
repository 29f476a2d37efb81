"""ADePT's noise: both scales, the witness that separates them, and the Gaussian one against its definition."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from trustlab.models import TextAutoencoder
from trustlab.privacy import epsilon as accountant
from trustlab.privacy.text import LatentNoise, transformed

# Goldens text/adept_scale_d16 and d768: Habernal (2021); the same formula in trusthlt/dp-bart-private-rewriting.
GOLDENS = {16: (2.0, 8.0), 768: (2.0, 55.42562584220407)}


@pytest.mark.parametrize("dimension", GOLDENS)
def test_scales_are_those_of_habernals_critique(dimension):
    published, corrected = GOLDENS[dimension]
    assert LatentNoise(dimension=dimension, noise="published").scale == pytest.approx(published, abs=1e-9)
    assert LatentNoise(dimension=dimension, noise="corrected").scale == pytest.approx(corrected, abs=1e-9)
    assert LatentNoise(dimension=dimension, noise="gaussian").sensitivity == pytest.approx(2.0, abs=1e-9)


@settings(deadline=None)
@given(st.integers(1, 300), st.floats(0.1, 5), st.floats(0.1, 50))
def test_the_witness_reaches_the_true_epsilon_and_breaks_the_published_one(dimension, clip, epsilon):
    for kind, expected in (("published", epsilon * math.sqrt(dimension)), ("corrected", epsilon)):
        noise = LatentNoise(dimension=dimension, clip_norm=clip, epsilon=epsilon, noise=kind)
        first, second, loss = noise.witness()
        density = scipy.stats.laplace(scale=noise.scale).logpdf
        assert np.linalg.norm(first) == pytest.approx(clip) and np.linalg.norm(second) == pytest.approx(clip)
        assert loss == pytest.approx(density(first - first).sum() - density(first - second).sum(), rel=1e-9)
        assert loss == pytest.approx(expected, rel=1e-9) and noise.true_epsilon == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_no_two_clipped_vectors_lose_more_than_the_true_epsilon(dimension, seed):
    noise = LatentNoise(dimension=dimension, noise="published")
    first, second = noise.clipped(np.random.default_rng(seed).normal(size=(2, dimension)) * 3)
    assert np.abs(first - second).sum() / noise.scale <= noise.true_epsilon * (1 + 1e-9)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 1e-5), (1.0, 1e-6), (8.0, 1e-5)])
def test_gaussian_noise_is_the_accountants(epsilon, delta):
    noise = LatentNoise(epsilon=epsilon, delta=delta, noise="gaussian", clip_norm=3.0)
    multiplier = noise.scale / noise.sensitivity
    assert accountant(noise_multiplier=multiplier, steps=1, delta=delta) == pytest.approx(epsilon, rel=0.01)


def test_clipping_shortens_and_keeps_what_is_short():
    noise = LatentNoise(dimension=2, clip_norm=1.0)
    assert noise.clipped([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]) == pytest.approx(
        np.array([[0.6, 0.8], [0.3, 0.4], [0, 0]])
    )


@pytest.mark.parametrize(("kind", "std"), [("published", math.sqrt(2) * 2.0), ("corrected", math.sqrt(2) * 8.0)])
def test_what_is_released_has_the_stated_noise(kind, std):
    released = LatentNoise(dimension=16, noise=kind).private(np.zeros((5000, 16)), np.random.default_rng(0))
    assert released.std() == pytest.approx(std, rel=4 * 1.12 / math.sqrt(80_000))  # kurtosis 6


class Echo:
    """An autoencoder whose vectors are known, and that says the numbers that it is given."""

    def vectors(self, texts):
        return np.array([[len(text), 0.0] for text in texts])

    def say(self, vectors):
        return [[f"{x:.3f}" for x in row] for row in vectors]


def test_a_text_is_encoded_clipped_and_decoded_with_the_noise_of_its_seed():
    noise = LatentNoise(dimension=2, clip_norm=1.5, epsilon=2.0)
    texts = [["a"], ["a", "b", "c"]]
    said = transformed(texts, Echo(), noise, np.random.default_rng(5))
    drawn = np.random.default_rng(5).laplace(scale=2 * 1.5 * math.sqrt(2) / 2.0, size=(2, 2))
    assert said == [[f"{x:.3f}" for x in row] for row in np.array([[1.0, 0.0], [1.5, 0.0]]) + drawn]
    weak = LatentNoise(dimension=2, clip_norm=1.5, epsilon=1e12)
    (_, long) = transformed(texts, Echo(), weak, np.random.default_rng(5))
    assert [abs(float(x)) for x in long] == [1.5, 0.0]


def test_noise_of_another_length_than_the_autoencoders_is_refused():
    model = TextAutoencoder(["a"], latent=3, width=4)
    with pytest.raises(ValueError, match="latent vectors of 2 numbers, got 3"):
        transformed([["a"]], model, LatentNoise(dimension=2), np.random.default_rng(0))


REFUSED = {
    "noise": (lambda: LatentNoise(noise="none"), "Expected noise='none' to be one of"),
    "epsilon": (lambda: LatentNoise(epsilon=0.0), "Expected epsilon=0.0 > 0"),
    "clip": (lambda: LatentNoise(clip_norm=-1.0), "Expected clip_norm=-1.0 > 0"),
    "dimension": (lambda: LatentNoise(dimension=0), "Expected dimension=0 >= 1"),
    "width": (lambda: LatentNoise(dimension=2).clipped([[1.0]]), "latent vectors of 2 numbers, got 1"),
    "infinite": (lambda: LatentNoise(dimension=1).clipped([[math.inf]]), "all finite"),
    "witness": (lambda: LatentNoise(noise="gaussian").witness(), "Expected Laplace noise, got Gaussian"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused_by_name(case):
    build, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build()
