"""Reference models that train together: K small models, stacked, one forward and one backward for all.

An attack by reference models needs dozens of them, trained as the model under attack was: by the same method, with the
same noise. Here each of K models has examples of its own (``halves`` draws them), batches of its own, and noise of its
own; weights are stacked [K, …], so that a step of all costs little more than a step of one. What they release is what
:func:`trustlab.privacy.train` releases with the same options: SGD, DP-SGD or eDP-SGD, Poisson batches, noise by the
package's accountant. Any model of the stack can be the one under attack, and the others its references.

>>> inside = halves(200, 4, seed=0)
>>> x, y = torch.randn(200, 5), torch.randint(2, (200,))
>>> stack = Stack(lambda: nn.Linear(5, 2), models=4)
>>> config = TrainConfig(method="dp-sgd", epsilon=4.0, delta=1e-3, batch_size=20, epochs=2)
>>> rows = list(train_together(stack, classification_loss, (x, y), inside, config))
>>> rows[-1]["step"], rows[-1]["epsilon"] <= 4.0, stack.losses(classification_loss, (x, y)).shape
(10, True, (200, 4))
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import stack_module_state
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map

from trustlab.privacy.membership.attacks import halves
from trustlab.privacy.membership.stacked_gradients import (
    Loss,
    Products,
    Weights,
    all_losses,
    example_gradients,
    kept_shares,
    mean_gradients,
    product_gradients,
)
from trustlab.privacy.mixers import refuse_mixers
from trustlab.privacy.thresholds import Thresholds
from trustlab.privacy.training_options import TrainConfig, check_training, noise_schedule, spent

__all__ = ["Draws", "Stack", "classification_loss", "expected_examples", "halves", "train_together"]
HALF = 0.5  # the coin by which an example is in a training
Optimizer = Callable[[list[Tensor]], torch.optim.Optimizer]


def classification_loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the cross-entropy of each example [B] of inputs and labels."""
    inputs, labels = batch
    return F.cross_entropy(model(inputs), labels, reduction="none")


class Stack:
    """K models of one shape, their weights stacked.

    Parameters
    ----------
    make
        Makes one model, its first weights drawn from torch's global generator, which is seeded for each of them and
        left as it was. A small module without buffers and without dropout.
    models
        K ≥ 1.
    seed
        Of the first weights.

    Examples
    --------
    >>> stack = Stack(lambda: nn.Linear(3, 2), models=5)
    >>> stack.weights["weight"].shape, stack.model(0)
    (torch.Size([5, 2, 3]), Linear(in_features=3, out_features=2, bias=True))
    """

    def __init__(self, make: Callable[[], nn.Module], models: int, *, seed: int = 0) -> None:
        if models < 1:
            raise ValueError(f"Expected models={models} >= 1. It is how many are trained together.")
        made = []
        with torch.random.fork_rng(devices=()):
            for k in range(models):
                torch.manual_seed(int(np.random.SeedSequence([seed, k]).generate_state(1)[0]))
                made.append(make())
        self.base = made[0]
        refuse_mixers(self.base)
        if any(True for _ in self.base.buffers()) or any(
            isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in self.base.modules()
        ):
            raise ValueError(
                "Expected a model without buffers and without dropout, got one with them. Stacked models share one "
                "forward, which keeps no state and draws nothing: take it out, or set p=0."
            )
        weights, _ = stack_module_state(made)
        self.weights: Weights = {name: part.detach().clone() for name, part in weights.items()}
        self.models = models

    def model(self, k: int) -> nn.Module:
        """Return model `k` by itself, with the weights it has now: the stack's own module, reused by the next call."""
        with torch.no_grad():
            for name, parameter in self.base.named_parameters():
                parameter.copy_(self.weights[name][k])
        return self.base

    @torch.no_grad()
    def losses(self, loss: Loss, examples: Any) -> np.ndarray:
        """Return the loss of every example by every model, float64 [N, K]: what an attacker measures."""
        return all_losses(self.base, self.weights, loss, examples).double().numpy()


