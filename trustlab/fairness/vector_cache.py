"""Vectors kept in a file: used again only where they are those that were written, under the same key."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable

import numpy as np

from trustlab.durable import seal, unseal, write_whole
from trustlab.places import expanded


def cached_vectors(
    folder: str | os.PathLike[str], key: str, rows: int, compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return the vectors kept under `key`, else those of `compute`, which are kept.

    A file without a matching sha256, one that was renamed from another key, and one with another number of rows would
    give words the wrong vectors: it is replaced, with a warning. A folder that cannot be written is a warning too, for
    the vectors are there.

    Parameters
    ----------
    folder
        Made where it is missing; ``~`` is the user's home.
    key
        Names all that the vectors depend on; also the file's name.
    rows
        How many vectors there have to be.
    compute
        Returns them, float [rows, d].

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> kept = cached_vectors(folder, "a", 2, lambda: np.eye(2))
    >>> cached_vectors(folder, "a", 2, lambda: np.zeros((2, 2))).tolist()  # not computed again
    [[1.0, 0.0], [0.0, 1.0]]
    """
    # The ending is not that of NumPy's own files, which have no hash to compare.
    path, kind = expanded(folder) / f"{key}.vectors", f"trustlab vectors 1 {key}"
    try:
        return _read(path.read_bytes(), kind, rows)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        warnings.warn(f"The vectors kept in {path} are computed again: {error}.", stacklevel=3)
    vectors = compute()
    content = io.BytesIO()
    np.save(content, vectors)
    try:
        write_whole(path, seal(kind, content.getvalue()))
    except OSError as error:
        warnings.warn(f"The vectors could not be kept in {path}: {error}. They are correct all the same.", stacklevel=3)
    return vectors


def _read(content: bytes, kind: str, rows: int) -> np.ndarray:
    """Return the vectors in a file's content; raise ``ValueError`` where they are not the requested ones."""
    payload = unseal(kind, content)
    if payload is None:
        raise ValueError("the file was damaged, changed or renamed")
    vectors = np.load(io.BytesIO(payload))
    if vectors.ndim != 2 or len(vectors) != rows:
        raise ValueError(f"expected {rows} vectors, it has the shape {vectors.shape}")
    return vectors
