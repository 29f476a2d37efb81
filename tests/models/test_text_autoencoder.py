"""The autoencoder of texts: it repeats what it learned, its vectors are short, and padding and order change nothing."""

import numpy as np
import pytest
import torch

from trustlab.models import RepeatOptions, TextAutoencoder, learn_to_repeat

VERBS, THINGS, ENDS = ["play", "stop", "find"], ["jazz", "rock", "news", "tea"], ["please", "now"]
TEXTS = [[a, b, c] for a in VERBS for b in THINGS for c in ENDS] + [[a, b] for a in VERBS for b in THINGS]


@pytest.fixture(scope="module")
def learned():
    options = RepeatOptions(epochs=120, batch_size=12, learning_rate=0.02)
    return list(learn_to_repeat(TEXTS, options, latent=6, width=24, longest=6))


def test_it_learns_to_repeat(learned):
    assert [row["epoch"] for row in learned] == list(range(1, 121))
    assert learned[-1]["loss"] < 0.05 < learned[0]["loss"]
    model = learned[-1]["model"]
    assert model.say(model.vectors(TEXTS)) == TEXTS


def test_vectors_are_no_longer_than_one(learned):
    lengths = np.linalg.norm(learned[-1]["model"].vectors(TEXTS), axis=1)
    assert lengths.max() <= 1 + 1e-6 and lengths.min() > 0.3


def test_a_text_is_read_alike_alone_and_among_others(learned):
    model = learned[-1]["model"]
    together = model.vectors(TEXTS)
    for i in (0, len(TEXTS) - 1):
        np.testing.assert_allclose(model.vectors([TEXTS[i]])[0], together[i], atol=1e-6)


def test_the_loss_is_the_cross_entropy_of_what_it_can_say():
    model = TextAutoencoder(["a", "b"], latent=3, width=5)
    ids = model.ids([["a", "zebra", "b"], ["b"]])
    assert ids.tolist() == [[3, 1, 4, 2], [4, 2, 0, 0]]
    vectors = torch.randn(2, 3)
    losses = model(ids, vectors)
    assert losses[1].item() == pytest.approx(model(ids[1:, :2], vectors[1:]).item(), rel=1e-5)  # padding counts nothing
    (alone,) = model(ids[:1], vectors[:1]).tolist()
    assert losses[0].item() == pytest.approx(alone, rel=1e-5)


def test_a_word_outside_the_list_is_never_said(learned):
    model = learned[-1]["model"]
    said = model.say(model.vectors([["play", "zebra", "please"], ["zebra"]]))
    said += model.say(np.random.default_rng(0).normal(size=(200, 6)))
    assert {word for text in said for word in text} <= set(model.words)
    assert all(len(text) <= 6 for text in said)


def test_a_seed_repeats_and_the_global_generator_is_left(learned):
    options = RepeatOptions(epochs=2, noise=0.1, seed=3)
    state = torch.get_rng_state()
    first, again = (list(learn_to_repeat(TEXTS, options, latent=4, width=8))[-1]["loss"] for _ in range(2))
    assert first == again and torch.equal(state, torch.get_rng_state())
    other = list(learn_to_repeat(TEXTS, RepeatOptions(epochs=2, noise=0.1, seed=4), latent=4, width=8))[-1]["loss"]
    assert other != first


def test_only_the_most_frequent_words_are_kept():
    *_, last = learn_to_repeat([["a", "a", "b"], ["a", "c"]], RepeatOptions(epochs=1), most=1, latent=2, width=4)
    assert last["model"].words == ("a",)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "at least one public text with a word"),
        ([[]], {}, "at least one public text with a word"),
        (["play jazz"], {}, "to be a list of words, got the text"),
        (TEXTS, {"most": 0}, "most=0 >= 1"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_before_it_starts(texts, options, message):
    with pytest.raises(ValueError, match=message):
        next(learn_to_repeat(texts, RepeatOptions(epochs=1), **options))
