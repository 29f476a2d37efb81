"""Where a result comes from: configuration, seeds, versions, commit and data, in one flat record."""

from __future__ import annotations

import datetime
import inspect
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trustlab.durable import digest, simple
from trustlab.versions import ROOT, installed

PACKAGES = ("trustlab", "torch", "transformers", "opacus")


def provenance(
    config: Any, *, seeds: Sequence[int] = (), data_hash: str = "", code: Any = None, status: str = "complete"
) -> dict[str, Any]:
    """Return what is needed to repeat a result, ready for JSON.

    Parameters
    ----------
    config
        A configuration (a dataclass instance) or a mapping.
    seeds
        The seeds of the run or of the table.
    data_hash
        The dataset's hash; empty where no data is read.
    code
        The code that computes, see :func:`code_version`.
    status
        "complete", "stopped" or "failed".

    Examples
    --------
    >>> provenance({"epsilon": 1.0}, seeds=[0])["config"]
    {'epsilon': 1.0}
    """
    return {
        **identity(config, seeds=seeds, data_hash=data_hash, code=code),
        "versions": versions(),
        "git_commit": git_commit(),
        "status": status,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def identity(config: Any, *, seeds: Sequence[int] = (), data_hash: str = "", code: Any = None) -> dict[str, Any]:
    """Return the part of a provenance that decides the result: two runs that share it are the same run."""
    return {
        "config": simple(config),
        "config_type": type(config).__qualname__,
        "seeds": [int(seed) for seed in seeds],
        "data_hash": data_hash,
        "code_version": code_version(code),
    }


def code_version(code: Any = None) -> str:
    """Name a version of the code.

    Parameters
    ----------
    code
        A text is taken as it is. A function, a class, a module, a package or several of them are named by a hash of
        their :func:`source_files`, so that an edit there makes a new run. None is the package's version: for results of
        released code only.

    Examples
    --------
    >>> code_version("2024-05"), len(code_version(code_version))
    ('2024-05', 16)
    """
    if isinstance(code, str):
        return code
    if code is None:
        return versions()["trustlab"] or "unknown"
    parts = code if isinstance(code, list | tuple) else [code]
    return digest("\n".join(file.read_text(encoding="utf-8") for file in source_files(*parts)))[:16]


def source_files(*parts: Any) -> list[Path]:
    """Return the source files that functions, classes and modules are written in, and all files of a package.

    Examples
    --------
    >>> from trustlab import results
    >>> [file.name for file in source_files(results, results.write_results)]
    ['results.py']
    """
    files: set[Path] = set()
    for part in parts:
        own = Path(inspect.getsourcefile(part) or "")
        files.update(own.parent.rglob("*.py") if hasattr(part, "__path__") else [own])
    return sorted(files)


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that decide results; None where one is not installed."""
    return {"python": platform.python_version(), **{package: installed(package) or None for package in PACKAGES}}


def git_commit() -> str | None:
    """Return the commit the package runs from, with ``+changes`` for an edited tree; None outside a checkout."""
    if not (ROOT / ".git").exists():
        return None
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
