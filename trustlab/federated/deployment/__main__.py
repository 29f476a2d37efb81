"""Run a Flower project, here or elsewhere, and end with the run's own exit code.

``python -m trustlab.federated.deployment examples/flower --nodes 4``: a whole deployment on this machine, rows as they
come. ``python -m trustlab.federated.deployment examples/flower CONNECTION``: on the SuperLink of that name in Flower's
configuration.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trustlab.federated.deployment.on_loopback import loopback
from trustlab.federated.deployment.outcome import RunFailedError, json_in, outcome

SHOWN = ("round", "nodes", "clients", "arrived", "refused", "lost", "train_loss", "accuracy", "score", "round_seconds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return 0, or 1 for a run that failed."""
    parser = argparse.ArgumentParser("python -m trustlab.federated.deployment", description=__doc__)
    parser.add_argument("app", type=Path, help="a Flower project, such as examples/flower")
    parser.add_argument("connection", nargs="?", help="a SuperLink in Flower's configuration; none: on this machine")
    parser.add_argument("--nodes", type=int, default=2, help="SuperNodes on this machine")
    parser.add_argument("--secure", action="store_true", help="on this machine: TLS and node authentication")
    parser.add_argument("--folder", type=Path, help="on this machine: keep logs, rows and weights here")
    parser.add_argument("--run-config", default="", help='options, as flwr run takes them: "rounds=5 seed=1"')
    asked = parser.parse_args(arguments)
    try:
        (_here if asked.connection is None else _elsewhere)(asked)
    except RunFailedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _here(asked: argparse.Namespace) -> None:
    from flwr.common.config import parse_config_args

    config = parse_config_args([asked.run_config] if asked.run_config else None)
    options = {"run_config": config, "app": asked.app, "secure": asked.secure, "folder": asked.folder}
    for row in loopback(asked.nodes, int(config.get("rounds", 3)), **options):
        if row["stage"] == "round":
            sys.stdout.write(_line(row))
        elif row["stage"] != "waiting":
            sys.stdout.write(f"{row['note']}\n")
        sys.stdout.flush()


def _line(row: dict[str, Any]) -> str:
    shown = {name: round(row[name], 3) for name in SHOWN if name in row}
    return f"{json.dumps(shown)} {row['reasons']}\n"


def _elsewhere(asked: argparse.Namespace) -> None:
    command = ["flwr", "run", str(asked.app), asked.connection, "--stream"]
    command += ["--run-config", asked.run_config] if asked.run_config else []
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout or ():
            sys.stdout.write(line)
            said += line

    def ask(*words: str) -> dict[str, Any]:
        words = (*words, asked.connection, "--format", "json")
        answer = subprocess.run(["flwr", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return json_in(answer.stdout, f"flwr {words[0]}")

    outcome(said, ask)


if __name__ == "__main__":
    sys.exit(main())
