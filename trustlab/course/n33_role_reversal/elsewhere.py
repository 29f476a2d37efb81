"""Whether fairer text means fairer vectors and fairer decisions: the same student's embeddings, and a classifier."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from trustlab.course.n33_role_reversal.generation import WORDS_FEMALE, WORDS_MALE, input_vectors
from trustlab.course.n33_role_reversal.working_people import PROFESSIONS, SHARES, Texts, biographies, people
from trustlab.fairness.association import ceat, weat
from trustlab.fairness.contexts import ContextEncoder, embed_in_context, occurrences
from trustlab.fairness.swaps import counterfactual
from trustlab.models.batching import evaluating, mean_state, padded

WOMEN_S = tuple(job for job, share in SHARES.items() if share > 0.5)
MEN_S = tuple(job for job, share in SHARES.items() if share < 0.5)
CONTEXT_TEXTS, CONTEXTS, DRAWS = 1000, 20, 200  # of CEAT
BIOGRAPHIES, TESTED = 1200, 720
C = 1.0  # inverse strength of the penalty


class Decisions(NamedTuple):
    """What a classifier of professions does to women and men.

    ``accuracy``; ``tpr_gap``, the mean over professions of |TPR of women − TPR of men|; ``flips``, the share of
    biographies for which it answers another profession when only the words of gender are swapped.
    """

    accuracy: float
    tpr_gap: float
    flips: float


def word_association(model: Any, tokenizer: Any) -> float:
    """Return WEAT's effect size on input embeddings: women's professions with female words, men's with male ones."""
    vectors = input_vectors(model, tokenizer)
    sets = (vectors[list(words)] for words in (WOMEN_S, MEN_S, WORDS_FEMALE, WORDS_MALE))
    return weat(*sets, permutations=0).effect_size


def context_association(model: Any, tokenizer: Any, *, seed: int = 0) -> float:
    """Return CEAT's combined effect size of the same words, in texts of a world without skew."""
    texts = people(CONTEXT_TEXTS, np.random.default_rng([seed, 35]), skew=0.0).texts
    words = (*WOMEN_S, *MEN_S, *WORDS_FEMALE, *WORDS_MALE)
    found = {word: places[:CONTEXTS] for word, places in occurrences(words, texts).items()}
    vectors = embed_in_context(ContextEncoder(model, tokenizer, max_tokens=24), found)
    return ceat(vectors, WOMEN_S, MEN_S, WORDS_FEMALE, WORDS_MALE, samples=DRAWS, seed=seed).effect_size


def classified(model: Any, tokenizer: Any, *, seed: int = 0) -> Decisions:
    """Train a classifier of professions on the model's frozen states, and test it on women and men alike.

    It learns from biographies of the skewed world, and is tested on biographies of as many women as men, each of them
    once with the words of gender as they are and once with them swapped.
    """
    from sklearn.linear_model import LogisticRegression

    learned = biographies(BIOGRAPHIES, np.random.default_rng([seed, 36]))
    asked, other = biographies_asked(seed)
    classifier = LogisticRegression(C=C, max_iter=2000).fit(states(model, tokenizer, learned.texts), learned.profession)
    answers, swapped = (classifier.predict(states(model, tokenizer, each)) for each in (asked.texts, other))
    return decisions(asked, answers, swapped)


def biographies_asked(seed: int) -> tuple[Texts, list[str]]:
    """Return biographies to test on and their counterfactuals: each person is tested as both."""
    asked = biographies(TESTED, np.random.default_rng([seed, 37]), skew=0.0)
    return asked, [counterfactual(text).text for text in asked.texts]


def decisions(asked: Texts, answers: np.ndarray, swapped: np.ndarray) -> Decisions:
    """Compare answers for biographies with those for their counterfactuals.

    Examples
    --------
    >>> asked = Texts(["she …", "he …"], np.array([0, 0]), np.array([True, False]))
    >>> decisions(asked, np.array([0, 1]), np.array([1, 0]))  # women are found, men are not
    Decisions(accuracy=0.5, tpr_gap=1.0, flips=1.0)
    """
    right, right_swapped = answers == asked.profession, swapped == asked.profession
    of_women = np.where(asked.female, right, right_swapped)
    of_men = np.where(asked.female, right_swapped, right)
    jobs = np.unique(asked.profession)
    gaps = [abs(of_women[asked.profession == job].mean() - of_men[asked.profession == job].mean()) for job in jobs]
    accuracy = float(np.mean([right, right_swapped]))
    return Decisions(accuracy, float(np.mean(gaps)), float((answers != swapped).mean()))


def states(model: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """Return the mean of the last hidden states of each text, float [N, D]."""
    batch = padded(tokenizer(texts)["input_ids"], tokenizer.pad_token_id)
    with evaluating(model):
        found = model.base_model(**batch).last_hidden_state
    return mean_state(found, batch["attention_mask"]).double().numpy()


def jobs_after(model: Any, tokenizer: Any) -> float:
    """Return how far the next profession depends on gender: mean |log P(job | she is a) − log P(job | he is a)|."""
    rows = [tokenizer(f"{word} is a")["input_ids"][:-1] for word in ("she", "he")]
    ids = [tokenizer.convert_tokens_to_ids(job) for job in PROFESSIONS]
    with evaluating(model):
        log_p = model(**padded(rows, tokenizer.pad_token_id)).logits[:, -1].double().log_softmax(-1)[:, ids]
    return float((log_p[0] - log_p[1]).abs().mean())
