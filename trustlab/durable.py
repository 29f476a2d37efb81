"""Files that are whole or absent: written aside, then renamed into place, and known by their sha256."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import time
from pathlib import Path

from trustlab.plain import from_json, scalar, simple, to_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "digest",
    "from_json",
    "probe",
    "remove_stale",
    "scalar",
    "seal",
    "simple",
    "to_json",
    "unseal",
    "write_whole",
]

# A write takes seconds; a file still aside after an hour belongs to a process that was killed.
SECONDS_UNTIL_STALE = 3600
ASIDE = ".aside"
DIGITS = 64  # of a sha256


def digest(content: str | bytes) -> str:
    """Return the sha256 of `content`, text as UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(_bytes(content)).hexdigest()


def write_whole(path: Path, content: str | bytes, *, private: bool = False) -> None:
    """Write `content`, text as UTF-8, so that a reader of `path` finds the old file or the new one, never a part.

    A link stays a link: what it leads to is written.

    Parameters
    ----------
    private
        Whether only its owner may read the file; others follow the umask.

    Raises
    ------
    OSError
        If the disk is full, the folder cannot be written, or `path` is a folder or a device; the old file is intact.
    """
    path = _regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    handle, aside = _aside(path, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_bytes(content))
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows renames no open file
            os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    _sync_folder(path.parent)


def probe(folder: Path) -> None:
    """Write and remove a small file in `folder`, which is made where it is missing: better found out before the work.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, aside = _aside(folder / "probe", 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(4096))
    finally:
        os.unlink(aside)


def remove_stale(folder: Path) -> None:
    """Remove what killed writers left aside in `folder`; a writer that is slow or was paused keeps its own."""
    for aside in folder.glob(f".*{ASIDE}"):
        with contextlib.suppress(OSError):  # another process may have removed it, or still write it
            if time.time() - aside.stat().st_mtime > SECONDS_UNTIL_STALE:
                _refuse_claimed(aside)
                aside.unlink()


def seal(kind: str, payload: bytes) -> bytes:
    """Return `payload` behind a line that says what it is and a line with its sha256."""
    return b"%s\n%s\n%s" % (kind.encode(), digest(payload).encode(), payload)


def unseal(kind: str, content: bytes) -> bytes | None:
    """Return the payload of what :func:`seal` returned, None where it is of another kind or was changed.

    Examples
    --------
    >>> unseal("vectors 1", seal("vectors 1", b"abc")), unseal("vectors 1", seal("vectors 1", b"abc")[:-1])
    (b'abc', None)
    """
    payload = content[len(kind.encode()) + 1 + DIGITS + 1 :]
    return payload if content == seal(kind, payload) else None


def _regular(path: Path) -> Path:
    """Return the file that `path` leads to, there already or not; refuse what renaming would put an end to."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Expected a file to write, got a folder", str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "Expected a file to write, got a device or a pipe", str(path))
    return target


def _aside(path: Path, mode: int) -> tuple[int, Path]:
    """Make a file next to `path`: renaming is atomic within one file system only. The kernel applies the umask."""
    while True:
        # Cut: a name may be as long as the file system allows.
        aside = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}{ASIDE}")
        with contextlib.suppress(FileExistsError):
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
            break
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks has an age to go by
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle, aside


def _refuse_claimed(aside: Path) -> None:
    """Raise ``OSError`` where the writer of `aside` lives; on Windows unlinking an open file does."""
    if fcntl is None:
        return
    handle = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where folders can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
