"""Which source files decide what a training gives: an edit to one of them makes another run."""

from __future__ import annotations

from types import ModuleType

from trustlab.models import checkpoint, evaluation, taggers, vocabulary
from trustlab.privacy import (
    accountants,
    accounting,
    clipping,
    fast,
    mixers,
    noise,
    options,
    parallel,
    pld,
    state,
    thresholds,
    training,
)


def sources(method: str) -> list[ModuleType]:
    """Return the modules and packages that decide a training by `method`, of a :class:`TrainConfig`.

    An edit to the fast engine must not throw away hours of the loop, which does without it, nor any edit of a private
    step plain SGD.

    Examples
    --------
    >>> fast in sources("dp-sgd"), fast in sources("edp-sgd")
    (False, True)
    """
    found = [options, state, training, checkpoint, taggers, vocabulary, evaluation]
    if method != "sgd":
        found += [clipping, mixers, noise, parallel, thresholds, accounting, accountants, pld]
    if method in ("edp-sgd", "fast"):
        found += [fast]
    return found
