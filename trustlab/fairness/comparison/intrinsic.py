"""Six intrinsic metrics of one model about one notion, each with its own standard error.

All are 0 in expectation where nothing is planted, and positive where the first group is tied to pole A and the second
to pole B. CrowS-Pairs and StereoSet are given in percentage points beyond 50.

The standard error is about the *words*: had the test other words of the same kind, how far would it move? For the
embedding tests a bootstrap over words of every set; for the likelihood tests the usual one of a mean over pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.association import fill, seat, weat
from trustlab.fairness.association.ceat import ceat
from trustlab.fairness.comparison.notions import Notion
from trustlab.fairness.contexts import ContextEncoder, embed_in_context, occurrences
from trustlab.fairness.likelihood import LikelihoodScorer, lpbs, score_clusters, score_pairs, stereoset

EMBEDDING = ("WEAT", "SEAT", "CEAT")
LIKELIHOOD = ("LPBS", "CrowS-Pairs", "StereoSet")
INTRINSIC = (*EMBEDDING, *LIKELIHOOD)
RESAMPLES = 40  # of the words: a standard error to within a tenth
CONTEXTS = 20  # of each word, for CEAT
DRAWS = 200  # of CEAT


class Measured(NamedTuple):
    """A metric's value and the standard error of its own material, NaN where it has none."""

    value: float
    error: float


def intrinsic_metrics(
    model: Any,
    tokenizer: Any = None,
    *,
    notion: Notion,
    contexts: Sequence[str],
    unrelated: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Measured]:
    """Return every intrinsic metric that `model` allows: three for an encoder, six for a masked language model.

    Parameters
    ----------
    model, tokenizer
        A model of ``transformers`` with its fast tokenizer, or a name or folder alone. A name is loaded as an encoder.
    notion
        Which groups and attributes.
    contexts
        Sentences in which CEAT finds the words. They are the same for every model, and should carry no bias of their
        own: what is measured is what the model adds.
    unrelated
        Words that fit no person, for StereoSet's third sentence; with none it is left out.
    seed
        Of drawing contexts and words.

    Examples
    --------
    >>> from trustlab.fairness.comparison.notions import GENDER
    >>> said = [f"{name} is here." for name in GENDER.words]
    >>> from trustlab.models import offline_encoder
    >>> found = intrinsic_metrics(str(offline_encoder()), notion=GENDER, contexts=said)
    >>> list(found), found["WEAT"].value > 0
    (['WEAT', 'SEAT', 'CEAT'], True)
    """
    encoder = ContextEncoder(model, tokenizer)
    found = _association_metrics(encoder, notion, contexts, np.random.default_rng(seed))
    if type(model).__name__.endswith("ForMaskedLM"):
        scorer = LikelihoodScorer(model, tokenizer)
        found |= {"LPBS": _lpbs(scorer, notion), "CrowS-Pairs": _pairs(scorer, notion)}
        if unrelated:
            found["StereoSet"] = _clusters(scorer, notion, unrelated)
    return found


def _association_metrics(
    encoder: ContextEncoder, notion: Notion, contexts: Sequence[str], rng: np.random.Generator
) -> dict[str, Measured]:
    words = (notion.first, notion.second, notion.pole_a, notion.pole_b)
    kinds = (notion.kinds[0], notion.kinds[0], notion.kinds[1], notion.kinds[1])
    asked = [word for each in words for word in each]
    static = dict(zip(asked, _input_vectors(encoder, asked), strict=True))
    texts = [text for word, kind in zip(asked, _repeated(kinds, words), strict=True) for text in fill([word], kind)]
    sentence = dict(zip(texts, encoder.embed_texts(texts), strict=True))
    seen = embed_in_context(encoder, occurrences(asked, contexts, per_word=CONTEXTS, seed=int(rng.integers(2**31))))

    def of_words(X: Sequence[str], Y: Sequence[str], A: Sequence[str], B: Sequence[str]) -> float:
        return weat(*(np.stack([static[word] for word in each]) for each in (X, Y, A, B)), permutations=0).effect_size

    def of_sentences(*sets: Sequence[str]) -> float:
        return seat(lambda asked: np.stack([sentence[text] for text in asked]), *sets, kinds=kinds, permutations=0)[0]

    def of_contexts(*sets: Sequence[str]) -> float:
        return ceat(seen, *sets, samples=DRAWS).effect_size

    tests = zip(EMBEDDING, (of_words, of_sentences, of_contexts), strict=True)
    return {name: Measured(test(*words), _error_over_words(test, words, rng)) for name, test in tests}


