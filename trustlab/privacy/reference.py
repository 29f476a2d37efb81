"""Opacus as the reference: the same step as the loop's, computed by independent code.

Three of Opacus 1.6's engines: ``"hooks"`` keeps every example's gradient, by a formula per layer; ``"functorch"`` keeps
them too, by vectorised automatic differentiation; ``"ghost"`` computes norms only, then a second backward of the
weighted losses (Li et al. 2022; Bu et al. 2022). A copy of the model carries the hooks (and Opacus' ``DPLSTM`` where
the model has an ``nn.LSTM``), so that the user's model stays free of them.

A trap met here with Opacus 1.6: on packed sequences that torch sorts by length, ``DPLSTM`` returns its per-example
gradients in the sorted order, every other layer in the batch's order. The examples are mixed up, their norms are
wrong, and no error is raised. Batches are therefore sorted before Opacus sees them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.batches import attention_mask, with_loss
from trustlab.deprecation import old_arguments
from trustlab.privacy.clipping import Norms
from trustlab.privacy.losses import PerExampleLoss, checked
from trustlab.privacy.mixers import refuse_mixers
from trustlab.privacy.refusals import refuse_frozen, refuse_unfit
from trustlab.privacy.writers import refuse_writers

ENGINES = ("hooks", "ghost", "functorch")


class OpacusCopy:
    """A copy of a model, wrapped by Opacus, on which it computes private gradients.

    A step is :meth:`backward`, :meth:`norms` where they are wanted, and :meth:`release`.

    Parameters
    ----------
    model, per_example_loss, clip_norm
        As in :func:`trustlab.privacy.private_gradients`. `model` is copied and left as it is.
    expected_batch_size
        What the noisy sum is divided by; Opacus wants a whole number.
    engine
        ``"hooks"``, ``"ghost"`` or ``"functorch"``.

    Attributes
    ----------
    weights : dict
        The copy's parameters by the model's names.
    trained : list of Parameter
        Those of them that are trained, in the model's order, to be given to an optimizer.

    Raises
    ------
    ValueError
        For another `engine`.
        For a module that mixes the examples of a batch: Opacus would put another one in its place.
    opacus.validators.errors.UnsupportedModuleError
        For a module that Opacus cannot differentiate per example.
    """

    @old_arguments(normalizer="expected_batch_size")
    def __init__(
        self,
        model: nn.Module,
        per_example_loss: PerExampleLoss,
        *,
        clip_norm: float,
        expected_batch_size: int,
        engine: str = "hooks",
    ) -> None:
        from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
        from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
        from opacus.validators import ModuleValidator

        if engine not in ENGINES:
            raise ValueError(f"Expected engine={engine!r} to be one of {', '.join(map(repr, ENGINES))}.")
        refuse_frozen(model)
        refuse_mixers(model)
        refuse_unfit(model)
        self.engine, self.clip_norm, self._loss, self._original = engine, clip_norm, per_example_loss, model
        copy = ModuleValidator.fix(model)  # clones, and swaps nn.LSTM for DPLSTM
        if engine == "ghost":
            self._module = GradSampleModuleFastGradientClipping(copy, max_grad_norm=clip_norm)
        else:
            self._module = GradSampleModule(copy, force_functorch=engine == "functorch")
        self.weights = dict(copy.named_parameters())  # DPLSTM keeps nn.LSTM's names here, not their order
        self.trained = [self.weights[name] for name, own in model.named_parameters() if own.requires_grad]
        optimizer = DPOptimizerFastGradientClipping if engine == "ghost" else DPOptimizer
        self._optimizer = optimizer(
            torch.optim.SGD(self.trained, lr=0.0),
            noise_multiplier=0.0,
            max_grad_norm=clip_norm,
            expected_batch_size=expected_batch_size,
        )

    def backward(self, batch: Any) -> None:
        """Compute what Opacus needs of each example in `batch`, which may be empty."""
        batch, loss = with_loss(batch, self._loss)
        self._module.train()  # in evaluation mode Opacus' hooks record nothing
        self._optimizer.zero_grad(set_to_none=True)
        mask = attention_mask(batch)
        lengths = torch.zeros(len(batch)) if mask is None else mask.sum(1)
        self._order = lengths.argsort(descending=True, stable=True)  # examples of no length stay as they are
        if not len(batch):
            for parameter in self.trained:
                if self.engine == "ghost":
                    parameter.grad = torch.zeros_like(parameter)
                else:
                    parameter.grad_sample = parameter.new_zeros(0, *parameter.shape)
            return
        refuse_writers(self._original, loss, batch)  # the copy's layers keep what Opacus' hooks write
        with warnings.catch_warnings():
            # Token ids carry no gradient, so torch warns that a full backward hook sees none.
            warnings.filterwarnings("ignore", message="Full backward hook is firing")
            # functorch requests autocast in the type of the ids; torch rightly declines with a warning.
            warnings.filterwarnings("ignore", message="In CPU autocast, but the target dtype")
            losses = checked(self._module, loss)(self._module, batch[self._order])  # [B]
            if self.engine == "ghost":
                from opacus.utils.fast_gradient_clipping_utils import DPTensorFastGradientClipping

                DPTensorFastGradientClipping(self._module, self._optimizer, losses, "mean").backward()
            else:
                losses.mean().backward()  # Opacus' hooks take the loss for a mean over the batch

    def norms(self) -> Tensor:
        """Return the norm [B] of each example's gradient in the last backward, in the batch's order."""
        if not len(self._order):
            return torch.zeros(0)
        if self.engine == "ghost":
            norms = self._module.get_norm_sample()
        else:
            each = [own.reshape(len(own), -1).norm(dim=1) for own in self._optimizer.grad_samples]
            norms = torch.stack(each).norm(dim=0)
        return norms[self._order.argsort()]

    def release(self, *, noise_multiplier: float = 0.0, generator: torch.Generator | None = None) -> None:
        """Leave ``(Σ clipped gradients + noise) / expected_batch_size`` in ``.grad`` of the copy's parameters."""
        self._optimizer.noise_multiplier, self._optimizer.generator = noise_multiplier, generator
        self._optimizer.pre_step()


@old_arguments(normalizer="expected_batch_size")
def opacus_gradients(
    model: nn.Module,
    per_example_loss: PerExampleLoss,
    *,
    clip_norm: float,
    expected_batch_size: int,
    engine: str = "hooks",
) -> Callable[..., Norms]:
    """Return ``step(batch, noise_multiplier=..., generator=...) -> Norms``, filling ``.grad`` as DP-SGD's loop does.

    Weights go into an :class:`OpacusCopy` before each step, gradients come out after it; parameters and errors are its.
    An example without a finite gradient raises FloatingPointError.
    """
    copy = OpacusCopy(
        model, per_example_loss, clip_norm=clip_norm, expected_batch_size=expected_batch_size, engine=engine
    )

    def step(batch: Any, *, noise_multiplier: float = 0.0, generator: torch.Generator | None = None) -> Norms:
        with torch.no_grad():
            for name, value in model.named_parameters():
                copy.weights[name].copy_(value)
        copy.backward(batch)
        norms = copy.norms()
        if not norms.isfinite().all():
            raise FloatingPointError(
                f"Expected finite gradients with Opacus, got {int((~norms.isfinite()).sum())} examples without: all "
                "of the sum would be NaN. Our own engines leave such examples out: use engine='fast' or 'loop'."
            )
        copy.release(noise_multiplier=noise_multiplier, generator=generator)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.grad = copy.weights[name].grad.clone()
        return Norms(norms, (norms > clip_norm).float().mean().item())

    return step
