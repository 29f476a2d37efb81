"""Six intrinsic metrics of one model about one notion, each with its own standard error.

All are 0 in expectation where nothing is planted, and positive where the first group is associated with pole A and the
second with pole B. CrowS-Pairs and StereoSet are given in percentage points above 50.

The standard error is over *words*: how much would the metric change with other words of the same kind? It is a
bootstrap over the words of every set at once: a pair of sentences shares its words with many others, so treating pairs
as independent would make it far too small.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.course.n31_fairness_metrics.notions import Notion
from trustlab.fairness.association import ceat, distinct_sets, fill, weat
from trustlab.fairness.association.seat import vectors_of_sets
from trustlab.fairness.contexts import ContextEncoder, embed_in_context, occurrences
from trustlab.fairness.likelihood import LikelihoodScorer, ilps, kind_of, score_clusters, score_pairs, stereoset

EMBEDDING = ("WEAT", "SEAT", "CEAT")
LIKELIHOOD = ("LPBS", "CrowS-Pairs", "StereoSet")
INTRINSIC = (*EMBEDDING, *LIKELIHOOD)
RESAMPLES = 40  # of the words: a standard error to within a tenth
CONTEXTS = 20  # of each word, for CEAT
DRAWS = 200  # of CEAT
PLANTED = "{who} is {what}"  # how the likelihood metrics ask; the pretraining text describes people so, among others


OverWords = Callable[[Callable[..., float], Sequence[Sequence[str]]], "Measured"]


class Measured(NamedTuple):
    """A metric's value and its standard error over words or test texts, NaN where it has none."""

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
    """Return every intrinsic metric that `model` allows.

    Three for an encoder, five for a causal language model, which has no LPBS, and six for a masked one. LPBS is NaN,
    with a warning that gives the reason, where a group's words are not one token each for this model.

    Parameters
    ----------
    model, tokenizer
        A model of ``transformers`` with its fast tokenizer, or a name or folder alone. A name is loaded as an encoder.
    notion
        Which groups and attributes.
    contexts
        Sentences in which CEAT finds the words. They are the same for every model, and should have no bias themselves,
        so that only the model's is measured.
    unrelated
        Words that fit no person, for StereoSet's third sentence; with none it is left out.
    seed
        Of drawing contexts and words.

    Examples
    --------
    >>> from trustlab.course.n31_fairness_metrics.notions import GENDER
    >>> contexts = [f"{name} is here." for name in GENDER.words]
    >>> from trustlab.models import offline_encoder
    >>> found = intrinsic_metrics(str(offline_encoder()), notion=GENDER, contexts=contexts)
    >>> list(found), found["WEAT"].value > 0
    (['WEAT', 'SEAT', 'CEAT'], True)
    """
    options: dict[str, Any] = dict(notion=notion, contexts=contexts, unrelated=unrelated, seed=seed)
    return dict(one_after_another(model, tokenizer, **options))


