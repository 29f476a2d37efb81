"""Association tests and pseudo-log-likelihoods compared with the loops they replace.

``python -m benchmarks associating`` prints three tables, and with ``--write`` stores them as one. WEFE is an optional
peer that wants older libraries than the lock: where it cannot be imported its row is left out. All methods of a table
take turns in one process, and each is divided by ours of the same turn.

Predictions, written before the first run of this file:

- CEAT, 10,000 samples of WEAT-sized sets: one gather and one product per word, bound by memory: 0.5 s for 32 words of
  100 contexts × 384. The loop takes one ``cos`` for each pair of words, about 10 ms a sample: it is timed on fewer
  samples and multiplied, 100 s or 200 × ours.
- WEAT's p-value, exact over 12,870 divisions by subset sums of two halves: under 1 ms. WEFE computes every cosine again
  for each of its random orders, 1 ms or more each: 1,000 orders take over a second, 1,000 × ours and not exact.
- Pseudo-log-likelihood: rows of one length go through together, and the output layer sees the masked position alone.
  With a vocabulary of 30,522 and a tiny encoder that layer is most of the work, so 20 × and more against one forward
  per token.

What came (two idle cores, 2026-11-21): CEAT in 0.04 s, the loop 198 times as long (95 % 192 to 205). WEAT in 0.2 ms;
WEFE 1.0.1, in an environment of its own with NumPy 1.26, took 8.5 s for 1,000 orders, 13,600 times ours there (11,400
to 16,300), because it takes ten times as long for an order as was thought. Pseudo-log-likelihoods of 1,508 CrowS pairs
in 5.3 s, 11 times as fast as one by one and not 20: with two layers of width 64 the encoder is no longer small
compared with an output layer that sees one position.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.turns import store, take_turns
from trustlab.data import load
from trustlab.fairness.association import ceat, weat
from trustlab.lab.display import table

NAME = "association_speed"
CEAT, LOOP = "trustlab ceat", "direct loop, as published code has it"
WEAT, WEFE = "trustlab weat, exact", "WEFE, random orders"
PLL, ONE_BY_ONE = "trustlab, batched", "one forward per token"


def measure_ceat(
    *,
    samples: int = 10_000,
    loop_samples: int = 100,
    words: int = 8,
    contexts: int = 100,
    width: int = 384,
    repetitions: int = 5,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each way to draw `samples` effect sizes; the loop draws fewer, and its seconds are multiplied."""
    rng = np.random.default_rng(0)
    rows = {f"w{i}": rng.normal(size=(contexts, width)).astype(np.float32) for i in range(4 * words)}
    names = list(rows)
    sets = [names[i * words : (i + 1) * words] for i in range(4)]
    methods: dict[str, Callable[[], Any]] = {
        CEAT: lambda: ceat(rows, *sets, samples=samples),
        LOOP: lambda: direct_loop(rows, sets, samples=loop_samples, rng=rng),
    }
    for row in take_turns(methods, repetitions, shares={LOOP: loop_samples / samples}):
        yield {"what": f"CEAT, {samples:,} samples", **row, "words": words, "width": width}


