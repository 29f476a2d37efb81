"""Which models can be sent and averaged: real finite numbers, each in a place of its own, and no running averages."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from trustlab.federated.simulation.model_state import tensors_of


def check_model(model: nn.Module) -> None:
    """Refuse weights that cannot be sent and averaged.

    Raises
    ------
    ValueError
        Naming the parameter or the layer.
    """
    for name, tensor in tensors_of(model).items():
        if is_lazy(tensor) or tensor.is_meta:
            raise ValueError(
                f"Expected a model with all its weights, got {name!r} without numbers. Call a lazy model once on a few "
                "examples, and load a model on the meta device, before it is trained."
            )
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise ValueError("Expected a model with parameters to train, got none with requires_grad. Unfreeze some.")
    for name, parameter in trained.items():
        if not parameter.is_floating_point():
            raise ValueError(
                f"Expected trained parameters of real numbers, got {name!r} of {parameter.dtype}. Norms, noise and "
                "server optimizers are defined for these: keep torch.view_as_real of it."
            )
        if not parameter.isfinite().all():
            raise ValueError(f"Expected finite first weights, got NaN or Inf in {name!r}. Every average would have it.")
    for name, module in model.named_modules():
        if isinstance(module, _NormBase) and module.track_running_stats:
            raise ValueError(
                f"Expected layers that keep nothing of their inputs, got {type(module).__name__} {name!r}. Its "
                "running averages mix examples and are no weights that a server could average: use LayerNorm or "
                "GroupNorm."
            )
    _check_memory(model, trained)


def _check_memory(model: nn.Module, trained: dict[str, nn.Parameter]) -> None:
    """Refuse a parameter that lies where another tensor does: copies of the model would tear them apart."""
    there: dict[int, list[tuple[str, Tensor]]] = {}
    for name, tensor in tensors_of(model).items():
        if tensor.layout == torch.strided and tensor.numel():
            there.setdefault(tensor.untyped_storage().data_ptr(), []).append((name, tensor))
    for name, parameter in trained.items():
        if parameter.numel() and torch._debug_has_internal_overlap(parameter) == 1:
            raise ValueError(f"Expected a place in memory for each number of {name!r}, got an expanded one: clone it.")
    for found in there.values():
        for i, (name, tensor) in enumerate(found):
            for other, beside in found[:i]:
                if (name in trained or other in trained) and _overlap(tensor, beside):
                    raise ValueError(
                        f"Expected a parameter of its own under each name, got {other!r} and {name!r} in the same "
                        "memory. They would be averaged apart and overwrite each other: to tie weights, assign the "
                        "same nn.Parameter; otherwise clone one."
                    )


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Return whether some byte belongs to both tensors of one storage."""
    taken = torch.zeros(one.untyped_storage().nbytes(), dtype=torch.bool)
    for tensor in (one, other):
        size = tensor.element_size()
        strides = [stride * size for stride in tensor.stride()]
        view = taken.as_strided((*tensor.shape, size), (*strides, 1), tensor.storage_offset() * size)
        if tensor is other:
            return bool(view.any())
        view.fill_(True)
    return False
