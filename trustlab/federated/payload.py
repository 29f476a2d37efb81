"""How many bytes a model or an update takes on its way: as numbers, as a safetensors file, and as Flower sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NUMBERS, SAFETENSORS, FLOWER = "numbers", "safetensors", "Flower"


def payload(state: Mapping[str, Tensor], form: str = NUMBERS) -> int:
    """Return the bytes of `state`, serialised.

    Parameters
    ----------
    state
        Tensors by name: of a model, those that are trained are sent.
    form
        ``"numbers"``: the numbers alone, as a round of :func:`trustlab.federated.simulation.simulate` counts them.
        ``"safetensors"``: with names and shapes, in one file. ``"Flower"``: as a message of its Message API.

    Raises
    ------
    ValueError
        If there is no such form.
    ModuleNotFoundError
        For ``"Flower"``, where flwr is not installed.

    Examples
    --------
    >>> import torch
    >>> state = {"weight": torch.zeros(10, 10), "bias": torch.zeros(10)}
    >>> payload(state), payload(state, "safetensors")
    (440, 576)
    """
    if form == NUMBERS:
        return sum(value.numel() * value.element_size() for value in state.values())
    if form == SAFETENSORS:
        from safetensors.torch import save

        return len(save({name: value.detach().contiguous() for name, value in state.items()}))
    if form == FLOWER:
        return _as_flower_sends(state)
    raise ValueError(f"Expected form to be one of {NUMBERS}, {SAFETENSORS}, {FLOWER}, got {form!r}.")


def _as_flower_sends(state: Mapping[str, Tensor]) -> int:
    try:
        from flwr.app import RecordDict
        from flwr.common.serde import recorddict_to_proto

        from trustlab.federated.deployment.updates import to_arrays
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Expected Flower: pip install -c requirements.lock -e '.[flower]'.") from error
    return len(recorddict_to_proto(RecordDict({"arrays": to_arrays(state)})).SerializeToString())
