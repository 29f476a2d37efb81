"""All that changes while a student is trained, and what identifies its training: what a checkpoint has to hold."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from trustlab.checkpoint import describe_model
from trustlab.durable import digest
from trustlab.fairness.distillation.exchange import Exchange
from trustlab.fairness.distillation.options import DistillOptions
from trustlab.fairness.distillation.roles import Role
from trustlab.models.fitting import WARM_UP

COUNTERS = ("step", "seconds", "tokens", "aligned", "sums", "rows")


class DistillState:
    """A student, its optimizer, its random numbers and its rows at one moment."""

    def __init__(self, student: Any, options: DistillOptions) -> None:
        self.student, self.options = student, options
        self.optimizer = torch.optim.Adam(student.parameters(), lr=options.learning_rate, fused=True)
        steps = options.steps
        self.schedule = LambdaLR(
            self.optimizer, lambda step: min((step + 1) / (1 + WARM_UP * steps), 1.0) * (1 - step / steps)
        )
        self.step, self.seconds, self.tokens, self.aligned = 0, 0.0, 0, 0
        self.sums: list[list[float]] = []  # loss, kl and ce of each step since the last row
        self.rows: list[dict[str, Any]] = []
        self.devices = [each for each in [next(student.parameters()).device] if each.type == "cuda"]
        with torch.random.fork_rng(self.devices):
            torch.manual_seed(options.seed)
            self._states = self._global_states()

    @contextlib.contextmanager
    def own_random_state(self) -> Iterator[None]:
        """Run dropout on the training's own random state, and leave torch's global one as it was."""
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self.devices, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
            self._states = self._global_states()

    def _global_states(self) -> list[torch.Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self.devices)]

    def note(self, loss: float, kl: float, ce: float, tokens: int, aligned: int) -> None:
        """Note what a step measured."""
        self.sums.append([loss, kl, ce])
        self.tokens += tokens
        self.aligned += aligned

    def add_row(self) -> None:
        """Turn what was noted since the last row into a row."""
        loss, kl, ce = (sum(column) / len(column) for column in zip(*self.sums, strict=True))
        row = {"step": self.step, "loss": loss, "kl": kl, "ce": ce, "tokens": self.tokens}
        row |= {"aligned": self.aligned / self.tokens, "seconds": self.seconds}
        self.rows.append(row | {"progress": self.step / self.options.steps})
        self.sums = []

    def to_dict(self) -> dict[str, Any]:
        """Return tensors, numbers and strings in dicts and lists: what :meth:`restore` needs."""
        parts = {name: getattr(self, name).state_dict() for name in ("student", "optimizer", "schedule")}
        counters = {name: getattr(self, name) for name in COUNTERS}
        return {"parts": parts, "random_states": self._states, "counters": counters}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Become the training that :meth:`to_dict` described."""
        for name, part in content["parts"].items():
            getattr(self, name).load_state_dict(part)
        self._states = content["random_states"]
        for name in COUNTERS:
            setattr(self, name, content["counters"][name])


def identity(
    options: DistillOptions, teacher: Any, student_config: Any, roles: Sequence[Role], exchange: Exchange | None
) -> dict[str, str]:
    """Return what identifies a distillation: every option, the teacher with its weights, the student, the texts."""
    hashed = "".join(digest(each.detach().cpu().float().numpy().tobytes()) for each in teacher.state_dict().values())
    texts = repr([(role.ids, role.partner, role.places.tolist()) for role in roles])
    return {
        **{field.name: repr(getattr(options, field.name)) for field in dataclasses.fields(options)},
        "teacher model": f"{describe_model(teacher)}, weights {digest(hashed)[:8]}",
        "student": digest(student_config.to_json_string())[:8],
        "texts": f"{len(roles)} texts, {digest(texts)[:8]}",
        "exchanged words": "none" if exchange is None else digest(repr(exchange.groups))[:8],
    }