@dataclass
class Draws:
    """Where a stacked training's randomness comes from: batches, micro-batches and noise, all from one seed.

    A test replaces it by one that notes what it drew, and trains one model after another with the same.
    """

    generator: torch.Generator

    def batches(self, inside: Tensor, rate: float) -> Tensor:
        """Return which of its own examples each model's step takes, bool [K, N]: each with probability `rate`."""
        return (torch.rand(inside.shape, generator=self.generator) < rate) & inside

    def micro_batches(self, shape: tuple[int, int], count: int) -> Tensor:
        """Return a micro-batch for each example [K, B]."""
        return torch.randint(count, shape, generator=self.generator)

    def noise(self, like: Tensor) -> Tensor:
        """Return standard normal numbers for every model's copy of a parameter."""
        return torch.randn(like.shape, generator=self.generator, dtype=like.dtype)


def expected_examples(inside: Any, share: float = HALF) -> int:
    """Return how many examples a training is expected to have, by the coin that drew them; not how many one has.

    ε is accounted for this number; how many examples a training really has must not decide anything.
    """
    return round(share * len(inside))


def train_together(
    stack: Stack,
    loss: Loss,
    examples: Any,
    inside: Any,
    config: TrainConfig,
    *,
    share: float = HALF,
    optimizer: Optimizer | None = None,
    draws: Draws | None = None,
) -> Iterator[dict[str, Any]]:
    """Train all models of `stack` in place and yield a row after each epoch (or `evaluate_every` steps).

    Parameters
    ----------
    stack
        K models.
    loss
        ``loss(model, batch) -> [B]``, each entry of its own example; `model` is called and nothing else.
    examples
        A tensor, or a tuple of tensors, of N examples.
    inside : bool [N, K]
        Which example is in which training, as :func:`halves` draws it.
    config
        As for :func:`trustlab.privacy.train`; `engine` and `physical_batch` are not used, noise is added to the sum.
        A step takes each of a model's examples with probability q = batch_size / (share · N).
    share
        With what probability an example is in a training.
    optimizer
        Makes an optimizer, one that treats every number by itself such as SGD or Adam; default Adam.
    draws
        Default: from ``config.seed``.

    Yields
    ------
    dict
        ``step``, ``epoch``, ``epsilon`` (spent so far by every model), ``loss_in`` and ``loss_out`` (mean loss of the
        examples that a model was trained on, and that it was not), ``clipped`` (share of examples shortened),
        ``noise_multiplier``, ``seconds`` and ``progress``.

    Raises
    ------
    ValueError
        At once, for options outside their range and masks that do not fit.
    FloatingPointError
        In a step, when weights are no longer finite.
    """
    masks = _masks(stack, examples, inside)
    expected = expected_examples(masks.T, share)
    check_training(config, expected)
    if config.noise_by != "sum" or config.engine == "opacus":
        raise ValueError("Expected noise_by='sum' and an own engine: stacked models have one sum each, and no workers.")
    schedule = noise_schedule(config, expected)
    make = optimizer or functools.partial(torch.optim.Adam, lr=config.learning_rate, fused=True)
    made = make(list(stack.weights.values()))
    source = draws or Draws(torch.Generator().manual_seed(config.seed))
    return _run(stack, loss, examples, masks, config, expected, schedule, made, source)


def _run(
    stack: Stack,
    loss: Loss,
    examples: Any,
    masks: Tensor,
    config: TrainConfig,
    expected: int,
    schedule: list[tuple[float, int]],
    optimizer: torch.optim.Optimizer,
    draws: Draws,
) -> Iterator[dict[str, Any]]:
    """Take the steps; closing the generator stops the training where it is."""
    sigmas = [sigma for sigma, count in schedule for _ in range(count)]
    per_epoch = len(sigmas) // config.epochs
    every, seconds, clipped = config.evaluate_every or per_epoch, 0.0, []
    take = _Gradients(stack, loss, config)
    for step, sigma in enumerate(sigmas, start=1):
        started = time.perf_counter()
        chosen = draws.batches(masks, config.batch_size / expected)
        found, shortened = take(examples, chosen, sigma, draws)
        for name, part in stack.weights.items():
            part.grad = found[name]
        optimizer.step()
        clipped.append(shortened)
        seconds += time.perf_counter() - started
        if step % every == 0 or step == len(sigmas):
            if not all(part.isfinite().all() for part in stack.weights.values()):
                raise FloatingPointError("Expected finite weights, got NaN or infinity: lower the learning rate.")
            yield {
                "step": step,
                "epoch": step / per_epoch,
                "epsilon": spent(config, schedule, step, expected),
                **_seen_and_unseen(stack.losses(loss, examples), masks.T.numpy()),
                "clipped": float(np.mean(clipped)),
                "noise_multiplier": sigma,
                "seconds": seconds,
                "progress": step / len(sigmas),
            }
            clipped = []
    optimizer.zero_grad(set_to_none=True)


