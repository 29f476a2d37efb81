"""The second experiment of notebook 14: what a classifier learns from ADePT's texts, and who is found in them.

An autoencoder learns to repeat requests that are public here. Each private text becomes a vector, gets Laplace noise of
the published scale, of the corrected one, or Gaussian noise, and is said as another text. All have the same values of
the stated ε, of a whole text. As in the first experiment, a classifier learns from the texts that are said, and is
tested on texts as they were said. An attacker who has 200 candidates takes the one whose vector
is nearest to that of what is said; by chance it is right once in 200 times.

The seed decides which texts are drawn, the autoencoder's weights, and all noise.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.baselines import MAJORITY, TFIDF, majority, tfidf_logistic
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text.experiment import ATTACKED, TRAIN, Texts, drawn
from trustlab.course.n14_private_text.word_mechanisms import lowered
from trustlab.models import RepeatOptions, TextAutoencoder, learn_to_repeat
from trustlab.privacy.text import LatentNoise, transformed
from trustlab.privacy.text.adept import CORRECTED, GAUSSIAN, PUBLISHED

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = ("noise", "epsilon")  # with the seed: one row
NOISES = (PUBLISHED, CORRECTED, GAUSSIAN)
EPSILONS = (16.0, 32.0, 64.0, 128.0)
REPEATED = "no noise"  # the autoencoder alone
BASELINES = (MAJORITY, TFIDF, REPEATED)
NONE = 0.0  # their ε
PUBLIC, LATENT = 8000, 32  # texts that the autoencoder learns from; numbers of a vector
RECIPE = RepeatOptions(learning_rate=0.01, batch_size=32, epochs=10, noise=0.02)


@dataclass(frozen=True)
class Setting:
    """One kind of noise at one stated ε, on texts drawn by one seed."""

    corpus: str = option(EMBEDDED, label="Corpus", help="Whose texts are transformed.", values=CORPORA)
    noise: str = option(
        CORRECTED, label="Noise", help="Of the vector; the others are baselines.", values=(*NOISES, *BASELINES)
    )
    epsilon: float = option(64.0, label="ε", help="As stated, of a whole text.", low=0)
    seed: int = option(0, label="Seed", help="Of the texts drawn, of the autoencoder, and of all noise.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(5), noises: Sequence[str] = ()) -> list[Setting]:
    """Return every noise at every ε, and the baselines, over `seeds`; some `noises` keep a part.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0]))
    15
    """
    kinds = [(noise, epsilon) for noise in NOISES for epsilon in EPSILONS] + [(each, NONE) for each in BASELINES]
    wanted = noises or (*NOISES, *BASELINES)
    return [Setting(corpus, *kind, seed=seed) for kind in kinds if kind[0] in wanted for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"private_text_adept_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Transform, learn and attack once, and yield the one row.

    Yields
    ------
    dict
        ``corpus``, ``noise``, ``epsilon`` (stated) and ``seed``; ``true_epsilon``, the one that holds; ``accuracy``,
        the share of intents of test texts, as they were said, that a classifier of transformed texts gets right;
        ``same``, the share of words of a test text that are in what is said for it; ``found``, the share of test texts
        that the attacker finds; ``seconds``. Of a text as it is, and of none, the attacker is not asked.
    """
    check(setting)
    noise = None  # refused, if at all, before an autoencoder is trained
    if setting.noise in NOISES:
        noise = LatentNoise(dimension=LATENT, epsilon=setting.epsilon, noise=setting.noise)
    started, said = time.perf_counter(), drawn(corpus, setting.seed)
    if setting.noise == MAJORITY:
        measured = {"accuracy": _accuracy(said, None), "same": 0.0, "found": 1 / ATTACKED}
    elif setting.noise == TFIDF:
        measured = {"accuracy": _accuracy(said, said.train), "same": 1.0, "found": 1.0}
    else:
        measured = _transformed(said, _repeating(strangers(corpus, setting.seed), setting.seed), noise, setting.seed)
    true = noise.true_epsilon if noise else NONE
    yield {**setting.key(), "true_epsilon": true, **measured, "seconds": time.perf_counter() - started}


def _transformed(said: Texts, model: TextAutoencoder, noise: LatentNoise | None, seed: int) -> dict[str, float]:
    """Return what is measured of texts that an autoencoder says, with noise or without."""
    rng, attacked = np.random.default_rng([seed, 43]), said.test[:ATTACKED]
    if noise:
        train, seen = (transformed(texts, model, noise, rng) for texts in (said.train, attacked))
    else:
        train, seen = (model.say(model.vectors(texts)) for texts in (said.train, attacked))
    return {"accuracy": _accuracy(said, train), **_read(model, attacked, seen)}


def strangers(corpus: datasets.DatasetDict, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return texts of the training split that :func:`.experiment.drawn` does not draw: they are public here."""
    order = np.random.default_rng([seed, 14]).permutation(len(corpus["train"]))
    rows = corpus["train"].select(order[TRAIN : TRAIN + PUBLIC])
    return tuple(map(tuple, lowered(rows["tokens"][:])))


@functools.lru_cache(maxsize=8)
def _repeating(texts: tuple[tuple[str, ...], ...], seed: int) -> TextAutoencoder:
    """Return an autoencoder of public texts: a seed's settings share one."""
    *_, last = learn_to_repeat(texts, RepeatOptions(**{**vars(RECIPE), "seed": seed}), latent=LATENT)
    return last["model"]


def _accuracy(said: Texts, train: Sequence[Sequence[str]] | None) -> float:
    """Return the accuracy of a classifier of `train` on test texts as they were said; of the majority without texts."""
    if train is None:
        answers = majority(said.train_intents, len(said.test))
    else:
        texts, asked = ([" ".join(text) for text in each] for each in (train, said.test))
        answers = tfidf_logistic(texts, said.train_intents, asked)
    return float(np.mean([a == b for a, b in zip(answers, said.test_intents, strict=True)]))


def _read(model: TextAutoencoder, texts: Sequence[Sequence[str]], seen: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return which of the words of `texts` are seen, and how often the attacker finds the text."""
    known, here = model.vectors(texts), model.vectors(seen)
    nearest = ((here[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)
    pairs = zip(texts, seen, strict=True)
    same = np.mean([np.mean([word in other for word in text]) for text, other in pairs])
    return {"same": float(same), "found": float((nearest == np.arange(len(texts))).mean())}
