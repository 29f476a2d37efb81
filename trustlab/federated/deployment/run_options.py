"""What a run's configuration says: flat names and values, as Flower hands them to both halves of an app."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trustlab.config import check, option
from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.selection.strategies import SelectionConfig
from trustlab.federated.simulation.definitions import FederatedConfig

SERVER = "server-"  # how names of the server optimizer's options begin
NONE = "none"  # TOML has no None
# The simulator's own: here clients are slow and lost by themselves, and each trains in a process of its own.
SIMULATED = ("drop_out", "straggler_rate", "stragglers", "engine", "server")
UNANSWERED = {
    "power-of-choice": "It asks candidates for their losses before it selects",
    "optimal": "It asks every client for the norm of its update before it selects",
}


@dataclass(frozen=True)
class DeploymentConfig:
    """What only real clients need: how long to wait for them, and which updates to believe."""

    round_timeout: float = option(
        60.0,
        label="Timeout",
        help="Longest wait for the updates of a round; what comes later is lost.",
        unit="s",
        above=0,
    )
    wait: float = option(
        120.0, label="Wait", help="Longest wait for min_nodes nodes to report their activity.", unit="s", above=0
    )
    min_nodes: int = option(2, label="Nodes", help="A round begins when so many nodes have reported.", low=1)
    empty_rounds: int = option(
        3, label="Empty rounds", help="The run fails after so many rounds in a row without an update.", low=1
    )
    norm_bound: float = option(
        1000.0, label="Norm", help="Refuse an update of a larger L2 norm than any honest client would send.", above=0
    )
    most_examples: int = option(
        10_000_000, label="Most examples", help="Refuse an activity that no honest client could have.", low=1
    )
    poll: float = option(0.5, label="Poll", help="Time between looks at what has arrived.", unit="s", above=0)
    secure_sum: bool = option(
        False, label="Secure sum", help="SecAgg+: the server sees the sum of updates and no client's own."
    )
    secure_range: float = option(
        8.0, label="Range", help="Secure sum: largest number an update may hold; with clip_norm it is that.", above=0
    )
    out: str = option("", label="Out", help="Folder for rows.jsonl and model.safetensors; empty keeps nothing.")


@dataclass(frozen=True)
class Options:
    """All options of a run."""

    federated: FederatedConfig
    selection: SelectionConfig
    deployment: DeploymentConfig


def read_options(run_config: Mapping[str, Any]) -> Options:
    """Return the options that a Flower run's configuration names.

    Parameters
    ----------
    run_config
        ``context.run_config``. Names are those of the fields, with hyphens: ``clients-per-round``, ``strategy``,
        ``round-timeout``, and of the server optimizer ``server-rule``. ``"none"`` is None. Names with a dot are
        the app's own.

    Raises
    ------
    ValueError
        For a name that is no option, and a value outside its range.

    Examples
    --------
    >>> options = read_options({"rounds": 2, "server-rule": "adam", "clip-norm": "none", "task.words": 9})
    >>> options.federated.rounds, options.federated.server.rule, options.selection.strategy
    (2, 'adam', 'power')
    >>> read_options({"round": 2})
    Traceback (most recent call last):
    ...
    ValueError: Expected names of options, got 'round'. Did you mean 'rounds'? An app's own begin with a word and a dot.
    """
    given = {name: value for name, value in run_config.items() if "." not in name}
    server = _taken(ServerConfig, given, SERVER)
    federated = _taken(FederatedConfig, given, server=server)
    found = Options(federated, _taken(SelectionConfig, given), _taken(DeploymentConfig, given))
    if given:
        raise ValueError(_unknown(next(iter(given))))
    for config in (server, found.federated, found.selection, found.deployment):
        check(config)
    if found.selection.strategy in UNANSWERED:
        strategy = found.selection.strategy
        raise ValueError(
            f"Expected a strategy of activity alone, got {strategy!r}. {UNANSWERED[strategy]}: the simulator has it, a "
            "deployment would pay for a second exchange in every round."
        )
    return found


def _taken(kind: Any, given: dict[str, Any], prefix: str = "", **known: Any) -> Any:
    """Return a `kind` made of the values that `given` has for it, which are taken out."""
    for field in dataclasses.fields(kind):
        name = prefix + field.name.replace("_", "-")
        if name in given and field.name not in SIMULATED:
            value = given.pop(name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            value = float(value) if whole and field.type in (float, "float", "float | None") else value
            known[field.name] = None if value == NONE else value
    return kind(**known)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, names(), 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Expected names of options, got {name!r}.{hint} An app's own begin with a word and a dot."


def names() -> list[str]:
    """Return the names of all options, as a run's configuration writes them."""
    found = []
    for kind, prefix in ((FederatedConfig, ""), (ServerConfig, SERVER), (SelectionConfig, ""), (DeploymentConfig, "")):
        fields = (field.name for field in dataclasses.fields(kind) if field.name not in SIMULATED)
        found += [prefix + name.replace("_", "-") for name in fields]
    return found
