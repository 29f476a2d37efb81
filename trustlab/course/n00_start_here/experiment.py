"""How the saved taggers of notebook 00 were made: notebook 11's trainings, seed 0, kept in half precision.

Where ε is infinite, both methods are ordinary training. ``python -m trustlab models`` trains them again, about three
minutes on one core, and compares; ``--write`` replaces the files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab.course.budgets import EPSILONS
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n00_start_here.trained import DESCRIPTION, FOLDER, description, name_of
from trustlab.course.n11_dp_sgd_vs_edp_sgd import EXPERIMENT
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import Setting, prepare, recipe, tuned
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import BUCKETS, MODEL, by_length
from trustlab.durable import digest, write_whole

if TYPE_CHECKING:
    import datasets
    from torch import Tensor

TRAINED_AS = {"dp-sgd": "fast", "edp-sgd": "edp-sgd"}  # DP-SGD by the fast engine, which releases the same sums
TOLERANCE = 0.05  # of an accuracy, on another processor than the one that trained the saved taggers


@dataclasses.dataclass(frozen=True)
class Made:
    """One tagger: its file's name, its content and what is known of it."""

    name: str
    content: bytes
    about: dict[str, Any]


def grid() -> list[tuple[str, float]]:
    """Return the positions of notebook 00's panel: a method and an ε."""
    return [(method, epsilon) for method in TRAINED_AS for epsilon in EPSILONS]


def setting_of(method: str, epsilon: float) -> Setting:
    """Return the training behind a position, tuned for it; without privacy both methods are plain SGD."""
    return tuned(EMBEDDED, TRAINED_AS[method] if math.isfinite(epsilon) else "sgd", epsilon)


def run(method: str, setting: Setting, corpus: datasets.DatasetDict) -> Made:
    """Train a tagger for `method`, round its weights to half precision and measure both on the test split."""
    from safetensors.torch import save

    from trustlab.models import build, evaluate
    from trustlab.privacy import train

    vocabulary, data = prepare(corpus)
    model = build(MODEL, vocabulary, seed=setting.seed)
    *_, last = train(model, {**data, "train": by_length(data["train"])}, recipe(setting))
    full = evaluate(model, data["test"])
    rounded: dict[str, Tensor] = {name: value.half() for name, value in model.state_dict().items()}
    model.load_state_dict({name: value.float() for name, value in rounded.items()})
    half = evaluate(model, data["test"])
    content = save(rounded)
    about = {
        "method": method,
        "epsilon": setting.epsilon if setting.epsilon < float("inf") else "inf",
        "epsilon_spent": last["epsilon"] if last["epsilon"] < float("inf") else "inf",
        "accuracy": full["accuracy"],
        "accuracy_half": half["accuracy"],
        "slot_f1": full["slot_f1"],
        "slot_f1_half": half["slot_f1"],
        "sha256": digest(content),
    }
    return Made(name_of(method, setting.epsilon), content, about)


def write(made: Sequence[Made], corpus: datasets.DatasetDict, folder: Path = FOLDER) -> None:
    """Write the taggers and, last, their description with its provenance."""
    from trustlab.data import fingerprint
    from trustlab.provenance import provenance

    vocabulary, _ = prepare(corpus)
    about = provenance(
        {name_of(*place): recipe(setting_of(*place)) for place in grid()},
        seeds=[0],
        data_hash=fingerprint(corpus),
        code=EXPERIMENT.code("fast"),
    )
    folder.mkdir(exist_ok=True)
    for each in made:
        write_whole(folder / each.name, each.content)
    labels = {"intents": list(vocabulary.intents), "slots": list(vocabulary.slots), "buckets": BUCKETS}
    text = json.dumps({"models": {each.name: each.about for each in made}, **about, **labels}, indent=1)
    write_whole(folder / DESCRIPTION, text + "\n")


def compared(made: Made, folder: Path = FOLDER) -> tuple[bool, str]:
    """Return whether a tagger agrees with the saved one, and say so in a line."""
    saved = description(folder)["models"][made.name]
    if made.about["sha256"] == saved["sha256"]:
        return True, f"{made.name}: the same file, bit by bit (accuracy {_share(saved)})"
    moved = made.about["accuracy_half"] - saved["accuracy_half"]
    line = f"{made.name}: other weights, accuracy {_share(made.about)}, saved {_share(saved)}"
    return abs(moved) <= TOLERANCE, line


def _share(about: dict[str, Any]) -> str:
    return f"{100 * about['accuracy_half']:.1f} %"


def trained_again(corpus: datasets.DatasetDict) -> Iterator[Made]:
    """Train every tagger, on one thread as the saved ones were."""
    import torch

    torch.set_num_threads(1)
    for method, epsilon in grid():
        yield run(method, setting_of(method, epsilon), corpus)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 1 when a tagger misses the saved one."""
    from trustlab.data import load

    parser = argparse.ArgumentParser(prog="python -m trustlab models", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the saved taggers")
    arguments = parser.parse_args(argv)
    corpus, made, missed = load(EMBEDDED), [], False
    for each in trained_again(corpus):
        made.append(each)
        if not arguments.write:
            agrees, line = compared(each)
            missed |= not agrees
            _say(line)
    if arguments.write:
        write(made, corpus)
        _say(f"Wrote {len(made)} taggers to {FOLDER}.")
    return int(missed)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
