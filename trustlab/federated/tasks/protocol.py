"""What a family of tasks provides, so that everything else can train and measure it without knowing which it is.

Four things: how examples become tensors and which model reads them (:meth:`Family.prepare`), the loss of each example,
the answers that a model gives, in words, and how good those are. :meth:`Family.task` makes of them what
:func:`trustlab.federated.simulation.simulate` trains.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.federated.simulation import Task
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE

SMALL = "small"  # the model trained from scratch here; any other name is a pretrained one, by name or folder
AT_ONCE = 256  # examples in one forward when measuring


@dataclass(frozen=True)
class Example:
    """One example of any family, in words.

    Attributes
    ----------
    source
        What the model reads. In question answering the context; the question stands apart.
    target
        What it is to answer: a label, a BIO tag for each word, the first and last word of a span, or words.
    label
        What label skew is about: FedNLP's tagging takes the set of entity types.
    holder
        Whose it is in the world: a device, a user, an article. None where the corpus does not name one.
    question
        Words of the question.
    """

    source: tuple[str, ...]
    target: Any
    label: Hashable
    holder: Hashable | None = None
    question: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The source as one string, which feature skew embeds."""
        return " ".join(self.source)


@dataclass(frozen=True)
class Batch:
    """Encoded examples of any family, padded.

    Attributes
    ----------
    input_ids : Tensor [N, T], int64
    attention_mask : Tensor [N, T], bool
        True at real tokens, which come first.
    targets : Tensor [N], or [N, T], or [N, S], int64
        ``IGNORE`` where nothing is asked for.
    rows : Tensor [N], int64
        Each example's place in the split it was encoded from.
    named
        ``named(ids) -> words``: what ids of targets stand for.
    aligned
        Whether targets belong to the tokens of the input, and are cut with them.
    """

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor
    rows: Tensor
    named: Callable[[Sequence[int]], list[str]]
    aligned: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """Return the examples at `index`, cut to the longest input and the longest target among them."""
        mask, targets = self.attention_mask[index], self.targets[index]
        longest = _longest(mask)
        if targets.ndim == 2:
            targets = targets[:, : longest if self.aligned else _longest(targets != IGNORE)]
        return replace(
            self,
            input_ids=self.input_ids[index][:, :longest],
            attention_mask=mask[:, :longest],
            targets=targets,
            rows=self.rows[index],
        )


def _longest(asked: Tensor) -> int:
    """Return the length of the longest row of `asked` [N, T], which is True up to its length; at least 1."""
    return max(int(asked.sum(1).max()), 1) if len(asked) else 1


Encode = Callable[[Sequence[Example]], Batch]


class Family(ABC):
    """One family of tasks.

    Attributes
    ----------
    metric
        What its score is called, in [0, 1].
    longest
        Inputs are cut to this many tokens, a number chosen without looking at what devices hold.
    """

    metric: str
    longest: int

    @abstractmethod
    def prepare(self, train: Sequence[Example], test: Sequence[Example], model: str) -> tuple[Encode, nn.Module]:
        """Return what encodes examples for `model`, and that model with its first weights from torch's generator."""

    @abstractmethod
    def per_example_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the loss of each example [B]; none depends on another or on padding."""

    @abstractmethod
    def answers(self, model: nn.Module, batch: Batch, asked: Sequence[Example]) -> list[Any]:
        """Return what `model` says to each of the examples `asked`, which `batch` encodes, as targets are said."""

    @abstractmethod
    def scores(self, asked: Sequence[Example], said: Sequence[Any]) -> dict[str, float]:
        """Return ``score``, the family's metric, and ``exact``, the share of examples answered wholly right."""

    def check(self, example: Example, named: str) -> None:
        """Refuse an example that this family would read as another; `named` names it in the error.

        Raises
        ------
        ValueError
            If its source or question is one text, has something else than words, or the target is none of the family's.
        """
        source = word_list(example.source, f"the source of {named}")
        question = word_list(example.question, f"the question of {named}")
        if not source or not all(source) or not all(question):
            raise ValueError(f"Expected words in {named}, got an empty one or none. Leave it out.")

    def task(
        self,
        train: Sequence[Example],
        test: Sequence[Example],
        *,
        model: str = SMALL,
        trained_layers: int | None = None,
        seed: int = 0,
    ) -> Task:
        """Return the problem as the simulation trains it.

        Parameters
        ----------
        train, test
            Examples of this family, at least one each.
        model
            ``"small"`` or a pretrained model: a ``transformers`` name, a folder, or ``"minilm"``, the offline encoder.
        trained_layers
            Of a pretrained encoder: train its heads and this many of its top layers; None trains everything.
        seed
            Of the first weights.
        """
        if not train or not test:
            raise ValueError(f"Expected examples to train and to test on, got {len(train)} and {len(test)}.")
        for split, examples in (("train", train), ("test", test)):
            for i, example in enumerate(examples):
                self.check(example, f"{split} example {i}")
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            encode, network = self.prepare(train, test, model)
        if trained_layers is not None:
            from trustlab.models.encoder import train_top_layers

            train_top_layers(network, trained_layers)
        asked = list(test)

        def evaluate(network: nn.Module, batch: Batch) -> dict[str, float]:
            return self.evaluate(network, batch, asked)

        return Task(network, encode(train), encode(test), self.per_example_loss, evaluate)

    @torch.no_grad()
    def evaluate(self, model: nn.Module, batch: Batch, examples: Sequence[Example]) -> dict[str, float]:
        """Return :meth:`scores` of `model` on `batch`, encoded from a part of `examples`."""
        asked = [examples[row] for row in batch.rows.tolist()]
        said = []
        for start in range(0, len(batch), AT_ONCE):
            said += self.answers(model, batch[start : start + AT_ONCE], asked[start : start + AT_ONCE])
        return self.scores(asked, said)
