"""Local optimizers over stacked weights [K, ...]: every row steps exactly as ``torch.optim`` would step it alone.

All devices take their first step together and those with fewer steps leave early, so all that still train have taken
equally many. State is kept for all K and the first k of it are stepped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trustlab.federated.simulation.definitions import FederatedConfig

BETA_1, BETA_2, SMALL = 0.9, 0.999, 1e-8  # torch.optim.Adam's defaults


class StackedOptimizer:
    """SGD with momentum, or Adam, with the options of a :class:`FederatedConfig`; state starts at zero.

    Parameters
    ----------
    weights
        What is stepped in place, each [K, ...].
    config
        Says which optimizer, and μ of FedProx.

    Examples
    --------
    >>> weights = [torch.zeros(3, 2)]
    >>> optimizer = StackedOptimizer(weights, FederatedConfig(learning_rate=0.5))
    >>> optimizer.step([torch.ones(2, 2)])  # the third device has finished
    >>> weights[0][:, 0]
    tensor([-0.5000, -0.5000,  0.0000])
    """

    def __init__(self, weights: list[Tensor], config: FederatedConfig) -> None:
        self.weights, self.config, self.taken = weights, config, 0
        self.start = [weight.clone() for weight in weights] if config.proximal else []
        kept = 2 if config.optimizer == "adam" else int(config.momentum > 0)
        self.state = [[torch.zeros_like(weight) for weight in weights] for _ in range(kept)]

    @torch.no_grad()
    def step(self, gradients: list[Tensor]) -> None:
        """Step the first k devices, which `gradients` [k, ...] belong to."""
        active = len(gradients[0])
        weights = [weight[:active] for weight in self.weights]
        state = [[tensor[:active] for tensor in kind] for kind in self.state]
        self.taken += 1
        if self.config.proximal:
            drift = torch._foreach_sub(weights, [weight[:active] for weight in self.start])
            gradients = torch._foreach_add(gradients, drift, alpha=self.config.proximal)
        if self.config.optimizer == "adam":
            self._adam(weights, gradients, *state)
        else:
            if state:
                torch._foreach_mul_(state[0], self.config.momentum)
                torch._foreach_add_(state[0], gradients)
                gradients = state[0]
            torch._foreach_add_(weights, gradients, alpha=-self.config.learning_rate)

    def _adam(self, weights: list[Tensor], gradients: list[Tensor], first: list[Tensor], second: list[Tensor]) -> None:
        """Kingma & Ba 2015, Algorithm 1, in the order of operations of ``torch.optim.Adam``."""
        torch._foreach_lerp_(first, gradients, 1 - BETA_1)
        torch._foreach_mul_(second, BETA_2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - BETA_2)
        roots = torch._foreach_sqrt(second)
        torch._foreach_div_(roots, (1 - BETA_2**self.taken) ** 0.5)
        torch._foreach_add_(roots, SMALL)
        rate = self.config.learning_rate / (1 - BETA_1**self.taken)
        torch._foreach_addcdiv_(weights, first, roots, -rate)
