"""The experiment of notebook 14: what a classifier learns from rewritten text, and what an attacker reads in it.

One setting is a corpus, a mechanism, its ε and a seed. The training texts are rewritten word by word; an intent
classifier (logistic regression on tf-idf) learns from them and is tested on texts as they were said, and on rewritten
ones. An attacker knows the mechanism, its ε and texts of the same kind that are public here (the validation split), and
finds the most probable sentence behind each rewritten one. It learns every mechanism from the same number of draws, so
that none is better known than another.

Every mechanism has its own values of ε, from one at which hardly a word is recovered to one at which nearly all are:
settings are compared at equal shares of recovered words, never at equal ε. The seed decides which texts are drawn from
the corpus, and all noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.baselines import MAJORITY, TFIDF, majority, tfidf_logistic
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text.word_mechanisms import (
    EXPONENTIAL,
    GUMBEL,
    LAPLACE,
    MAKE,
    RANDOM,
    SHAPED,
    lowered,
    public_table,
)
from trustlab.privacy.text import Attacker, Language, deniability, recovered, rewrite

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED, "snips")
KEY = ("mechanism", "epsilon")  # with the seed: one row
TRAIN, TEST, ATTACKED = 800, 500, 200  # texts
CANDIDATES, DRAWS = 400, 100  # words that the attacker guesses from, and what it draws for each
WATCHED = 20  # frequent words whose S_w is counted
COMPARED: Mapping[str, tuple[float, ...]] = MappingProxyType({
    LAPLACE: (20.0, 30.0, 40.0, 55.0, 75.0, 120.0),
    SHAPED: (20.0, 30.0, 40.0, 55.0, 75.0, 120.0),
    EXPONENTIAL: (12.0, 16.0, 20.0, 25.0, 32.0, 50.0),
    GUMBEL: (250.0, 1e5, 1e9, 1e13, 1e18, 1e30),  # the published scale needs ε > 211; much of it changes little
})  # fmt: skip
BASELINES = (MAJORITY, TFIDF, RANDOM)  # they have no ε
NONE = 0.0  # in its column


@dataclass(frozen=True)
class Setting:
    """One mechanism at one ε, on texts drawn by one seed."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    mechanism: str = option(
        LAPLACE,
        label="Mechanism",
        help="How words are replaced; majority, tf-idf (the text as it is) and random words are baselines.",
        values=(*COMPARED, *BASELINES),
    )
    epsilon: float = option(60.0, label="ε", help="Per unit of distance; its meaning is the mechanism's own.", low=0)
    seed: int = option(0, label="Seed", help="Of the texts drawn, and of all noise.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(5), mechanisms: Sequence[str] = ()) -> list[Setting]:
    """Return every mechanism at its values of ε, and the baselines, over `seeds`; some `mechanisms` keep a part.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0], mechanisms=["Laplace"]))
    6
    """
    kinds = [(mechanism, epsilon) for mechanism, values in COMPARED.items() for epsilon in values]
    kinds += [(baseline, NONE) for baseline in BASELINES]
    wanted = mechanisms or (*COMPARED, *BASELINES)
    return [Setting(corpus, *kind, seed=seed) for kind in kinds if kind[0] in wanted for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"private_text_{corpus}"


class Texts(NamedTuple):
    """What a seed draws from a corpus, each text a list of words in lower case."""

    train: list[list[str]]
    train_intents: list[str]
    test: list[list[str]]
    test_intents: list[str]
    public: list[list[str]]


def drawn(corpus: datasets.DatasetDict, seed: int) -> Texts:
    """Draw training and test texts; all of the validation split is public.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> said = drawn(assistant(400, devices=5), 0)
    >>> len(said.train), len(said.test), len(said.public)
    (320, 40, 40)
    """
    rng, found = np.random.default_rng([seed, 14]), []
    for split, most in (("train", TRAIN), ("test", TEST)):
        rows = corpus[split].select(rng.permutation(len(corpus[split]))[:most])
        found += [lowered(rows["tokens"][:]), rows["intent"][:]]
    return Texts(*found, lowered(corpus["validation"]["tokens"][:]))


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Rewrite, learn and attack once, and yield the one row.

    Yields
    ------
    dict
        ``corpus``, ``mechanism``, ``epsilon`` and ``seed``; ``accuracy``, the share of intents of test texts, as they
        were said, that a classifier of rewritten texts gets right, and ``accuracy_rewritten``, on rewritten test texts;
        ``kept``, the share of test words that are said as they are (N_w over all words); ``distinct``, S_w per 100
        draws, over frequent words; ``guessed_alone`` and ``guessed``, the shares of words that an attacker recovers
        from one word and from the whole sentence; ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    said = drawn(corpus, setting.seed)
    measured = _nothing_said(said) if setting.mechanism == MAJORITY else _rewritten(setting, said)
    yield {**setting.key(), **measured, "seconds": time.perf_counter() - started}


def _nothing_said(said: Texts) -> dict[str, float]:
    """Return the row of the majority: no text is released, and an attacker guesses the most frequent public word."""
    (word,) = Language.of(said.public, most=1).words
    attacked = said.test[:ATTACKED]
    guessed = recovered([[word] * len(text) for text in attacked], attacked)
    answers = majority(said.train_intents, len(said.test))
    accuracy = _share(answers, said.test_intents)
    nothing = {"accuracy": accuracy, "accuracy_rewritten": accuracy, "kept": 0.0, "distinct": 0.0}
    return {**nothing, "guessed_alone": guessed, "guessed": guessed}


def _rewritten(setting: Setting, said: Texts) -> dict[str, float]:
    """Return the row of a mechanism, or of a baseline that releases texts."""
    if setting.mechanism == TFIDF:
        return {**_utility(said, said.train, said.test), "kept": 1.0, "distinct": 1.0} | _guesses(1.0, 1.0)
    return released(MAKE[setting.mechanism](public_table(), setting.epsilon), said, setting.seed)


def released(mechanism: Any, said: Texts, seed: int) -> dict[str, float]:
    """Return what :func:`run` measures of texts that a mechanism rewrites."""
    rng = np.random.default_rng([seed, 41])
    train, test = rewrite(said.train, mechanism, rng), rewrite(said.test, mechanism, rng)
    language = Language.of(said.public, most=CANDIDATES)
    attacker = Attacker.on(mechanism, language, draws=DRAWS, exact=False, rng=rng)
    attacked, seen = said.test[:ATTACKED], test[:ATTACKED]
    guesses = (attacker.words(seen), attacker.sentences(seen))
    watched = [word for word in language.words if word in mechanism.table.index][:WATCHED]
    distinct = [row["distinct"] for row in deniability(mechanism, watched, rounds=2, rng=rng)]
    return {
        **_utility(said, train, test),
        "kept": recovered(test, said.test),
        "distinct": float(np.mean(distinct)),
        **_guesses(*(recovered(each, attacked) for each in guesses)),
    }


def _guesses(alone: float, together: float) -> dict[str, float]:
    return {"guessed_alone": alone, "guessed": together}


def _utility(said: Texts, train: Sequence[Sequence[str]], test: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the accuracies of a classifier of `train` on test texts as they were said, and on rewritten ones."""
    asked = [" ".join(text) for text in (*said.test, *test)]
    answers = tfidf_logistic([" ".join(text) for text in train], said.train_intents, asked)
    n = len(said.test)
    return {
        "accuracy": _share(answers[:n], said.test_intents),
        "accuracy_rewritten": _share(answers[n:], said.test_intents),
    }


def _share(answers: Sequence[Any], right: Sequence[Any]) -> float:
    return float(np.mean([answer == intent for answer, intent in zip(answers, right, strict=True)]))
