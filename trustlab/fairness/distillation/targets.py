"""What the teacher predicts at each place of a batch, with roles reversed: computed once and kept, or each time.

Kept whole, a prediction is a number for each word: of a vocabulary of 49,152, two hundred kB for each token. With
``top`` it is the likeliest words, each with its number, and the rest as one. The divergence of such distributions is a
lower bound of the whole one (data processing), and never below 0. Measured on 16 of Wikipedia's sentences with SmolLM2:
the 64 likeliest words have 0.86 of the mass; the gradient on the student's logits is off by 9 % of its length (cosine
0.997) where the student is untrained, and by 2 % where it is near its teacher; with 16 words by 14 and 5 %. The teacher
in bfloat16 is 0.001 nats from itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trustlab.fairness.distillation.options import DistillOptions
from trustlab.fairness.distillation.reversal import reverse
from trustlab.fairness.distillation.roles import Role
from trustlab.models.batching import evaluating, padded

KEPT_BYTES = 2**31  # of the predictions that are kept


class Target(NamedTuple):
    """What the student learns from the teacher in one batch, at K places.

    Attributes
    ----------
    rows, places : int [K]
        Which text of the batch, and after which of its tokens.
    log_p : float [K, V], or [K, k + 1] with the mass of all other words last
    words : int [K, k], or None for all of them in order
    """

    rows: Tensor
    places: Tensor
    log_p: Tensor
    words: Tensor | None

    def divergence(self, log_q: Tensor, index: Tensor) -> Tensor:
        """Return KL(target ‖ student) [K], the student's log-probabilities being rows `index` [K] of `log_q` [N, V]."""
        if self.words is None:
            log_q = log_q[index]
        else:  # the few words of each row, without a copy of all
            log_q = _with_rest(log_q.take(index[:, None] * log_q.shape[1] + self.words))
        return (self.log_p.exp() * (self.log_p - log_q)).sum(1)


def log_softmax(logits: Tensor, temperature: float) -> Tensor:
    """Return the log-probabilities of `logits` in single precision, or better, at a temperature."""
    precise = logits if logits.dtype == torch.float64 else logits.float()
    return (precise if temperature == 1 else precise / temperature).log_softmax(-1)  # a copy less: V is large


def _with_rest(log_p: Tensor) -> Tensor:
    """Append the logarithm of the mass that is missing to 1, at least 1e-6: a word in 49,152 has that by chance."""
    rest = (1 - log_p.exp().sum(1, keepdim=True)).clamp(min=1e-6).log()
    return torch.cat([log_p, rest], dim=1)


def target_of(
    teacher: Any, roles: Sequence[Role], options: DistillOptions, exchange: Callable[[Tensor, Tensor], Tensor] | None
) -> Target:
    """Return the teacher's predictions for a batch: texts and counterfactuals in one pass."""
    turned = [role.partner for role in roles if role.partner is not None]
    read = [role.ids for role in roles] + (turned if options.reversal != "none" else [])
    rows, places, partner_rows, partner_places = _places(roles)
    device = next(teacher.parameters()).device
    with evaluating(teacher), torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
        inputs = {name: each.to(device) for name, each in padded(read, None).items()}
        logits = teacher(**inputs, use_cache=False).logits
    with torch.no_grad():
        log_p = log_softmax(logits[rows, places], options.temperature)
        if options.reversal != "none":
            there = log_softmax(logits[partner_rows, partner_places], options.temperature)
            there = there if exchange is None else exchange(log_p, there)
            log_p = reverse(log_p, there, options.reversal, normalised=True)
        if not options.top or options.top >= log_p.shape[1]:
            return Target(rows, places, log_p, None)
        likeliest, words = log_p.topk(options.top)
        return Target(rows, places, _with_rest(likeliest), words)


def _places(roles: Sequence[Role]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the places where there is a next token and a partner: rows and places in the texts, and in partners."""
    found, own = [], len(roles)
    for row, role in enumerate(roles):
        there = row if role.partner is None else own
        own += role.partner is not None
        found += [(row, here, there, place) for here, place in role.places.tolist() if here + 1 < len(role.ids)]
    return tuple(torch.tensor(found, dtype=torch.long).reshape(-1, 4).T)


class Targets:
    """The targets of the batches of a training, by their number.

    Raises
    ------
    ValueError
        If those that are to be kept would take more than :data:`KEPT_BYTES`.
    """

    def __init__(
        self,
        teacher: Any,
        batches: Sequence[Sequence[Role]],
        options: DistillOptions,
        exchange: Callable[[Tensor, Tensor], Tensor] | None,
    ) -> None:
        self.teacher, self.batches, self.options, self.exchange = teacher, batches, options, exchange
        self._kept: dict[int, Target] = {}
        words = teacher.config.vocab_size
        each = 4 * words if not options.top or options.top >= words else 12 * options.top
        size = each * sum(len(role.places) for batch in batches for role in batch)
        if options.predictions == "kept" and size > KEPT_BYTES:
            raise ValueError(
                f"Expected the teacher's predictions to fit into {KEPT_BYTES / 2**30:.3g} GiB, got "
                f"{size / 2**30:.3g}. Keep the likeliest words only (top=64), or compute them again for each step "
                '(predictions="computed again").'
            )

    def __getitem__(self, number: int) -> Target:
        """Return the target of a batch; kept or not, it is the same to the last bit."""
        found = self._kept.get(number)
        if found is None:
            found = target_of(self.teacher, self.batches[number], self.options, self.exchange)
            if self.options.predictions == "kept":
                self._kept[number] = found
        return found
