"""Modules and parameters whose step could not be private or right, refused by name before anything is computed."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy


def refuse_unfit(model: nn.Module) -> None:
    """Refuse layers of `model` that write into their weights or mix examples, and parameters that have no real numbers.

    Normalisations that mix examples are refused by :func:`trustlab.privacy.mixers.refuse_mixers`.

    Raises
    ------
    ValueError
        Naming the layer or the parameter.

    Examples
    --------
    >>> refuse_unfit(nn.Embedding(9, 4, max_norm=1.0))
    Traceback (most recent call last):
    ...
    ValueError: Expected no max_norm, got 1.0 in 'Embedding'. The forward shortens the rows of the words it sees, ...
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            _check_embedding(name or type(module).__name__, module)
    for name, parameter in model.named_parameters():
        if hasattr(parameter, "device_mesh"):  # DTensor's, without importing it
            raise ValueError(
                f"Expected parameters that each worker holds whole, got {name!r} in shards (DTensor, fully_shard). A "
                "forward of FSDP waits for all workers, which here take different numbers of them. Leave fully_shard "
                "out; train fewer parameters (LoRA), or less at once (physical_batch)."
            )
        if is_lazy(parameter):
            raise ValueError(
                f"Expected parameters of known shape, got {name!r} of a lazy module, whose shape its first batch "
                "decides. Run the model once on public data before it is trained."
            )
        if parameter.requires_grad and not parameter.is_floating_point():
            raise ValueError(
                f"Expected real trainable parameters, got {name!r} of {parameter.dtype}. torch's complex noise has "
                "half the variance in each of its two parts: keep the real and the imaginary part as two parameters."
            )


def refuse_frozen(model: nn.Module) -> None:
    """Refuse a `model` of which nothing is trained: its step would be about nothing.

    Examples
    --------
    >>> refuse_frozen(nn.Linear(2, 1).requires_grad_(False))
    Traceback (most recent call last):
    ...
    ValueError: Expected a model with trainable parameters, got 2 that are all frozen. ...
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        frozen = len(list(model.parameters()))
        raise ValueError(
            f"Expected a model with trainable parameters, got {frozen} that are all frozen. Call requires_grad_() on "
            "those to train; PEFT freezes what it loads and what it disables: "
            "PeftModel.from_pretrained(..., is_trainable=True), set_adapter(name)."
        )


def refuse_compiled(model: nn.Module, per_example_loss: Any) -> None:
    """Refuse what ``torch.compile`` made: it hides the calls of layers, which the fast engine records.

    Raises
    ------
    ValueError
        Naming the layer, or the loss.
    """
    found = [each for each in model.modules() if "_orig_mod" in each._modules or each._compiled_call_impl is not None]
    if found or hasattr(per_example_loss, "_torchdynamo_orig_callable"):
        names = {module: repr(name) if name else "the model" for name, module in model.named_modules()}
        raise ValueError(
            f"Expected layers that are called one by one, got {names[found[0]] if found else 'per_example_loss'} "
            "compiled. The fast engine records each call: pass the model that torch.compile was given, which has the "
            "same weights, or use engine='loop'."
        )


def _check_embedding(name: str, module: nn.Embedding | nn.EmbeddingBag) -> None:
    if module.max_norm is not None:
        raise ValueError(
            f"Expected no max_norm, got {module.max_norm} in {name!r}. The forward shortens the rows of the words it "
            "sees, in place: the weights would show which words the batch had, at any noise. Build it without; clip "
            "the rows after the optimizer's step."
        )
    if module.scale_grad_by_freq and module.weight.requires_grad:
        raise ValueError(
            f"Expected no scale_grad_by_freq, got it in {name!r}. It divides a word's gradient by how often the whole "
            "batch has it, so that one example changes another's: build it without, or freeze it."
        )