def _repeated(kinds: Sequence[str], words: Sequence[Sequence[str]]) -> list[str]:
    return [kind for kind, each in zip(kinds, words, strict=True) for _ in each]


def _input_vectors(encoder: ContextEncoder, words: Sequence[str]) -> np.ndarray:
    """Return the input embedding [n, d] of each word, the mean over its sub-tokens: no sentence, no layer."""
    table = encoder.model.get_input_embeddings().weight.detach().cpu().double().numpy()
    ids = encoder.tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return np.stack([table[each].mean(0) for each in ids])


def _error_over_words(test: Callable[..., float], words: Sequence[Sequence[str]], rng: np.random.Generator) -> float:
    """Return the standard deviation of `test` over resamples of the words of each set."""
    found = []
    while len(found) < RESAMPLES:
        drawn = [tuple(each[i] for i in rng.integers(len(each), size=len(each))) for each in words]
        if min(len(set(each)) for each in drawn) > 1:  # one word alone is no set
            found.append(test(*drawn))
    return float(np.std(found, ddof=1))


def _lpbs(scorer: LikelihoodScorer, notion: Notion) -> Measured:
    """Return the mean LPBS of pole A's attributes minus that of pole B's, in nats; attributes are the units."""
    template = notion.who("{target}") + " is {attribute}"
    attributes = [notion.what(word) for word in (*notion.pole_a, *notion.pole_b)]
    scores = [row["lpbs"] for row in lpbs(scorer, [template], notion.first, notion.second, attributes)]
    a, b = np.split(np.array(scores), [len(notion.pole_a)])
    error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return Measured(float(a.mean() - b.mean()), float(error))


def _pairs(scorer: LikelihoodScorer, notion: Notion) -> Measured:
    """Return in how many pairs, in percentage points beyond 50, the model prefers the sentence that bias makes."""
    pairs = []
    for pole, groups in ((notion.pole_a, (0, 1)), (notion.pole_b, (1, 0))):
        for members, word in itertools.product(zip(notion.first, notion.second, strict=True), pole):
            more, less = (f"{notion.who(members[i])} is {notion.what(word)}" for i in groups)
            pairs.append({"sent_more": more, "sent_less": less})
    gaps = np.array([row["more"] - row["less"] for row in score_pairs(scorer, pairs)])
    signs = np.sign(np.where(abs(gaps) > 1e-6, gaps, 0))  # as crows_pairs: scores that hardly differ are a tie
    return Measured(float(50 * signs.mean()), float(50 * signs.std(ddof=1) / np.sqrt(len(signs))))


def _clusters(scorer: LikelihoodScorer, notion: Notion, unrelated: Sequence[str]) -> Measured:
    """Return StereoSet's SS in percentage points beyond 50, over every member and attribute; members are the units."""
    clusters, scores = [], {}
    poles = (notion.pole_a, notion.pole_b)
    for members, (own, other) in ((notion.first, poles), (notion.second, poles[::-1])):
        for member in members:
            for place, filled in enumerate(zip(own, other, itertools.cycle(unrelated), strict=False)):
                clusters.append(_cluster(notion, member, place, filled))
    scores = score_clusters(scorer, clusters)
    by_member = ([each for each in clusters if each["target"] == name] for name in (*notion.first, *notion.second))
    found = [stereoset(each, scores)[0]["ss"] for each in by_member]
    return Measured(float(np.mean(found)) - 50, float(np.std(found, ddof=1) / np.sqrt(len(found))))


def _cluster(notion: Notion, member: str, place: int, filled: Sequence[str]) -> dict[str, str]:
    context = f"{notion.who(member)} is {notion.what('BLANK')}"
    cluster = {"kind": "intrasentence", "domain": notion.name, "target": member, "context": context}
    for label, word in zip(("stereotype", "anti_stereotype", "unrelated"), filled, strict=True):
        cluster |= {label: context.replace("BLANK", word), f"{label}_id": f"{member} {place} {label}"}
    return cluster
