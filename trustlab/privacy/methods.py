"""The names of methods and engines, the same from a panel's control to the accountant.

A *method* is the algorithm: it decides what is clipped, and with it how far one example moves the released sum. An
*engine* only computes that sum, so ε does not depend on it.

==========  ================  ===  ========================  ==========================================
method      unit clipped      Δ    engines                   source
==========  ================  ===  ========================  ==========================================
"sgd"       nothing                                          no privacy
"dp-sgd"    an example        1    "fast", "loop", "opacus"  Abadi et al. 2016, Algorithm 1
"edp-sgd"   a micro-batch     2    "fast", "loop"            our reading of Dupuy et al. 2022
==========  ================  ===  ========================  ==========================================

``"loop"`` is the definition, one backward for each unit; ``"fast"`` takes all from one backward
(:mod:`trustlab.privacy.fast`); ``"opacus"`` is Opacus' own code, for comparison (:mod:`trustlab.privacy.reference`,
whose own engines are Opacus' words: ``"hooks"``, ``"ghost"``, ``"functorch"``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trustlab.deprecation import OldKeys, warn_of_old_value

METHODS = ("sgd", "dp-sgd", "edp-sgd")
ENGINES = ("fast", "loop", "opacus")

# Δ: how far adding or removing one example can move the sum before noise, in units of the clipping norm.
SENSITIVITY: Mapping[str, float] = OldKeys(
    {"dp-sgd": 1.0, "edp-sgd": 2.0},
    name="SENSITIVITY",
    renamed={"loop": "dp-sgd", "fast": "dp-sgd", "micro-batch": "edp-sgd"},
)

# Values of `method` before the engine was a separate option.
_BEFORE: Mapping[str, tuple[str, str]] = MappingProxyType({
    "loop": ("dp-sgd", "loop"),
    "fast": ("dp-sgd", "fast"),
    "opacus": ("dp-sgd", "opacus"),
    "micro-batch": ("edp-sgd", "fast"),
})  # fmt: skip


def in_new_words(method: str, engine: str = "fast", *, depth: int = 1) -> tuple[str, str]:
    """Return method and engine; an old value of `method` names both, and warns of it.

    Parameters
    ----------
    depth
        How many calls the user is away from the caller.

    Examples
    --------
    >>> in_new_words("edp-sgd", "loop")
    ('edp-sgd', 'loop')
    """
    if method not in _BEFORE:
        return method, engine
    new_method, new_engine = _BEFORE[method]
    warn_of_old_value(f"method={method!r}", f"method={new_method!r} with engine={new_engine!r}", depth=depth + 1)
    return new_method, new_engine
