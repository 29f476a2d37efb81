"""Answers to questions: a linear head scores every candidate span by its look and by the states of four words.

The encoder reads the question before the paragraph. A span's score is the sum of what its first and last word and the
words on either side say (their states), and of what its look says, for this kind of question.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.course.n24_fednlp_benchmark.real_data import Divided
from trustlab.course.n24_fednlp_benchmark.real_features import text_vectors, word_states
from trustlab.course.n24_fednlp_benchmark.real_heads import Problem
from trustlab.course.n24_fednlp_benchmark.real_spans import KINDS, MADE_OF, Spans, rarity, sentences, spans
from trustlab.federated.simulation import Task
from trustlab.federated.tasks import FAMILIES, Example

LAYERS = (2, 4)
STATES = 0.1  # of their size: 768 numbers of size 1 would drown 43 of a look in a step of one rate
MISSING = -1  # the right span is no candidate: nothing to learn from, and a wrong answer


@dataclass(frozen=True)
class Questions:
    """Questions by their places among all; what was read of them is the same for every batch.

    Attributes
    ----------
    places : Tensor [N], int64
    right : Tensor [N], int64
        Which candidate is the answer, or ``MISSING``.
    read
        For each of all questions its candidates and its paragraph's states [words, 768].
    """

    places: Tensor
    right: Tensor
    read: Sequence[tuple[Spans, np.ndarray]]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Questions:
        """Return the questions at `index`."""
        return replace(self, places=self.places[index], right=self.right[index])


class SpanHead(nn.Module):
    """Scores the candidates of one question; all weights start at zero."""

    def __init__(self, states: int, looks: int) -> None:
        super().__init__()
        self.words = nn.Linear(states, 4, bias=False)  # the word before, the first, the last, the word behind
        self.looks = nn.Linear(looks, 1, bias=False)
        self.for_kind = nn.Linear(MADE_OF, len(KINDS), bias=False)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, found: Spans, states: np.ndarray) -> Tensor:
        """Return the score of each candidate [C]."""
        before, first, last, behind = self.words(STATES * torch.from_numpy(states).float()).T
        none = before.new_zeros(1)
        begin, end = torch.from_numpy(found.ends).T
        looks = torch.from_numpy(found.looks).float()
        by_word = first[begin] + last[end] + torch.cat([none, before])[begin] + torch.cat([behind, none])[end + 1]
        return by_word + self.looks(looks)[:, 0] + looks[:, :MADE_OF] @ self.for_kind.weight[found.kind]


def answering(data: Divided) -> Problem:
    """Return the problem of choosing each question's span."""
    read = candidates(tuple(data.examples))
    right = torch.tensor([_right(found, example) for (found, _), example in zip(read, data.examples, strict=True)])
    train, test = (Questions(torch.from_numpy(at), right[torch.from_numpy(at)], read) for at in (data.train, data.test))
    asked = data.asked()

    def per_example_loss(model: nn.Module, batch: Questions) -> Tensor:
        losses = []
        for place, answer in zip(batch.places.tolist(), batch.right.tolist(), strict=True):
            scores = model(*read[place])
            losses.append(scores.sum() * 0 if answer == MISSING else -scores.log_softmax(0)[answer])
        return torch.stack(losses)

    @torch.no_grad()
    def evaluate(model: nn.Module, batch: Questions) -> dict[str, float]:
        said = [read[place][0].ends[int(model(*read[place]).argmax())] for place in batch.places.tolist()]
        return FAMILIES["qa"].scores(asked, [(int(first), int(last)) for first, last in said])

    head = SpanHead(read[0][1].shape[1], read[0][0].looks.shape[1])
    return Problem(Task(head, train, test, per_example_loss, evaluate))


def _right(found: Spans, example: Example) -> int:
    here = np.flatnonzero((found.ends == np.array(example.target)).all(axis=1))
    return int(here[0]) if len(here) else MISSING


@functools.lru_cache(maxsize=1)
def candidates(examples: tuple[Example, ...]) -> list[tuple[Spans, np.ndarray]]:
    """Return each question's candidate spans and the states of its paragraph's words, half a minute for a thousand."""
    questions = tuple(example.question for example in examples)
    states = word_states(tuple(example.source for example in examples), layers=LAYERS, before=questions)
    starts = np.cumsum([0, *(len(example.source) for example in examples)])
    alike = similar_sentences(examples)
    rare = rarity(list(dict.fromkeys(example.source for example in examples)))
    return [
        (spans(example.source, example.question, rare, near), states[starts[i] : starts[i + 1]])
        for i, (example, near) in enumerate(zip(examples, alike, strict=True))
    ]


def similar_sentences(examples: Sequence[Example]) -> list[np.ndarray]:
    """Return for each question the cosines of its vector with those of its paragraph's sentences."""
    paragraphs = list(dict.fromkeys(example.source for example in examples))
    parts = {words: [" ".join(words[start:end]) for start, end in sentences(words)] for words in paragraphs}
    flat = tuple(dict.fromkeys(part for words in paragraphs for part in parts[words]))
    vector = dict(zip(flat, text_vectors(flat, pieces=1), strict=True))
    asked = text_vectors(tuple(" ".join(example.question) for example in examples), pieces=1)
    return [
        np.array([vector[part] @ own for part in parts[example.source]]) / 384
        for example, own in zip(examples, asked, strict=True)
    ]
