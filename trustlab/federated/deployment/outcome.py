"""How a run ended. Flower's own ``flwr run --stream`` returns 0 whatever became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

COMPLETED = "finished:completed"


class RunFailedError(RuntimeError):
    """A run that did not complete; the message holds the reason that the server gives."""


def outcome(log: str, ask: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Return the traffic of the run that ``flwr run`` has started.

    Parameters
    ----------
    log
        What ``flwr run`` wrote.
    ask
        ``ask("ls", "--run-id", number)``: what ``flwr ls --format json`` answers.

    Raises
    ------
    RunFailedError
        For a run that was not accepted, or has not completed.

    Examples
    --------
    >>> outcome("Successfully started run 7", lambda *asked: {"runs": [{"status": "finished:failed",
    ...                                                                 "status-details": "no nodes"}]})
    Traceback (most recent call last):
    ...
    trustlab.federated.deployment.outcome.RunFailedError: Expected a completed run, got finished:failed: no nodes
    """
    number = re.search(r"started run (\d+)", log)
    if number is None:
        raise RunFailedError(f"Expected a run to be accepted, got {last_lines(log)}")
    (run,) = ask("ls", "--run-id", number[1])["runs"]
    if run["status"] != COMPLETED:
        raise RunFailedError(f"Expected a completed run, got {run['status']}: {run['status-details']}")
    traffic = run["network-traffic"]
    return {"status": "completed", "network_in": traffic["inbound-bytes"], "network_out": traffic["outbound-bytes"]}


def json_in(said: str, what: str) -> dict[str, Any]:
    """Return the JSON in what a command of Flower said, which greets before it.

    Raises
    ------
    RunFailedError
        Where there is none, with the last lines; `what` names the command.
    """
    if "{" not in said:
        raise RunFailedError(f"Expected {what} to succeed, got {last_lines(said)}")
    return json.JSONDecoder().raw_decode(said[said.index("{") :])[0]


def last_lines(text: str, lines: int = 12) -> str:
    """Return the end of `text`."""
    return "\n".join(text.strip().splitlines()[-lines:]) or "nothing"
