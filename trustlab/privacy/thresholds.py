"""How a clipping norm is divided over a model, and how much of a gradient it lets through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STABILITY = 0.01  # γ of automatic clipping: keeps the scale of a vanishing gradient finite


@dataclass(frozen=True)
class Thresholds:
    """The largest norm that a gradient keeps: as a whole, or in each parameter tensor.

    A whole gradient keeps at most √Σ limit², which is the clipping norm C for every way of dividing it.

    Attributes
    ----------
    limits : Tensor [1] or [P], float64
        One limit for the whole gradient, or one for each of the P parameter tensors.
    automatic
        Scale every gradient to (nearly) its limit instead of shortening the long ones only: AUTO-S of Bu et al. 2022,
        "Automatic clipping", limit / (norm + γ). C then only sets the step's scale, as a learning rate does.
    """

    limits: Tensor
    automatic: bool = False

    @classmethod
    def divide(
        cls,
        clip_norm: float,
        parameters: Mapping[str, nn.Parameter],
        *,
        layerwise: str | Mapping[str, float] = "flat",
        automatic: bool = False,
    ) -> Thresholds:
        """Divide `clip_norm` over named `parameters`.

        Parameters
        ----------
        layerwise
            ``"flat"`` (one norm over all), ``"equal"`` (C/√L for each of L tensors), ``"dimension"`` (C·√(d_l/Σd)) or
            a weight ≥ 0 for each name: C·w_l/√Σw².

        Examples
        --------
        >>> parameters = dict(nn.Linear(3, 1).named_parameters())  # 3 numbers and 1
        >>> Thresholds.divide(2.0, parameters, layerwise="dimension").limits
        tensor([1.7321, 1.0000], dtype=torch.float64)
        """
        if layerwise == "flat":
            return cls(torch.tensor([clip_norm], dtype=torch.float64), automatic)
        weights = torch.tensor(_weights(parameters, layerwise), dtype=torch.float64)
        return cls(clip_norm * weights / weights.norm(), automatic)

    def kept(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Return each unit's whole norm [U], and the share [U, P] of each of its parameters' gradients that is kept.

        Parameters
        ----------
        squares : Tensor [U, P], float64
            Squared norm of each unit's gradient with respect to each parameter.

        Returns
        -------
        norms, shares
            A unit whose norm is not finite keeps nothing, or the whole sum would be NaN.
        """
        norms = squares.sum(1, keepdim=True).sqrt()  # [U, 1]
        # One limit for the whole gradient, or one for each tensor; [U, 1] and [1], or [U, P] and [P].
        own = norms if self.limits.numel() == 1 else squares.sqrt()
        shortened = torch.where(own > self.limits, self.limits / own, 1.0)  # no 0 / 0 where a limit is 0
        scale = self.limits / (own + STABILITY) if self.automatic else shortened
        return norms[:, 0], torch.where(norms.isfinite(), scale, 0.0).expand_as(squares)


def _weights(parameters: Mapping[str, nn.Parameter], layerwise: str | Mapping[str, float]) -> Sequence[float]:
    """Return the weight of each parameter's limit."""
    if layerwise == "equal":
        return [1.0] * len(parameters)
    if layerwise == "dimension":
        return [math.sqrt(parameter.numel()) for parameter in parameters.values()]
    if not isinstance(layerwise, Mapping):
        raise ValueError(
            f"Expected layerwise={layerwise!r} to be 'flat', 'equal', 'dimension' or a weight for each parameter's "
            "name. It sets how the clipping norm is divided."
        )
    if set(layerwise) != set(parameters):
        odd = ", ".join(sorted(set(layerwise) ^ set(parameters)))
        raise ValueError(
            f"Expected a weight for exactly the trained parameters in layerwise; these differ: {odd}. "
            "A gradient without a limit would not be private."
        )
    if not all(0 <= weight < math.inf for weight in layerwise.values()) or not any(layerwise.values()):
        raise ValueError("Expected finite weights >= 0 in layerwise, one of them > 0. They are shares of C.")
    return [layerwise[name] for name in parameters]
