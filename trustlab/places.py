"""Where files are: paths as people write them, the user's own folder, and one process at a time in a folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Two files are written within milliseconds; a longer wait is for a process that hangs.
SECONDS_TO_WAIT = 60
SECONDS_BETWEEN_LOOKS = 0.005
LOCK = ".lock"


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return `path` with ``~`` for the user's home, as a shell reads it; variables and quotes hide it from the shell.

    Raises
    ------
    ValueError
        If ``~name`` is no user's home.

    Examples
    --------
    >>> expanded("~/run.checkpoint") == Path.home() / "run.checkpoint", expanded("runs/~").parts
    (True, ('runs', '~'))
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"Expected {str(path)!r} to begin with a user's home, got a name without one.") from None


def model_name(name: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return a model's name, or its folder with ``~`` for the user's home: transformers takes ``~`` for a name.

    Examples
    --------
    >>> model_name("distilbert/distilbert-base-uncased"), model_name("~/bert") == str(Path.home() / "bert")
    ('distilbert/distilbert-base-uncased', True)
    """
    return str(expanded(name)) if str(name).startswith("~") else name


def from_environment(variable: str) -> Path | None:
    """Return the path that an environment variable holds, None where it is unset or empty."""
    value = os.environ.get(variable)
    return expanded(value) if value else None


def user_data() -> Path:
    """Return the platform's folder for the data of trustlab's user, such as ``~/.local/share/trustlab``."""
    import platformdirs

    folder = platformdirs.user_data_path("trustlab", appauthor=False)
    # platformdirs has read XDG_DATA_HOME on a Mac since 4.6; runs saved before are found where they are.
    before = Path.home() / "Library" / "Application Support" / "trustlab"
    return before if sys.platform == "darwin" and before.is_dir() and not folder.is_dir() else folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make other processes wait at ``with locked(folder)`` meanwhile; a killed holder releases it.

    For what takes two steps, such as looking at an entry and replacing it. One file, ``.lock``, stays in the folder.

    Raises
    ------
    OSError
        If the folder cannot be written, or another process has held it for a minute.
    """
    from filelock import FileLock

    with FileLock(folder / LOCK, timeout=SECONDS_TO_WAIT).acquire(poll_interval=SECONDS_BETWEEN_LOOKS):
        yield
