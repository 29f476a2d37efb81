"""A classifier as a function of its token embeddings: what gradients of predictions are taken of.

The embedding layer runs as always; a hook puts a tensor with a gradient in the place of what it returns. So the same
code reads models of this package, those of ``transformers`` (as if called with ``inputs_embeds``, only that a model
which finds its last token by ids still does), and any module whose layer is named, as captum's layer methods do. A
batch may have ``inputs_embeds`` itself, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trustlab.fairness.sensitivity.token_batch import TokenBatch, read_batch
from trustlab.models.batching import batches, evaluating

OF = ("probabilities", "logits", "log_odds")


@dataclass(frozen=True, eq=False)
class TextClassifier:
    """A model, what turns texts into its inputs, and the layer whose output is the tokens' embeddings.

    Attributes
    ----------
    model
        A tagger of this package (its intents are the classes), a model of ``transformers`` with a classification head,
        or any module that returns logits [B, K], first in a tuple or under ``logits``. A single logit z is read as the
        two −z/2 and z/2, whose softmax is its sigmoid.
    reader
        A fast tokenizer or a vocabulary; None where batches are encoded already.
    embedding
        The name of the layer, as in ``model.named_modules()``; None finds it.
    batch_tokens
        Tokens that go through the model at once, padding included.
    max_tokens
        Texts are cut to so many; None is the reader's own length.

    Raises
    ------
    ValueError
        If the model has no layer of that name, or none that can be found; the candidates are named.
    """

    model: nn.Module
    reader: Any = None
    embedding: str | None = None
    batch_tokens: int = 4096
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, nn.Module):
            raise ValueError(f"Expected a torch module as classifier, got {type(self.model).__name__}.")
        embedding_layer(self.model, self.embedding)

    def read(self, batch: Any) -> TokenBatch:
        """Return a batch in this classifier's tokens, see :func:`~trustlab.fairness.sensitivity.read_batch`."""
        return read_batch(batch, self.reader, self.max_tokens)

    def chunks(self, tokens: TokenBatch) -> Iterator[tuple[np.ndarray, TokenBatch]]:
        """Yield rows of like length, at most `batch_tokens` at once, and their places."""
        for rows in batches(tokens.mask.sum(1).tolist(), self.batch_tokens):
            yield rows, tokens.take(rows)

    def logits(self, batch: Any) -> Tensor:
        """Return the logits [N, K] of a batch, without gradients."""
        tokens = self.read(batch)
        places, found = [], []
        with evaluating(self.model) as device:
            for rows, chunk in self.chunks(tokens):
                places.append(rows)
                found.append(as_logits(_call(self.model, chunk.inputs, device), len(rows)).cpu())
        return torch.cat(found)[torch.from_numpy(np.argsort(np.concatenate(places)))]


def as_classifier(classifier: Any) -> TextClassifier:
    """Return a classifier as :class:`TextClassifier`: a bare module reads encoded batches."""
    return classifier if isinstance(classifier, TextClassifier) else TextClassifier(classifier)


def embedding_layer(model: nn.Module, name: str | None = None) -> nn.Module:
    """Return the layer that turns token ids into vectors.

    Without a name: what ``get_input_embeddings()`` gives, here or in the one part of the model that has it; the
    attribute ``embedding``; or the only ``nn.Embedding`` in the model.

    Examples
    --------
    >>> embedding_layer(nn.Sequential(nn.Embedding(5, 2), nn.Flatten()))
    Embedding(5, 2)
    """
    named = dict(model.named_modules())
    tables = [each for each, module in named.items() if isinstance(module, nn.Embedding)]
    if name is not None:
        if name not in named or name == "":
            raise ValueError(
                f"Expected embedding={name!r} to be a layer of {type(model).__name__}, got none; {_of(tables)}"
            )
        return named[name]
    if isinstance(getattr(model, "embedding", None), nn.Module):
        return model.embedding
    for part in named.values():  # the model first
        with suppress(NotImplementedError):
            if hasattr(part, "get_input_embeddings") and isinstance(part.get_input_embeddings(), nn.Module):
                return part.get_input_embeddings()
    if len(tables) != 1:
        raise ValueError(
            f"Expected one embedding layer in {type(model).__name__}, got {len(tables)}; {_of(tables)} Name the layer "
            "whose output is the tokens' embeddings: TextClassifier(model, embedding='…')."
        )
    return named[tables[0]]


