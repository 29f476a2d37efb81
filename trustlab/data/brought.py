"""Corpora that you bring: too large or too personal to be fetched here, and without a published hash of their files.

They are read from a folder of yours and never downloaded. As no hash is known beforehand, a result names the
fingerprint of what was read (:func:`~trustlab.data.fingerprint`), and a reader refuses whatever is not of its format.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from trustlab.places import expanded, from_environment

PICKLES = (".pkl", ".pickle", ".pck")


class Brought(NamedTuple):
    """A corpus that you bring.

    Attributes
    ----------
    forms
        Ways in which its files may be named, as patterns; the first that the folder has all files of is read.
    rows
        As its authors say; what is read may be less, see its reader.
    """

    task: str
    rows: int
    licence: str
    source: str
    forms: tuple[tuple[str, ...], ...]


BROUGHT: Mapping[str, Brought] = MappingProxyType({
    "bias_in_bios": Brought(
        task="professions of biographies, with the gender",
        rows=396_189,
        licence="MIT (code); the biographies are their writers'",
        source="huggingface.co/datasets/LabHC/bias_in_bios",
        forms=tuple(
            tuple(f"{folder}{split}*.parquet" for split in ("train", "dev", "test")) for folder in ("", "data/")
        ),
    ),
    "jigsaw": Brought(
        task="toxicity of comments, with the identities that they mention",
        rows=1_999_516,
        licence="CC0 1.0",
        source="kaggle.com/c/jigsaw-unintended-bias-in-toxicity-classification",
        forms=(("all_data.csv",), ("all_data.csv.gz",), ("train.csv",), ("train.csv.gz",)),
    ),
})  # fmt: skip


def located(name: str, directory: str | os.PathLike[str] | None, places: Sequence[Path]) -> list[Path]:
    """Return the files of a corpus that you bring, in the order of its form.

    Parameters
    ----------
    name
        A key of :data:`BROUGHT`.
    directory
        Folder with the files, or a folder ``<name>`` with them; None: a folder ``<name>`` in one of `places`.

    Raises
    ------
    FileNotFoundError
        If no folder has all files of a form; the message says where they come from.
    ValueError
        If there are pickles in their place, or several files where one is expected.
    """
    given = [] if directory is None else [expanded(directory)]
    folders = [place / name for place in (given or places)] + given
    for folder in folders:
        for form in BROUGHT[name].forms:
            files = [sorted(folder.glob(pattern)) for pattern in form]
            if all(files):
                return [_only(each, pattern) for each, pattern in zip(files, form, strict=True)]
    pickles = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.suffix in PICKLES]
    forms = "; or ".join(", ".join(form) for form in BROUGHT[name].forms)
    if pickles:
        raise ValueError(
            f"Expected {forms}, got {pickles[0]}. A pickle runs whatever code its writer put into it when it is read, "
            f"so none is read here. Take the files of {BROUGHT[name].source}, or convert it where you trust it."
        )
    raise FileNotFoundError(
        f"Expected {forms} in {' or '.join(map(str, folders))}. {name} is a corpus that you bring: take it from "
        f"{BROUGHT[name].source}, put the files into a folder {name}/, and set TRUSTLAB_DATA to the folder above."
    )


def named_places(variable: str, cache: Path) -> list[Path]:
    """Return the folders that may hold a corpus's folder: that of the environment, if any, then the cache."""
    named = from_environment(variable)
    return [cache] if named is None else [named, cache]


def _only(files: Sequence[Path], pattern: str) -> Path:
    if len(files) > 1:
        raise ValueError(
            f"Expected one file {pattern}, got {', '.join(path.name for path in files)}. They may be two versions: "
            "keep one, or join the parts of one."
        )
    return files[0]
