"""ModIvA: invert a tagger by gradient descent on its input, not on its weights (Parikh, Dupuy and Gupta 2022).

An unknown word is relaxed to a mixture of the candidates: logits Z [n, C] give the input embedding softmax(Z/τ) E.
The model's own loss on the canary's labels is then differentiable in Z, and Adam lowers it. As the temperature τ falls
the mixtures become words, and the largest logit of each place is read off. Many restarts run as one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trustlab.config import check, option
from trustlab.privacy.inversion.target import LOSSES, Target


@dataclass(frozen=True)
class InversionOptions:
    """Options of :func:`invert`."""

    restarts: int = option(32, label="Restarts", help="Random starts Z, all in one batch.", low=1)
    steps: int = option(100, label="Steps", help="Steps of Adam on Z.", low=1)
    learning_rate: float = option(0.3, label="Rate", help="Of Adam.", above=0)
    temperature: float = option(1.0, label="τ", help="At the start; larger mixes candidates more evenly.", above=0)
    last_temperature: float = option(0.2, label="Last τ", help="τ falls to it geometrically.", above=0)
    gumbel: float = option(0.0, label="Gumbel", help="Size of the Gumbel noise added to Z in every step.", low=0)
    loss: str = option("both", label="Loss", help="The head that the adversary reads, or both.", values=LOSSES)
    seed: int = option(0, label="Seed", help="Of the starts and the noise.", low=0)


class Extraction(NamedTuple):
    """What an attack found: the distinct codes int64 [G, n], best first, with their losses [G]; and of each restart."""

    codes: Tensor
    losses: Tensor
    restarts: Tensor  # [K, n], the code that each restart ended with


def invert(
    target: Target, options: InversionOptions = InversionOptions(), *, every: int = 10
) -> Iterator[dict[str, Any]]:
    """Run the attack on `target` and yield a row every `every` steps and after the last.

    Yields
    ------
    dict
        ``step``, ``progress``, ``temperature``, ``loss`` (the smallest relaxed loss of all restarts), ``guess`` (the
        words that this restart would answer now, joined by blanks) and ``certainty`` (its mean largest probability).

    Examples
    --------
    >>> import torch
    >>> from trustlab.models import Vocabulary, build
    >>> from trustlab.privacy.inversion import Canary, target_of
    >>> vocabulary = Vocabulary(intents=("keep",), slots=("O", "B-pin", "I-pin"), words=("pin", "one", "two"))
    >>> canary = Canary(("pin",), ("one", "two"), ("O", "B-pin", "I-pin"), "keep")
    >>> target = target_of(build("bilstm", vocabulary), vocabulary, canary, ("one", "two"))
    >>> [row["step"] for row in invert(target, InversionOptions(steps=25))]
    [10, 20, 25]
    """
    for state in _descend(target, options):
        if state.step % every == 0 or state.step == options.steps:
            best = int(state.losses.argmin())
            logits = state.logits[best]  # [n, C]
            shares = (logits / state.temperature).softmax(-1)
            yield {
                "step": state.step,
                "progress": state.step / options.steps,
                "temperature": state.temperature,
                "loss": float(state.losses[best]),
                "guess": " ".join(target.words(logits.argmax(-1))),
                "certainty": float(shares.amax(-1).mean()),
            }


def extract(target: Target, options: InversionOptions = InversionOptions()) -> Extraction:
    """Run the attack on `target`, read a code off each restart, and order the distinct ones by the model's loss."""
    *_, last = _descend(target, options)
    restarts = last.logits.argmax(-1)  # [K, n]
    codes = restarts.unique(dim=0)
    losses = target.losses(codes)[options.loss]
    order = losses.argsort(stable=True)
    return Extraction(codes[order], losses[order], restarts)


class _State(NamedTuple):
    """Where the restarts are after a step: the logits Z [K, n, C], and the relaxed losses [K] before it."""

    step: int
    temperature: float
    logits: Tensor
    losses: Tensor


def _descend(target: Target, options: InversionOptions) -> Iterator[_State]:
    """Yield the state after each step; its logits change with the next one."""
    check(options)
    embeddings = target.embeddings()  # E [C, D]
    rng = torch.Generator().manual_seed(options.seed)
    shape = (options.restarts, len(target.places), len(target.candidates))
    logits = torch.randn(shape, generator=rng).requires_grad_()
    adam = torch.optim.Adam([logits], lr=options.learning_rate, eps=1e-30)  # gradients of a sure model are tiny
    for step in range(1, options.steps + 1):
        share = (step - 1) / max(options.steps - 1, 1)
        temperature = options.temperature * (options.last_temperature / options.temperature) ** share
        noise = options.gumbel * _gumbel(shape, rng) if options.gumbel else 0.0
        with torch.enable_grad():
            mixed = ((logits + noise) / temperature).softmax(-1) @ embeddings  # [K, n, D]
            losses = target.relaxed_losses(mixed)[options.loss]
            (logits.grad,) = torch.autograd.grad(losses.sum(), logits)
        adam.step()
        yield _State(step, temperature, logits.detach(), losses.detach())


def _gumbel(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Return standard Gumbel noise, −log(−log U)."""
    return -(-torch.rand(shape, generator=rng).clamp(min=1e-20).log()).log()