class _Gradients:
    """The gradients of one step of all models, by the method of a configuration."""

    def __init__(self, stack: Stack, loss: Loss, config: TrainConfig) -> None:
        self.stack, self.loss, self.config, self.by_products = stack, loss, config, True
        own = dict(stack.base.named_parameters())
        rule = dict(layerwise=config.layerwise, automatic=config.automatic)
        self.thresholds = Thresholds.divide(config.clip_norm, own, **rule)

    def __call__(self, examples: Any, chosen: Tensor, sigma: float, draws: Draws) -> tuple[Weights, float]:
        """Return the gradient of each model's weights, and which share of its examples was shortened."""
        config, weights = self.config, self.stack.weights
        places, valid = packed(chosen)
        batch, shortened = taken(examples, places), math.nan
        if valid.shape[1] == 0:  # no model drew an example
            sums = {name: torch.zeros_like(part) for name, part in weights.items()}
        elif config.method == "sgd":
            sums = mean_gradients(self.stack.base, weights, self.loss, batch, valid)
        else:
            found = self._products(batch)
            shares, shortened = self._shares(found, valid, draws)
            sums = found.sums(shares)
        if config.method == "sgd":
            return sums, shortened
        divisor = config.micro_batches if config.method == "edp-sgd" else config.batch_size
        std = sigma * config.clip_norm
        noisy = {n: (part + std * draws.noise(part) if std else part) / divisor for n, part in sums.items()}
        return noisy, shortened

    def _shares(self, found: Products, valid: Tensor, draws: Draws) -> tuple[Tensor, float]:
        """Return the coefficient of every example's gradient, [K, B, P], and which share was shortened."""
        units = None
        if self.config.method == "edp-sgd":
            units = torch.where(valid, draws.micro_batches(tuple(valid.shape), self.config.micro_batches), -1)
        shares, shortened = kept_shares(found, valid, self.thresholds, units)
        return shares, float(shortened.sum() / valid.sum().clamp(min=1))

    def _products(self, batch: Any) -> Products:
        found = None
        if self.by_products:
            found = product_gradients(self.stack.base, self.stack.weights, self.loss, batch)
            self.by_products = found is not None
        return example_gradients(self.stack.base, self.stack.weights, self.loss, batch) if found is None else found


def packed(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the chosen examples of each model as places [K, B], and which of these are examples, bool [K, B].

    B is the largest batch; smaller ones are filled up with their own first example, which then counts for nothing.

    Examples
    --------
    >>> packed(torch.tensor([[False, True, True], [False, False, True]]))
    (tensor([[1, 2],
            [2, 2]]), tensor([[ True,  True],
            [ True, False]]))
    """
    models, examples = chosen.nonzero(as_tuple=True)
    at = chosen.cumsum(1)[models, examples] - 1
    shape = (len(chosen), int(chosen.sum(1).max()))
    places, valid = chosen.int().argmax(1)[:, None].repeat(1, shape[1]), torch.zeros(shape, dtype=torch.bool)
    places[models, at], valid[models, at] = examples, True
    return places, valid


def taken(examples: Any, places: Tensor) -> Any:
    """Return the examples at `places` [K, B], of each tensor [K, B, …]: by rows, several times as fast as by index."""
    return tree_map(lambda part: part.index_select(0, places.flatten()).unflatten(0, places.shape), examples)


def _seen_and_unseen(losses: np.ndarray, inside: np.ndarray) -> dict[str, float]:
    return {"loss_in": float(losses[inside].mean()), "loss_out": float(losses[~inside].mean())}


def _masks(stack: Stack, examples: Any, inside: Any) -> Tensor:
    """Return the membership [K, N] as torch has it."""
    sizes = {len(part) for part in tree_leaves(examples)}
    found = np.asarray(inside)
    if len(sizes) != 1 or found.dtype != bool or found.shape != (min(sizes), stack.models):
        raise ValueError(
            f"Expected inside to be True and False of shape [{min(sizes)}, {stack.models}], which example is in which "
            f"training, got {found.dtype} {list(found.shape)} for {sorted(sizes)} examples. See halves()."
        )
    if not (found.any(0) & ~found.all(0)).all():
        raise ValueError("Expected every training to have some examples and to lack some. See halves().")
    return torch.from_numpy(np.ascontiguousarray(found.T))
