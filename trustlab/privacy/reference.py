"""Opacus as the reference: the same step as DP-SGD's loop, computed by somebody else's code.

A shadow copy of the model carries Opacus' hooks (and its ``DPLSTM`` where the model has an ``nn.LSTM``), so that the
user's model stays free of them. Weights go in before each step, gradients come out after it.

A trap met here with Opacus 1.6: on packed sequences that torch sorts by length, ``DPLSTM`` returns its per-example
gradients in the sorted order, every other layer in the batch's order. The examples are mixed up, their norms are
wrong, and nothing says so. Batches are therefore sorted before Opacus sees them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import nn

from trustlab.models import Examples
from trustlab.privacy.clipping import Norms, PerExampleLoss


def opacus_gradients(
    model: nn.Module, per_example_loss: PerExampleLoss, *, clip_norm: float, normalizer: int
) -> Callable[..., Norms]:
    """Return ``step(batch, noise_multiplier=..., generator=...) -> Norms``, filling ``.grad`` as DP-SGD's loop does.

    Parameters
    ----------
    model, per_example_loss, clip_norm
        As in :func:`trustlab.privacy.private_gradients`.
    normalizer
        Expected batch size; Opacus wants a whole number.

    Raises
    ------
    opacus.validators.errors.UnsupportedModuleError
        For a module that Opacus cannot differentiate per example, such as batch normalisation.
    """
    from opacus.grad_sample import GradSampleModule
    from opacus.optimizers import DPOptimizer
    from opacus.validators import ModuleValidator

    shadow = GradSampleModule(ModuleValidator.fix(model))  # fix() clones, and swaps nn.LSTM for DPLSTM
    weights = dict(shadow._module.named_parameters())  # DPLSTM keeps nn.LSTM's names here, not their order
    trained = [weights[name] for name, parameter in model.named_parameters() if parameter.requires_grad]
    optimizer = DPOptimizer(
        torch.optim.SGD(trained, lr=0.0),
        noise_multiplier=0.0,
        max_grad_norm=clip_norm,
        expected_batch_size=normalizer,
    )

    def step(batch: Examples, *, noise_multiplier: float = 0.0, generator: torch.Generator | None = None) -> Norms:
        with torch.no_grad():
            for name, value in model.named_parameters():
                weights[name].copy_(value)
        shadow.train()  # in evaluation mode Opacus' hooks record nothing
        optimizer.zero_grad(set_to_none=True)
        optimizer.noise_multiplier, optimizer.generator = noise_multiplier, generator
        order = batch.attention_mask.sum(1).argsort(descending=True, stable=True)
        if len(batch):
            with warnings.catch_warnings():
                # Token ids carry no gradient, so torch tells that a full backward hook has none to see.
                warnings.filterwarnings("ignore", message="Full backward hook is firing")
                # Opacus' hooks take the loss for a mean over the batch.
                per_example_loss(shadow, batch[order]).mean().backward()
        else:
            for parameter in optimizer.params:
                parameter.grad_sample = torch.zeros(0, *parameter.shape)
        norms = _norms(optimizer.grad_samples)[order.argsort()]
        optimizer.pre_step()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.grad = weights[name].grad.clone()
        return Norms(norms, (norms > clip_norm).float().mean().item())

    return step


def _norms(grad_samples: list[torch.Tensor]) -> torch.Tensor:
    """Return each example's gradient norm [B] from per-example gradients, each [B, ...]."""
    return torch.stack([grad.flatten(1).norm(dim=1) for grad in grad_samples]).norm(dim=0)