def direct_loop(
    contexts: Mapping[str, np.ndarray], sets: Sequence[Sequence[str]], *, samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return effect sizes and variances [samples] by the definition, a cosine for each pair of words."""
    effects, variances = np.empty(samples), np.empty(samples)
    for i in range(samples):
        x, y, a, b = ([contexts[word][rng.integers(len(contexts[word]))] for word in words] for words in sets)
        s = [np.mean([_cosine(w, v) for v in a]) - np.mean([_cosine(w, v) for v in b]) for w in x + y]
        deviation = np.std(s, ddof=1)
        effects[i] = (np.mean(s[: len(x)]) - np.mean(s[len(x) :])) / deviation
        variances[i] = deviation**2
    return effects, variances


def _cosine(u: np.ndarray, v: np.ndarray) -> float:
    return u @ v / (np.linalg.norm(u) * np.linalg.norm(v))


def measure_weat(
    *, words: int = 8, width: int = 300, iterations: int = 1_000, repetitions: int = 5
) -> Iterator[dict[str, Any]]:
    """Yield a row for each test of sets of `words`: ours, exact, and WEFE's with so many random orders."""
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(words, width)) for _ in range(4)]
    methods: dict[str, Callable[[], Any]] = {WEAT: lambda: weat(*sets)}
    try:
        from gensim.models import KeyedVectors
        from wefe.metrics import WEAT as PeersTest
        from wefe.query import Query
        from wefe.word_embedding_model import WordEmbeddingModel
    except ImportError:
        pass
    else:
        names = [[f"{part}{i}" for i in range(words)] for part in "xyab"]
        vectors = KeyedVectors(width)
        vectors.add_vectors([name for each in names for name in each], np.concatenate(sets))
        query, model = Query(names[:2], names[2:]), WordEmbeddingModel(vectors)
        options = {"calculate_p_value": True, "p_value_iterations": iterations}
        methods[WEFE] = lambda: PeersTest().run_query(query, model, **options)
    for row in take_turns(methods, repetitions):
        yield {"what": f"WEAT's p-value, {words} words a side", **row, "width": width, "WEFE's orders": iterations}


def measure_pll(
    pairs: Sequence[Mapping[str, Any]], *, part: int = 20, repetitions: int = 3, width: int = 64, layers: int = 2
) -> Iterator[dict[str, Any]]:
    """Yield a row for each way to score CrowS pairs by a tiny BERT: ours on all, one by one on a part, multiplied."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    from trustlab.fairness.likelihood import LikelihoodScorer, score_pairs
    from trustlab.models import offline_encoder

    torch.manual_seed(0)
    size = dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=2 * width)
    tokenizer = AutoTokenizer.from_pretrained(offline_encoder())
    scorer = LikelihoodScorer(BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **size)), tokenizer)
    few = pairs[: min(part, len(pairs))]
    methods: dict[str, Callable[[], Any]] = {
        PLL: lambda: list(score_pairs(scorer, pairs)),
        ONE_BY_ONE: lambda: one_by_one(scorer, few),
    }
    for row in take_turns(methods, repetitions, shares={ONE_BY_ONE: len(few) / len(pairs)}):
        what = f"pseudo-log-likelihoods, {len(pairs):,} CrowS pairs"
        yield {"what": what, **row, "width": width, "layers": layers}


def one_by_one(scorer: Any, pairs: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Return the scores of both sentences of each pair with a forward of its own for every token."""
    import torch

    from trustlab.fairness.likelihood import unmodified

    scorer.model.eval()
    scores = []
    for pair in pairs:
        sides = [scorer.encode(pair[name]) for name in ("sent_more", "sent_less")]
        scores.append([0.0, 0.0])
        for side, (ids, places) in enumerate(zip(sides, unmodified(*sides), strict=True)):
            for place in set(places) & set(scorer.own(ids)):
                masked = torch.tensor([ids])
                masked[0, place] = scorer.tokenizer.mask_token_id
                with torch.no_grad():
                    scores[-1][side] += float(
                        scorer.model(input_ids=masked).logits[0, place].log_softmax(0)[ids[place]]
                    )
    return scores


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    parts = [list(measure_ceat()), list(measure_weat())]
    try:
        pairs = list(load("crows_pairs", split="test")["test"])
    except OSError as error:
        print(f"Pseudo-log-likelihoods are not timed: {error}")
    else:
        parts.append(list(measure_pll(pairs)))
    for rows in parts:
        print(table(rows))
    if asked.write:
        code = [measure_ceat, measure_weat, measure_pll]
        print("wrote", store(NAME, list(itertools.chain(*parts)), code, ["wefe"]))
