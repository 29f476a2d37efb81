"""Checkpointed activations, which are computed again in the backward, within a private step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils import checkpoint


class _NotReentrant:
    """Computes again within the one backward, instead of by a backward of its own, which gives no gradients back."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        """Return what ``torch.utils.checkpoint`` returns with ``use_reentrant=False``."""
        return checkpoint.checkpoint(function, *args, use_reentrant=False, preserve_rng_state=preserve_rng_state)


@contextlib.contextmanager
def not_reentrant() -> Iterator[None]:
    """Let ``torch.utils.checkpoint(..., use_reentrant=True)`` work under ``torch.autograd.grad``."""
    before = checkpoint.CheckpointFunction
    checkpoint.CheckpointFunction = _NotReentrant
    try:
        yield
    finally:
        checkpoint.CheckpointFunction = before
