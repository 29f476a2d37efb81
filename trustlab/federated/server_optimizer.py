"""How the server steps along the pseudo-gradient Δ: plain or with momentum, or scaled for every weight.

The adaptive rules are those of Reddi et al. (2021), who treat Δ as the negative of a gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trustlab.config import check, option
from trustlab.federated.named_tensors import State, same_names, summed_in

# How the server steps along Δ.
RULES = ("sgd", "momentum", "adagrad", "adam", "yogi")


@dataclass(frozen=True)
class ServerConfig:
    """How the server steps along Δ. The defaults are FedAvg's; adaptive rules want a smaller rate."""

    rule: str = option(
        "sgd",
        label="Server optimizer",
        help="sgd with rate 1 puts the average in place; adagrad, adam and yogi scale every weight's step.",
        values=RULES,
    )
    learning_rate: float = option(1.0, label="η", help="Step size of the server.", above=0)
    beta_1: float | None = option(
        None, label="β₁", help="Memory of past updates; None takes 0.9, and 0 for adagrad.", low=0, high=1
    )
    beta_2: float = option(0.99, label="β₂", help="Memory of past squares (adam, yogi).", low=0, high=1)
    tau: float = option(1e-3, label="τ", help="Degree of adaptivity; a smaller one adapts more.", above=0)
    initial: float | None = option(
        None, label="v₋₁", help="Initial second moment; None takes τ², the paper's smallest. Flower takes 0.", low=0
    )


class ServerOptimizer:
    """Steps along the pseudo-gradient Δ, with the memory that this needs between rounds.

    ``"sgd"``: w + ηΔ. ``"momentum"`` (FedAvgM, Hsu et al. 2019): m = β₁m + Δ, w + ηm. The others are Algorithm 2 of
    Reddi et al. (2021), line by line and without bias correction:

        m = β₁ m + (1 − β₁) Δ
        v = v + Δ²                            (adagrad)
        v = β₂ v + (1 − β₂) Δ²                (adam)
        v = v − (1 − β₂) Δ² sign(v − Δ²)      (yogi)
        w + η m / (√v + τ)

    Parameters
    ----------
    config
        A :class:`ServerConfig`.

    Examples
    --------
    >>> server = ServerOptimizer(ServerConfig("adagrad", learning_rate=0.1, tau=0.5, initial=0.0))
    >>> server.step({"w": torch.tensor([0.1])}, {"w": torch.tensor([0.5])})["w"].item()  # 0.1 + 0.1·0.5/(0.5 + 0.5)
    0.15000000596046448
    """

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.config = config or ServerConfig()
        check(self.config)
        default = 0.0 if self.config.rule == "adagrad" else 0.9
        self._beta_1 = default if self.config.beta_1 is None else self.config.beta_1
        self._m: State = {}
        self._v: State = {}

    def step(self, weights: Mapping[str, Tensor], delta: Mapping[str, Tensor]) -> State:
        """Return the next global model; `weights` w and `delta` Δ, tensors of the same names and shapes, are kept.

        Half precision is stepped in single precision, its memory too, and rounded once at the end.

        Raises
        ------
        ValueError
            For other names or shapes, or weights that are no floating point numbers.
        FloatingPointError
            Where a weight or the memory would be NaN or Inf; the memory stays as it was.
        """
        same_names(delta, weights, "delta", "the weights'")
        moved, memory = {}, (dict(self._m), dict(self._v))
        try:
            for name, w in weights.items():
                if not w.is_floating_point() or delta[name].shape != w.shape:
                    raise ValueError(
                        f"Expected {name!r} of floating point and of shape {list(w.shape)} in both, got {w.dtype} and "
                        f"a delta of shape {list(delta[name].shape)}. One number would move all weights equally."
                    )
                wide = summed_in(w.dtype)
                moved[name] = (w.to(wide) + self._step(name, delta[name].to(wide))).to(w.dtype)
                self._check_finite(name, moved[name])
        except (ValueError, FloatingPointError):
            self._m, self._v = memory
            raise
        return moved

    def _check_finite(self, name: str, moved: Tensor) -> None:
        """Refuse a step to weights or a memory that are not finite."""
        kept = (memory[name] for memory in (self._m, self._v) if name in memory)
        for value in (moved, *kept):
            # A sum takes one pass. That of finite numbers may still be infinite: then every one is looked at.
            if not value.sum().isfinite() and not value.isfinite().all():
                raise FloatingPointError(
                    f"Expected a finite step of {name!r}, got NaN or Inf in the next weights of {moved.dtype} or in "
                    "the optimizer's memory, where they would stay. Lower a learning rate, or use a wider precision."
                )

    def _step(self, name: str, delta: Tensor) -> Tensor:
        rule, eta = self.config.rule, self.config.learning_rate
        if rule == "sgd":
            return eta * delta
        m = self._m.get(name, torch.zeros_like(delta))
        if rule == "momentum":
            self._m[name] = self._beta_1 * m + delta
            return eta * self._m[name]
        self._m[name] = self._beta_1 * m + (1 - self._beta_1) * delta
        self._v[name] = self._second_moment(name, delta**2)
        return eta * self._m[name] / (self._v[name].sqrt() + self.config.tau)

    def _second_moment(self, name: str, square: Tensor) -> Tensor:
        config = self.config
        initial = config.tau**2 if config.initial is None else config.initial
        v = self._v[name] if name in self._v else torch.full_like(square, initial)
        if config.rule == "adagrad":
            return v + square
        if config.rule == "adam":
            return config.beta_2 * v + (1 - config.beta_2) * square
        return v - (1 - config.beta_2) * square * torch.sign(v - square)

    def state_dict(self) -> dict[str, State]:
        """Return the memory between rounds, for a checkpoint."""
        return {"m": dict(self._m), "v": dict(self._v)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on with the memory that :meth:`state_dict` returned."""
        self._m, self._v = dict(state["m"]), dict(state["v"])
