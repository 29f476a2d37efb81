"""A peer in an environment of its own: a process that is asked by lines of JSON, with a folder for arrays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}


class Peer:
    """A script run by another Python, see :mod:`benchmarks.text_peers`; it ends with the block that it was opened in.

    Parameters
    ----------
    python
        The interpreter of the peer's environment.
    script
        Reads requests from standard input and answers each with one line.
    """

    def __init__(self, python: str, script: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self._process = subprocess.Popen(
            [python, str(script), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": "", "PYTHONIOENCODING": "utf-8"},
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """Return the answer to one request.

        Raises
        ------
        RuntimeError
            If the process ended instead; what went wrong is on its standard error.
        """
        try:
            self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"Expected an answer to {do!r}, the peer's process ended. Its last words are above.")
        return json.loads(answer)

    def give(self, name: str, words: Sequence[str], vectors: np.ndarray) -> str:
        """Leave a table of words for the process, and return its name."""
        np.savez(self.folder / f"{name}.npz", words=np.array(words), vectors=vectors)
        return name

    def array(self, name: str) -> np.ndarray:
        """Return an array that the process left."""
        return np.load(self.folder / f"{name}.npy")


def python_of(variable: str) -> str | None:
    """Return the interpreter that an environment variable names; None, said on standard error, where it is not set."""
    found = os.environ.get(variable)
    if found and not Path(found).exists():
        raise FileNotFoundError(f"Expected {variable}={found} to be a Python interpreter. There is no such file.")
    if not found:
        print(f"*** {variable} names no Python: its packages are LEFT OUT.", file=sys.stderr, flush=True)
    return found
