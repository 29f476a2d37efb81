"""What a reader did, kept: predictions, solved exercises and trainings, one note each, in the folder of the run store.

A note says what, where and when; a second one of the same place, kind and name replaces the first. The file is written
whole or not at all, and a damaged one is set aside. A note that cannot be written is kept for this session: it never
stops what the reader does.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
from pathlib import Path
from typing import Any

from trustlab.durable import write_whole
from trustlab.places import locked
from trustlab.plain import flat, from_json, to_json
from trustlab.runs import DAMAGE, RunStore

FILE = "reader/notes.json"  # in a folder of its own: the run store reads the JSON files next to it as runs
FORMAT = 1
KINDS = ("prediction", "exercise", "training", "game")


@dataclasses.dataclass(frozen=True)
class Note:
    """One thing that a reader did.

    Parameters
    ----------
    where
        The notebook's number, or the module of the function that trained.
    kind
        "prediction", "exercise", "training" or "game".
    name
        Of the question, the exercise or the position that was trained.
    what
        Flat facts: the choice and whether it was right, the last numbers of a training.
    at
        When, in ISO 8601 with its time zone.
    """

    where: str
    kind: str
    name: str
    what: dict[str, float | int | str]
    at: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes two notes the same."""
        return self.where, self.kind, self.name


_unwritten: dict[tuple[str, str, str], Note] = {}  # of this session, where the folder takes no file


def keep_note(where: str, kind: str, name: str, **what: Any) -> None:
    """Keep a note; nothing is kept from a worked solution, which is not the reader's.

    Raises
    ------
    ValueError
        If `kind` is none of prediction, exercise, training and game.

    Examples
    --------
    >>> import tempfile
    >>> os.environ["TRUSTLAB_RUNS"] = tempfile.mkdtemp()
    >>> keep_note("31", "prediction", "effect size", choice=1, right=True)
    >>> [(note.name, note.what["right"]) for note in notes()]
    [('effect size', True)]
    """
    if kind not in KINDS:
        raise ValueError(f"Expected kind={kind!r} to be one of {', '.join(KINDS)}.")
    if "solutions/" in os.environ.get("JPY_SESSION_NAME", ""):  # Jupyter's name of the notebook that runs
        return
    note = Note(where, kind, name, flat(what), datetime.datetime.now().astimezone().isoformat(timespec="seconds"))
    _unwritten[note.place] = note
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent):
            written = dict(_unwritten)
            known = {each.place: each for each in _read(path)} | written
            entry = {"format": FORMAT, "notes": [dataclasses.asdict(each) for each in known.values()]}
            write_whole(path, to_json(entry, sort_keys=False))
    except OSError:
        return
    for place, each in written.items():
        if _unwritten.get(place) is each:  # and not what another thread keeps meanwhile
            del _unwritten[place]


def notes() -> list[Note]:
    """Return every note, oldest first; none where the folder cannot be read."""
    try:
        written = _read(_path())
    except OSError:
        written = []
    known = {note.place: note for note in written} | _unwritten
    return sorted(known.values(), key=lambda note: datetime.datetime.fromisoformat(note.at))


def _path() -> Path:
    return RunStore().directory / FILE


def _read(path: Path) -> list[Note]:
    """Return the notes of a file; one that is damaged is set aside under another name.

    Raises
    ------
    OSError
        If a newer version of trustlab wrote it: it is left as it is.
    """
    try:
        entry = from_json(path.read_text(encoding="utf-8"))
        if isinstance(entry["format"], int) and entry["format"] > FORMAT:
            raise OSError(f"Expected notes of format {FORMAT} at most, got {entry['format']} in {path}.")
        if entry["format"] != FORMAT:
            raise ValueError(f"its format is {entry['format']}, expected {FORMAT}")
        found = [Note(**each) for each in entry["notes"]]
        for note in found:
            datetime.datetime.fromisoformat(note.at)
        return found
    except FileNotFoundError:
        return []
    except DAMAGE:
        os.replace(path, path.with_name(f"{path.name}.corrupt"))
        return []
