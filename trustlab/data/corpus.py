"""What the catalogue says of a corpus: its task, its licence, its pinned source, and the sha256 of every file."""

from __future__ import annotations

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
    files: tuple[File, ...]


def files_of(listing: str) -> tuple[File, ...]:
    """Return the files of `listing`: paths, each followed by its sha256 and by that of its packed form, if any.

    Examples
    --------
    >>> [file.path for file in files_of(f"a.txt {'0' * 64} b/c.json {'1' * 64} {'2' * 64}")]
    ['a.txt', 'b/c.json']
    """
    files: list[list[str]] = []
    for word in listing.split():
        if len(word) == 64 and not word.strip("0123456789abcdef"):
            files[-1].append(word)
        else:
            files.append([word])
    return tuple(File(*file) for file in files)