def one_after_another(
    model: Any,
    tokenizer: Any = None,
    *,
    notion: Notion,
    contexts: Sequence[str],
    unrelated: Sequence[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Iterator[tuple[str, Measured]]:
    """Yield name and value of each metric of :func:`intrinsic_metrics` as soon as it is measured.

    Parameters
    ----------
    model, tokenizer, notion, contexts, unrelated, seed
        As there.
    resamples
        Of the words, for the standard errors; 0 leaves them out, which is much faster.
    """
    encoder = ContextEncoder(model, tokenizer)
    rng = np.random.default_rng(seed)
    test_words = functools.partial(over_words, rng=rng, resamples=resamples)
    yield from _association_metrics(encoder, notion, contexts, test_words, int(rng.integers(2**31)))
    if kind_of(model) is None:
        return
    yield from likelihood_metrics(LikelihoodScorer(model, tokenizer), notion, unrelated, test_words)


def likelihood_metrics(
    scorer: LikelihoodScorer, notion: Notion, unrelated: Sequence[str], over_words: OverWords, frame: str = PLANTED
) -> Iterator[tuple[str, Measured]]:
    """Yield name and value of each metric of likelihood that `scorer` allows, asked in sentences of the form `frame`.

    Parameters
    ----------
    frame
        With ``{who}`` and ``{what}`` for a member and an attribute.
    scorer, notion, unrelated, over_words
        As :func:`one_after_another` makes and takes them.
    """
    if scorer.kind == "masked":
        yield "LPBS", _lpbs(scorer, notion, over_words, frame)
    yield "CrowS-Pairs", _pairs(scorer, notion, over_words, frame)
    if unrelated:
        yield "StereoSet", _clusters(scorer, notion, unrelated, over_words, frame)


def _association_metrics(
    encoder: ContextEncoder, notion: Notion, contexts: Sequence[str], over_words: OverWords, seed: int
) -> Iterator[tuple[str, Measured]]:
    words = (notion.first, notion.second, notion.pole_a, notion.pole_b)
    distinct_sets(*words)  # before they are resampled, which repeats words
    kinds = (notion.kinds[0], notion.kinds[0], notion.kinds[1], notion.kinds[1])
    asked = [word for each in words for word in each]
    static = dict(zip(asked, input_vectors(encoder, asked), strict=True))
    texts = [text for word, kind in zip(asked, _repeated(kinds, words), strict=True) for text in fill([word], kind)]
    sentence = dict(zip(texts, encoder.embed_texts(texts), strict=True))
    seen = embed_in_context(encoder, occurrences(asked, contexts, per_word=CONTEXTS, seed=seed))

    def of_words(X: Sequence[str], Y: Sequence[str], A: Sequence[str], B: Sequence[str]) -> float:
        return weat(*(np.stack([static[word] for word in each]) for each in (X, Y, A, B)), permutations=0).effect_size

    def of_sentences(*sets: Sequence[str]) -> float:
        vectors = vectors_of_sets(lambda asked: np.stack([sentence[text] for text in asked]), sets, kinds=kinds)
        return weat(*vectors, permutations=0).effect_size

    def of_contexts(*sets: Sequence[str]) -> float:
        named = [{f"{place} {word}": word for place, word in enumerate(each)} for each in sets]
        drawn = {name: seen[word] for each in named for name, word in each.items()}
        return ceat(drawn, *map(list, named), samples=DRAWS).effect_size

    for name, test in zip(EMBEDDING, (of_words, of_sentences, of_contexts), strict=True):
        yield name, over_words(test, words)


def _repeated(kinds: Sequence[str], words: Sequence[Sequence[str]]) -> list[str]:
    return [kind for kind, each in zip(kinds, words, strict=True) for _ in each]


def input_vectors(encoder: ContextEncoder, words: Sequence[str]) -> np.ndarray:
    """Return the input embedding [n, d] of each word, the mean over its sub-tokens: no sentence, no layer."""
    table = encoder.model.get_input_embeddings().weight.detach().cpu().double().numpy()
    ids = encoder.tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return np.stack([table[each].mean(0) for each in ids])


def over_words(
    test: Callable[..., float], words: Sequence[Sequence[str]], *, rng: np.random.Generator, resamples: int
) -> Measured:
    """Return `test` of the sets of words, and its standard deviation over resamples of the words of each set."""
    found: list[float] = []
    while len(found) < resamples:
        drawn = [tuple(each[i] for i in rng.integers(len(each), size=len(each))) for each in words]
        if min(len(set(each)) for each in drawn) > 1:  # a set has two words or more
            found.append(test(*drawn))
    return Measured(test(*words), float(np.std(found, ddof=1)) if found else math.nan)


def _lpbs(scorer: LikelihoodScorer, notion: Notion, over_words: OverWords, frame: str) -> Measured:
    """Return the mean LPBS of pole A's attributes minus that of pole B's, in nats."""
    template = frame.format(who=notion.who("{target}"), what="{attribute}")
    attributes = {notion.what(word): word for word in (*notion.pole_a, *notion.pole_b)}
    try:
        rows = list(ilps(scorer, [template], [*notion.first, *notion.second], list(attributes)))
    except ValueError as error:
        warnings.warn(f"LPBS about {notion.name} is left out. {error}", stacklevel=2)
        return Measured(math.nan, math.nan)
    score = {(row["target"], attributes[row["attribute"]]): row["ilps"] for row in rows}

    def mean(*sets: Sequence[str]) -> float:
        first_a, first_b, second_a, second_b = (
            np.mean([score[pair] for pair in itertools.product(members, pole)])
            for members, pole in itertools.product(sets[:2], sets[2:])
        )
        return float(first_a - second_a - (first_b - second_b))

    return over_words(mean, (notion.first, notion.second, notion.pole_a, notion.pole_b))


def _pairs(scorer: LikelihoodScorer, notion: Notion, over_words: OverWords, frame: str) -> Measured:
    """Return in how many pairs, in percentage points above 50, the model prefers the stereotyped sentence."""
    pairs, asked = [], []
    for pole, groups in ((notion.pole_a, (0, 1)), (notion.pole_b, (1, 0))):
        for members, word in itertools.product(zip(notion.first, notion.second, strict=True), pole):
            more, less = (frame.format(who=notion.who(members[i]), what=notion.what(word)) for i in groups)
            pairs.append({"sent_more": more, "sent_less": less})
            asked.append((members[0], word))
    scored = list(score_pairs(scorer, pairs))
    gaps, noise = np.array([(row["more"] - row["less"], row["noise"]) for row in scored]).T
    # As crows_pairs has it, scores that hardly differ are a tie.
    sign = dict(zip(asked, np.sign(np.where(abs(gaps) > noise, gaps, 0)).tolist(), strict=True))

    def above_50(members: Sequence[str], *poles: Sequence[str]) -> float:
        return float(50 * np.mean([sign[pair] for pole in poles for pair in itertools.product(members, pole)]))

    return over_words(above_50, (notion.first, notion.pole_a, notion.pole_b))


def _clusters(
    scorer: LikelihoodScorer, notion: Notion, unrelated: Sequence[str], over_words: OverWords, frame: str
) -> Measured:
    """Return StereoSet's SS in percentage points above 50, over every member and every attribute with its opposite."""
    clusters, asked = [], []
    poles = (notion.pole_a, notion.pole_b)
    for members, (own, other) in ((notion.first, poles), (notion.second, poles[::-1])):
        for member in members:
            for place, filled in enumerate(zip(own, other, itertools.cycle(unrelated), strict=False)):
                clusters.append(_cluster(notion, member, place, filled, frame))
                asked.append((member, notion.pole_a[place]))
    scores = score_clusters(scorer, clusters)
    ss = {key: stereoset([each], scores)[0]["ss"] for key, each in zip(asked, clusters, strict=True)}

    def above_50(first: Sequence[str], second: Sequence[str], attributes: Sequence[str]) -> float:
        return float(np.mean([ss[pair] for pair in itertools.product([*first, *second], attributes)])) - 50

    return over_words(above_50, (notion.first, notion.second, notion.pole_a))


def _cluster(notion: Notion, member: str, place: int, filled: Sequence[str], frame: str) -> dict[str, str]:
    context = frame.format(who=notion.who(member), what=notion.what("BLANK"))
    cluster = {"kind": "intrasentence", "domain": notion.name, "target": member, "context": context}
    for label, word in zip(("stereotype", "anti_stereotype", "unrelated"), filled, strict=True):
        cluster |= {label: context.replace("BLANK", word), f"{label}_id": f"{member} {place} {label}"}
    return cluster