def _of(tables: list[str]) -> str:
    return f"its embeddings are {', '.join(tables[:5])}." if tables else "it has no nn.Embedding."


@contextmanager
def at_embeddings(
    classifier: TextClassifier, chunk: TokenBatch, change: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give the logits [B, K] of a chunk and the embeddings [B, T, D] that they are a function of.

    Parameters
    ----------
    classifier, chunk
        A model, and what it reads.
    change
        What to put in the place of the embeddings; None leaves them.

    Raises
    ------
    ValueError
        If the layer runs never or twice in one pass, or does not return [B, T, D].
    """
    kept: list[Tensor] = []

    def leaf(output: Tensor) -> Tensor:
        shape = getattr(output, "shape", None)
        if shape is None or len(shape) != 3 or shape[:2] != chunk.mask.shape:
            got = type(output).__name__ if shape is None else list(shape)
            raise ValueError(
                f"Expected embeddings [{len(chunk)}, {chunk.mask.shape[1]}, D], got {got}. Name that layer."
            )
        if kept:
            raise ValueError("Expected the embedding layer to run once in a pass, got twice: whose tokens are they?")
        kept.append((output if change is None else change(output)).detach().requires_grad_())
        return kept[0]

    layer, inputs = embedding_layer(classifier.model, classifier.embedding), dict(chunk.inputs)
    # cuDNN's recurrent layers have no backward pass outside training.
    with evaluating(classifier.model) as device, torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        handle = layer.register_forward_hook(lambda module, arguments, output: leaf(output))
        try:
            if "inputs_embeds" in inputs:
                inputs["inputs_embeds"] = leaf(inputs["inputs_embeds"].to(device))
            output = _call(classifier.model, inputs, device)
        finally:
            handle.remove()
        if not kept:
            raise ValueError(f"Expected the embedding layer {type(layer).__name__} to run, got a pass without it.")
        yield as_logits(output, len(chunk)), kept[0]


def _call(model: nn.Module, given: Mapping[str, Tensor], device: torch.device) -> Any:
    """Call a model by the names that it knows; a mask that it does not take is left out."""
    known = inspect.signature(model.forward).parameters
    anything = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
    inputs = {name: value.to(device) for name, value in given.items()}
    first = [] if anything or "input_ids" in known or "input_ids" not in inputs else [inputs.pop("input_ids")]
    return model(*first, **{name: value for name, value in inputs.items() if anything or name in known})


def as_logits(output: Any, rows: int) -> Tensor:
    """Return logits [B, K], K ≥ 2, from what a model returns.

    Examples
    --------
    >>> as_logits((torch.tensor([[3.0]]), None), 1)
    tensor([[-1.5000,  1.5000]])
    """
    logits = getattr(output, "logits", None)
    if logits is None:
        logits = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(logits, Tensor) or logits.dim() not in (1, 2) or len(logits) != rows:
        got = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"Expected logits [{rows}, classes] of a classifier, got {got}. Give a model with such a head."
        )
    logits = logits.reshape(rows, -1)
    return torch.cat([-logits / 2, logits / 2], dim=1) if logits.shape[1] == 1 else logits


def value_of(logits: Tensor, classes: Tensor, of: str) -> Tensor:
    """Return what is differentiated, [B]: of each row the value of its class of `classes` [B].

    Parameters
    ----------
    logits, classes
        [B, K], and a class of each row.
    of
        "probabilities" (softmax: where the model is sure, they hardly move), "logits" (not bounded, but a number added
        to all of a row's logits changes their gradients and no prediction), or "log_odds", log p / (1 − p), which has
        neither fault.

    Examples
    --------
    >>> z, k = torch.tensor([[0.0, 2.0]]), torch.tensor([1])
    >>> [round(float(value_of(z, k, of)), 3) for of in OF]
    [0.881, 2.0, 2.0]
    """
    if of not in OF:
        raise ValueError(f"Expected of={of!r} to be one of {', '.join(map(repr, OF))}.")
    index = classes[:, None]
    if of == "probabilities":
        return logits.softmax(-1).gather(1, index)[:, 0]
    own = logits.gather(1, index)[:, 0]
    others = logits.scatter(1, index, -torch.inf)
    return own if of == "logits" else own - others.logsumexp(-1)
