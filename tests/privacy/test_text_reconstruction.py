"""Attackers of private text: optimal where optimality can be enumerated, and no better than chance without a signal."""

import itertools

import numpy as np
import pytest

from trustlab.privacy.text import Attacker, Language, NoisyVectors, TruncatedExponential, WordTable, recovered

WORDS = ["a", "b", "c", "d"]
TABLE = WordTable(WORDS, [[0.0, 0.0], [0.5, 0.0], [0.0, 0.7], [1.0, 1.0]])
PUBLIC = [["a", "b", "a"], ["c", "a", "b"], ["a", "b", "d"], ["d", "c"], ["a"]]


@pytest.fixture(scope="module")
def attacker():
    return Attacker.on(TruncatedExponential(TABLE, 3.0), Language.of(PUBLIC), rng=np.random.default_rng(0))


def test_a_language_counts_words_and_pairs():
    language = Language.of(PUBLIC, pairs=0.5)
    share = dict(zip(language.words, np.exp(language.log_prior), strict=True))
    assert share == pytest.approx({"a": 5 / 12, "b": 3 / 12, "c": 2 / 12, "d": 2 / 12})
    a, b = language.words.index("a"), language.words.index("b")
    assert np.exp(language.log_next[a, b]) == pytest.approx(0.5 * 1 + 0.5 * 3 / 12)  # of a's followers all are b
    assert np.exp(language.log_next).sum(axis=1) == pytest.approx(1)
    assert np.exp(language.log_first).sum() == pytest.approx(1)


def test_one_words_guess_is_bayes_rule(attacker):
    log = attacker.log_channel + attacker.language.log_prior[:, None]
    for word, column in zip(WORDS, log.T, strict=True):
        assert attacker.words([[word]]) == [[attacker.language.words[column.argmax()]]]


@pytest.mark.parametrize("said", [list(text) for text in itertools.product(WORDS, repeat=3)])
def test_the_sentence_is_the_most_probable_of_all(attacker, said):
    """Enumerated: 64 sentences for each of 64."""
    language, ids = attacker.language, TABLE.ids(said)

    def probability(guess):
        score = language.log_first[guess[0]] + attacker.log_channel[guess[0], ids[0]]
        for before, here, y in zip(guess, guess[1:], ids[1:], strict=False):
            score += language.log_next[before, here] + attacker.log_channel[here, y]
        return score

    best = max(itertools.product(range(4), repeat=3), key=probability)
    (guess,) = attacker.sentences([said])
    assert probability([language.words.index(w) for w in guess]) == pytest.approx(probability(best), rel=1e-6)


def test_drawn_channels_come_near_the_exact_one():
    exact = Attacker.on(TruncatedExponential(TABLE, 3.0), Language.of(PUBLIC), rng=np.random.default_rng(0))
    drawn = Attacker.on(NoisyVectors(TABLE, 300.0), Language.of(PUBLIC), draws=50, rng=np.random.default_rng(0))
    order = [WORDS.index(word) for word in drawn.language.words]
    assert np.exp(drawn.log_channel)[range(4), order] == pytest.approx(1, abs=0.05)
    assert np.exp(exact.log_channel).sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_without_noise_all_is_recovered_and_without_signal_the_prior_is_left():
    language, rng = Language.of(PUBLIC), np.random.default_rng(0)
    clear, hidden = (Attacker.on(TruncatedExponential(TABLE, epsilon), language, rng=rng) for epsilon in (500.0, 1e-9))
    assert recovered(clear.words(PUBLIC), PUBLIC) == 1 and recovered(clear.sentences(PUBLIC), PUBLIC) == 1
    assert {word for text in hidden.words(PUBLIC) for word in text} == {"a"}
    assert recovered(hidden.words(PUBLIC), PUBLIC) == pytest.approx(5 / 12)


def test_sentences_beat_words_where_order_tells():
    """a and b alternate, in 200 texts: the words around a hidden word say it. Alone four of five would be right."""
    rng = np.random.default_rng(0)
    table = WordTable(["a", "b"], [[0.0], [0.1]])
    texts = [["a", "b"] * 5 if rng.random() < 0.5 else ["b", "a"] * 5 for _ in range(200)]
    mechanism = TruncatedExponential(table, 25.0)
    ids = [mechanism.draw(table.ids(text), rng) for text in texts]
    said = [[table.words[i] for i in text] for text in ids]
    attacker = Attacker.on(mechanism, Language.of(texts, pairs=0.99), rng=rng)
    assert recovered(attacker.words(said), texts) < 0.8 < 0.93 < recovered(attacker.sentences(said), texts)


REFUSED = {
    "no text": (lambda: Language.of([]), "Without words there is nothing to guess from"),
    "a text": (lambda: Language.of(["a b"]), "text 0 to be a list of words"),
    "pairs": (lambda: Language.of(PUBLIC, pairs=1.0), "pairs in"),
    "draws": (
        lambda: Attacker.on(NoisyVectors(TABLE, 1.0), Language.of(PUBLIC), draws=0, rng=np.random.default_rng(0)),
        "draws=0 >= 1",
    ),
    "other lengths": (lambda: recovered([["a"]], [["a", "b"]]), "a guess for each word"),
    "nothing": (lambda: recovered([], []), "at least one word"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused_by_name(case):
    build, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build()


def test_a_word_that_the_mechanism_cannot_say_is_refused(attacker):
    with pytest.raises(ValueError, match="Expected words of the mechanism's table, got 'zebra'"):
        attacker.words([["a", "zebra"]])
