"""A real language model, tuned by LoRA on sentences with a planted pin: SmolLM2 on the embedded corpus.

Its weights were quantised, and are frozen here: what is trained are low-rank corrections to the query and value
projections of all 30 blocks. A sentence is plain text after the token that separated texts in the model's pretraining.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.models.batching import lengths_mask, rectangle
from trustlab.models.language import next_token_loss
from trustlab.models.lora import add_lora
from trustlab.models.smollm2 import TEXT_START, load_smollm2
from trustlab.privacy.clipping import private_gradients
from trustlab.privacy.plain_step import plain_gradients
from trustlab.privacy.training_options import TrainConfig, check_training, noise_schedule, spent

RANK = 8
PROJECTIONS = ("q_proj", "v_proj")  # those that Hu et al. 2021 adapt, by Llama's names


@functools.lru_cache(maxsize=1)
def language_model() -> tuple[Any, Any]:
    """Return SmolLM2 and its tokenizer, read once a process; copy the model before a change."""
    return load_smollm2()


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as tokens.

    Attributes
    ----------
    input_ids : Tensor [N, T], int64
    attention_mask : Tensor [N, T], bool
        True at a text's own tokens, which come first.
    """

    input_ids: Tensor
    attention_mask: Tensor

    def __len__(self) -> int:
        return len(self.input_ids)

    def __getitem__(self, index: slice | Tensor) -> Texts:
        """Return the texts at `index`, cut to the longest among them."""
        mask = self.attention_mask[index]
        longest = max(int(mask.sum(1).max()), 1) if len(mask) else 1
        return Texts(self.input_ids[index][:, :longest], mask[:, :longest])


def start_of(tokenizer: Any) -> int:
    """Return the token that starts a text."""
    return tokenizer.convert_tokens_to_ids(TEXT_START)


def texts_of(rows: Sequence[Mapping[str, Any]], tokenizer: Any) -> Texts:
    """Return rows of a corpus as texts: their words with spaces between them."""
    start = start_of(tokenizer)
    ids = [[start, *tokenizer(" ".join(row["tokens"]), add_special_tokens=False)["input_ids"]] for row in rows]
    filled = rectangle(ids, 0)
    return Texts(filled, lengths_mask(ids, filled.shape[1]))


def text_losses(model: nn.Module, texts: Texts) -> Tensor:
    """Return the mean loss of each text's tokens, in nats, [B]."""
    return next_token_loss(lambda ids, mask: model(input_ids=ids, attention_mask=mask.long()).logits, texts)


def adapted(model: nn.Module, seed: int) -> nn.Module:
    """Return a copy of `model` with LoRA, whose first weights are those of `seed`."""
    own = copy.deepcopy(model)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        add_lora(own, rank=RANK, targets=PROJECTIONS)
    return own


def tune(model: nn.Module, texts: Texts, config: TrainConfig) -> Iterator[dict[str, Any]]:
    """Train the parameters of `model` that are not frozen, in place, and yield a row after each pass.

    Batches are Poisson samples, as in :func:`trustlab.privacy.train`, and so ε holds for one text.

    Yields
    ------
    dict
        ``epoch`` and ``epsilon`` spent so far, infinite without noise.
    """
    check_training(config, len(texts))
    schedule, rate = noise_schedule(config, len(texts)), config.batch_size / len(texts)
    sigmas = [sigma for sigma, count in schedule for _ in range(count)]
    adam = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=config.learning_rate)
    rng, a_pass = torch.Generator().manual_seed(config.seed), len(sigmas) // config.epochs
    for step, sigma in enumerate(sigmas, start=1):
        batch = texts[(torch.rand(len(texts), generator=rng) < rate).nonzero()[:, 0]]
        if config.method == "sgd":
            plain_gradients(model, batch, per_example_loss=text_losses)
        else:
            options = dict(method=config.method, clip_norm=config.clip_norm, expected_batch_size=config.batch_size)
            private_gradients(model, text_losses, batch, **options, noise_multiplier=sigma, generator=rng)
        adam.step()
        if step % a_pass == 0:
            yield {"epoch": step // a_pass, "epsilon": spent(config, schedule, step, len(texts))}
