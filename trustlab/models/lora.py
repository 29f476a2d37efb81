"""LoRA: train a low-rank correction to each chosen weight and leave the weight itself alone (Hu et al. 2021).

A step with DP-SGD clips and noises what is trained, and LoRA trains a few per cent of an encoder. The package ``peft``
does the same and far more; it is no dependency here because the idea fits one screen, and because two plain
``nn.Linear`` are understood by every clipping engine, ours and others'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

ALPHA = 16.0  # α: with the scale α/r, a rank tried later needs no new learning rate
TARGETS = ("query", "value")  # the attention weights that the paper adapts, by BERT's names


class LoRALinear(nn.Module):
    """h = W₀x + b + (α/r)·BAx, where W₀ and b are frozen (Hu et al. 2021, eq. 3).

    B starts at zero, so the layer starts as the one it replaces.

    Parameters
    ----------
    base
        The layer to adapt, with weight W₀ [out, in]. It is frozen.
    rank
        r, from 1 to min(in, out): the width between A [r, in] and B [out, r].
    alpha
        α > 0, the correction's scale before the division by r.

    Raises
    ------
    ValueError
        For `rank` or `alpha` outside these ranges.

    Examples
    --------
    >>> layer = LoRALinear(nn.Linear(64, 32), rank=4)
    >>> [name for name, parameter in layer.named_parameters() if parameter.requires_grad]
    ['down.weight', 'up.weight']
    >>> sum(parameter.numel() for parameter in layer.parameters() if parameter.requires_grad)  # 4·64 + 32·4
    384
    """

    def __init__(self, base: nn.Linear, *, rank: int = 8, alpha: float = ALPHA) -> None:
        super().__init__()
        if not 1 <= rank <= (full := min(base.in_features, base.out_features)):
            raise ValueError(
                f"Expected rank={rank} from 1 to {full}, the full rank of the layer. A higher one trains more numbers "
                "than the layer has: train the layer itself."
            )
        if not 0 < alpha < math.inf:
            raise ValueError(f"Expected 0 < alpha={alpha} < inf. It scales the correction; 0 would train nothing.")
        self.base = base.requires_grad_(False)
        like = dict(device=base.weight.device, dtype=base.weight.dtype)
        self.down = nn.Linear(base.in_features, rank, bias=False, **like)  # A
        self.up = nn.Linear(rank, base.out_features, bias=False, **like)  # B
        nn.init.zeros_(self.up.weight)
        self.scale = alpha / rank

    def forward(self, states: Tensor) -> Tensor:
        """Map `states` [..., in] to [..., out]."""
        return self.base(states) + self.scale * self.up(self.down(states))


def add_lora(model: nn.Module, *, rank: int = 8, alpha: float = ALPHA, targets: Sequence[str] = TARGETS) -> list[str]:
    """Freeze `model`, then put a :class:`LoRALinear` around each ``nn.Linear`` that `targets` names.

    Parameters
    ----------
    model
        Changed in place. A module trained together with it, such as a new head, is added afterwards.
    rank, alpha
        See :class:`LoRALinear`.
    targets
        Last parts of the layers' names: ``"query"`` means ``layer.0.attention.self.query`` and the same layer of every
        block.

    Returns
    -------
    list of str
        Names of the adapted layers.

    Raises
    ------
    ValueError
        When a target names no ``nn.Linear``, before anything is changed; or as :class:`LoRALinear`.

    Examples
    --------
    >>> from collections import OrderedDict
    >>> model = nn.Sequential(OrderedDict(query=nn.Linear(8, 8), key=nn.Linear(8, 8)))
    >>> add_lora(model, rank=2, targets=["query"])
    ['query']
    """
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    chosen = [name for name in layers if name.split(".")[-1] in targets]
    found = {name.split(".")[-1] for name in layers}
    if missing := [target for target in targets if target not in found]:
        raise ValueError(
            f"Expected targets={tuple(targets)} to name nn.Linear layers, got no {missing[0]!r}. "
            f"This model has {', '.join(sorted(found)) or 'none'}."
        )
    adapted = {name: LoRALinear(layers[name], rank=rank, alpha=alpha) for name in chosen}
    model.requires_grad_(False)
    for name, layer in adapted.items():
        model.set_submodule(name, layer)
    return chosen
