"""What the catalogue states about a corpus: its task, its licence, its pinned source, and the sha256 of every file.

The hashes stand in one file, ``registry.txt``, in the format of :meth:`pooch.Pooch.load_registry`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple


class File(NamedTuple):
    """One file of a corpus: its path in the corpus's folder, and the sha256 of the forms it may have there."""

    path: str
    sha256: str
    # sha256 of `path` + ".gz", which a folder may hold instead; empty where no such form is known.
    gz_sha256: str = ""


class Corpus(NamedTuple):
    """A real corpus and its pinned public source."""

    task: str
    rows: int
    licence: str
    source: str  # host/owner/repository@commit, for people
    # owner/repository/commit/folder on the host of raw files; empty where the files there are not the files read here.
    remote: str
    files: tuple[File, ...] = ()


@functools.cache
def registry() -> Mapping[str, str]:
    """Return the sha256 of every file by "corpus/path", in the order of ``registry.txt``.

    Examples
    --------
    >>> registry()["xquad/xquad.en.json"][:8]
    'e4c57d1c'
    """
    import pooch

    known = pooch.create(path="", base_url="")
    with resources.files("trustlab.data").joinpath("registry.txt").open(encoding="utf-8") as lines:
        known.load_registry(lines)
    return known.registry


def files_of(name: str) -> tuple[File, ...]:
    """Return the files of corpus `name` as the registry lists them; none for a name that it does not have.

    A file that has the name of another and ".gz" is that one's packed form.

    Examples
    --------
    >>> [(file.path, bool(file.gz_sha256)) for file in files_of("clinc150")]
    [('data_full.json', True), ('domains.json', False)]
    """
    of_corpus = {
        path.removeprefix(f"{name}/"): hash for path, hash in registry().items() if path.startswith(f"{name}/")
    }
    return tuple(
        File(path, sha256, of_corpus.get(f"{path}.gz", ""))
        for path, sha256 in of_corpus.items()
        if path.removesuffix(".gz") == path or path.removesuffix(".gz") not in of_corpus
    )
