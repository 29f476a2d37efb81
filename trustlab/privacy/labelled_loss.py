"""The loss [B] of a ``transformers`` model whose batch holds ``labels``: what the model's own loss is of one example.

The model's own is a mean over the batch, or over all its tokens, and so cannot be clipped example by example. Here an
example's loss is the mean over its own labels, and :func:`check_own_loss` compares it with the model's on single ones.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.batches import of_content
from trustlab.models.batching import evaluating
from trustlab.privacy.losses import PerExampleLoss

IGNORED = -100  # a token without a label
NEAR = 1e-2  # of the loss; half precision differs by less
FEW, TRIED = 3, 16  # examples of which the model's own loss is compared; among so many, as some may have no label


def labelled_loss(model: Any, batch: Any) -> Tensor:
    """Return the loss [B] of a batch with ``labels``, the mean over each example's own tokens.

    Classes (labels [B] of logits [B, L]), numbers (L = 1), several classes at once (labels [B, L]), or one label for
    each token [B, T], with :data:`IGNORED` for none. Language models compare each token with the next.

    Raises
    ------
    ValueError
        Where there are no ``labels``, or such as a classifier does not have, or logits of another shape.

    Examples
    --------
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> sizes = dict(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    >>> model = BertForSequenceClassification(BertConfig(**sizes, num_labels=3)).eval()
    >>> batch = {"input_ids": torch.ones(2, 4, dtype=torch.long), "labels": torch.tensor([0, 2])}
    >>> bool(labelled_loss(model, batch).mean().isclose(model(**batch).loss))
    True
    """
    if "labels" not in batch:
        raise ValueError(
            f"Expected 'labels' in a batch, got {', '.join(batch)}. Collators leave out labels that are texts or None: "
            "make them numbers (class_encode_column of datasets), or give a per_example_loss of your own."
        )
    _check_labels(model, batch["labels"])
    labels, logits = batch["labels"], model(**batch).logits.float()
    if logits.ndim == 3 and labels.ndim == 2:
        logits = logits[:, -labels.shape[1] :]  # prompt tuning puts tokens of its own before them
        if _reads_ahead(model):
            logits, labels = logits[:, :-1], labels[:, 1:]
        losses = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")  # [B, T]
        return losses.sum(1) / (labels != IGNORED).sum(1).clamp(min=1)
    if logits.ndim == 2 and labels.is_floating_point() and (logits.shape == labels.shape or logits.shape[1] == 1):
        if labels.ndim == 1 and logits.shape[1] == 1:
            return F.mse_loss(logits[:, 0], labels, reduction="none")
        if _problem(model) == "regression":
            return F.mse_loss(logits, labels, reduction="none").mean(1)
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)
    if logits.ndim == 2 and labels.ndim == 1:
        return F.cross_entropy(logits, labels, reduction="none")
    raise ValueError(
        f"Expected logits [B, L] or [B, T, L] and labels for them, got {list(logits.shape)} and {list(labels.shape)}. "
        "Give a per_example_loss of your own."
    )


def check_own_loss(model: nn.Module, per_example_loss: PerExampleLoss, examples: Any) -> None:
    """Compare :func:`labelled_loss` with the loss that the model itself computes of a few examples, one by one.

    Raises
    ------
    ValueError
        Where they differ: the model adds a term, or reads its labels otherwise.
    """
    with torch.random.fork_rng(), evaluating(model):
        compared = 0
        for place in torch.arange(min(TRIED, len(examples))):
            if compared == FEW:
                return
            one = of_content(examples[place[None]])
            ours, own = float(per_example_loss(model, one)), _on(model, one).loss
            if own is not None and own.isnan() and ours == 0:
                continue  # it has no label: the model's own is a mean over none
            compared += 1
            if own is None or not math.isclose(ours, float(own), rel_tol=NEAR, abs_tol=1e-4):
                raise ValueError(
                    f"Expected {type(model).__name__} to compute the loss {ours:.4g} of an example, the mean over its "
                    f"labels, got {own if own is None else round(float(own), 4)}. It adds a term or reads its labels "
                    "otherwise: give a per_example_loss of your own."
                )


def _check_labels(model: Any, labels: Tensor) -> None:
    """Refuse labels that are no classes of a classifier: torch's errors name a number, and not what it should be."""
    classes = getattr(_base(model), "num_labels", None)
    if not isinstance(classes, int):
        return
    if classes == 1 or _problem(model) == "multi_label_classification":
        if not labels.is_floating_point():
            raise ValueError(
                f"Expected labels that are floats, got {labels.dtype}. With num_labels=1 they are numbers to come "
                "close to, with multi_label_classification 0.0 or 1.0 for each class: cast the column to float32."
            )
        return
    known = labels[labels != IGNORED]
    if labels.is_floating_point() and labels.ndim == 1:
        raise ValueError(f"Expected labels that are whole numbers below num_labels={classes}, got {labels.dtype}.")
    if not labels.is_floating_point() and len(known) and not 0 <= known.min() <= known.max() < classes:
        raise ValueError(
            f"Expected labels from 0 to {classes - 1}, as num_labels={classes}, or {IGNORED} for none, got "
            f"{int(known.min())} to {int(known.max())}. Give the model as many labels as there are (num_labels=), or "
            "number them from 0."
        )


def _on(model: Any, batch: Any) -> Any:
    device = next(model.parameters()).device
    return model(**{name: part.to(device) for name, part in batch.items()})


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _reads_ahead(model: Any) -> bool:
    """Say whether the logits of a token are of the next one: of models that write texts, if no encoder reads them."""
    base = _base(model)
    writes = getattr(base, "can_generate", None)
    return bool(writes and writes()) and not getattr(base.config, "is_encoder_decoder", False)


def _problem(model: Any) -> str | None:
    return getattr(getattr(_base(model), "config", None), "problem_type", None)
