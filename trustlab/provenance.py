"""Where a result comes from: configuration, seeds, code, versions, processor, commit and data, in one flat record."""

from __future__ import annotations

import datetime
import platform
import subprocess
from collections.abc import Sequence
from typing import Any

from trustlab.closure import Closure, closure
from trustlab.durable import simple
from trustlab.processor import processor
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
        "versions": versions(code),
        "processor": processor(),
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
        A text is taken as it is. A function, a class, a module, a package, several of them, or what
        :func:`trustlab.closure.closure` found, are named by a hash of all the code of ours that they may run and the
        versions of other people's packages that this uses: an edit there makes a new run, one of a comment does not.
        None is the package's version: for results of released code only.

    Examples
    --------
    >>> from trustlab import intervals
    >>> code_version("2024-05"), code_version(intervals.mean_interval)  # doctest: +ELLIPSIS
    ('2024-05', '... scipy ...')
    """
    if isinstance(code, str):
        return code
    if code is None:
        return installed("trustlab") or "unknown"
    found = _closure(code)
    return " ".join([found.version, *(f"{name} {installed(name) or 'none'}" for name in found.packages)])


def _closure(code: Any) -> Closure:
    if isinstance(code, Closure):
        return code
    return closure(*(code if isinstance(code, list | tuple) else [code]))


def versions(code: Any = None) -> dict[str, str | None]:
    """Return the versions of Python and of the packages that decide results, and of those that `code` uses.

    A package that is not installed has None.
    """
    used = () if code is None or isinstance(code, str) else _closure(code).packages
    named = dict.fromkeys((*PACKAGES, *used))
    return {"python": platform.python_version(), **{package: installed(package) or None for package in named}}


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
