"""Eight extrinsic metrics of one model about one notion: fine-tuned on a task, measured on both groups.

All are 0 for a model that treats the groups alike, and larger for one that does not. An AUC is given as 1 minus the
AUC. Differences and changes are never negative, so a fair model's are above 0 by chance: look at the floor.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n31_fairness_metrics.intrinsic import Measured
from trustlab.fairness.groups import ALL, BETWEEN, Bootstrap
from trustlab.fairness.tasks.all_metrics import extrinsic_metrics as all_metrics
from trustlab.fairness.tasks.shape import GroupedTexts
from trustlab.models.batching import batches, evaluating, longest_input, mean_state, padded

if TYPE_CHECKING:
    import torch

# Title in figures and in the stored table's columns → metric and group of trustlab.fairness.tasks.extrinsic_metrics,
# and whether the value is subtracted from 1.
SOURCES: dict[str, tuple[str, str, bool]] = {
    "accuracy gap": ("accuracy_score_difference", BETWEEN, False),
    "selection gap": ("demographic_parity_difference", BETWEEN, False),
    "TPR gap": ("true_positive_rate_difference", BETWEEN, False),
    "FPR gap": ("false_positive_rate_difference", BETWEEN, False),
    "subgroup AUC": ("subgroup_auc_mean", BETWEEN, True),
    "BPSN AUC": ("bpsn_auc_mean", BETWEEN, True),
    "flip rate": ("flip_rate", ALL, False),
    "score change": ("absolute_score_change", ALL, False),
}
EXTRINSIC = tuple(SOURCES)
EPOCHS, BATCH, LEARNING_RATE = 6, 32, 2e-3
TOKENS = 4096  # in one forward pass for scoring, padding included
Z = 1.959964  # half a 95 % interval, in standard errors


class Classifier:
    """An encoder with a head of one output, fine-tuned as a whole.

    Parameters
    ----------
    model, tokenizer
        A model of ``transformers`` (copied, so that the given one stays as it is) and its tokenizer.
    train
        Texts with truth.
    epochs, learning_rate
        Of AdamW, in batches of 32.
    max_tokens
        Longer texts are cut to so many sub-tokens, or to fewer where the model has fewer positions.
    seed
        Of the head's first weights and of the order.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        train: GroupedTexts,
        *,
        epochs: int = EPOCHS,
        learning_rate: float = LEARNING_RATE,
        max_tokens: int = 128,
        seed: int = 0,
    ) -> None:
        import torch
        from torch.nn import functional as F

        if train.truth is None or len(set(train.truth.tolist())) < 2:
            raise ValueError(f"Expected texts with both answers to learn from, got {train!r}.")
        # Single precision: half is too coarse for small steps.
        self.encoder, self.tokenizer = copy.deepcopy(getattr(model, "base_model", model)).float(), tokenizer
        self.max_tokens = min(max_tokens, longest_input(self.encoder, tokenizer))
        rows, truth = self._encode(train.texts), torch.from_numpy(train.truth.astype(np.float32))
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            self.head = torch.nn.Linear(self.encoder.config.hidden_size, 1)
            parameters = [*self.encoder.parameters(), *self.head.parameters()]
            optimizer = torch.optim.AdamW(parameters, lr=learning_rate)
            for _ in range(epochs):
                order = rng.permutation(len(rows))
                for chosen in np.array_split(order, -(-len(rows) // BATCH)):
                    logits = self._logits([rows[i] for i in chosen])
                    loss = F.binary_cross_entropy_with_logits(logits, truth[torch.from_numpy(chosen)])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of the answer 1 for each text, float [N]."""
        rows, found = self._encode(texts), np.empty(len(texts))
        with evaluating(self.encoder):
            for chosen in batches([len(row) for row in rows], TOKENS):
                found[chosen] = self._logits([rows[i] for i in chosen]).sigmoid().double().numpy()
        return found

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)["input_ids"]

    def _logits(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        batch = padded(rows, self.tokenizer.pad_token_id or 0)  # some causal models have none; it is masked
        states = self.encoder(**batch).last_hidden_state  # [B, T, D]
        return self.head(mean_state(states, batch["attention_mask"]))[:, 0]


def extrinsic_metrics(
    model: Any, tokenizer: Any, train: GroupedTexts, test: GroupedTexts, *, resamples: int = 100, seed: int = 0
) -> dict[str, Measured]:
    """Fine-tune a copy of `model` on `train` and return the eight metrics on `test`, and its ``accuracy``.

    Parameters
    ----------
    model, tokenizer
        A model of ``transformers`` and its tokenizer.
    train, test
        Of one task; `test` has groups and counterparts.
    resamples
        Of the test texts, for the standard errors.
    seed
        Of the fine-tuning.
    """
    classifier = Classifier(model, tokenizer, train, seed=seed)
    scores, swapped = (classifier.scores(texts) for texts in (test.texts, test.counterparts))
    rows = all_metrics(test, scores, swapped=swapped, bootstrap=Bootstrap(resamples=resamples))
    by_key = {(row["metric"], row["group"]): row for row in rows}
    found = {"accuracy": _measured(by_key["accuracy_score", ALL], False)}
    return found | {name: _measured(by_key[key[:2]], key[2]) for name, key in SOURCES.items()}


def _measured(row: dict[str, Any], from_1: bool) -> Measured:
    value = 1 - row["value"] if from_1 else row["value"]
    return Measured(value, (row["high"] - row["low"]) / (2 * Z))
