"""The saved taggers of notebook 00: one for each ε and method, in half precision, as files next to this one.

``models/models.json`` says how they were made: the setting of notebook 11's comparison, seed 0, data, code, versions,
processor, what each scores on the test split before and after the rounding, and each file's sha256.
``python -m trustlab models`` trains them again and compares.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from trustlab.course.n00_start_here.tagger import Tagger
from trustlab.durable import digest

FOLDER = Path(__file__).with_name("models")
DESCRIPTION = "models.json"


def name_of(method: str, epsilon: float) -> str:
    """Return the name of one tagger's file.

    Examples
    --------
    >>> name_of("dp-sgd", 8.0), name_of("edp-sgd", float("inf"))
    ('dp-sgd-8.safetensors', 'edp-sgd-inf.safetensors')
    """
    return f"{method}-{epsilon:g}.safetensors"


@functools.cache
def description(folder: Path = FOLDER) -> dict[str, Any]:
    """Return what ``models.json`` says."""
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))


@functools.cache
def tagger(method: str, epsilon: float, folder: Path = FOLDER) -> Tagger:
    """Return the saved tagger of a method and an ε.

    Raises
    ------
    ValueError
        If its file is not the one that was described.
    """
    from safetensors.numpy import load

    about, name = description(folder), name_of(method, epsilon)
    content = (folder / name).read_bytes()
    expected = about["models"][name]["sha256"]
    if digest(content) != expected:
        raise ValueError(
            f"Expected {name} to have sha256 {expected}, got {digest(content)}. The file was damaged or changed: "
            "take it from the repository again."
        )
    weights = {key: value.astype(np.float32) for key, value in load(content).items()}
    return Tagger(weights, tuple(about["intents"]), tuple(about["slots"]), about["buckets"])
