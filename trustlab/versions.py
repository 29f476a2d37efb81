"""Declared, locked and installed versions of what trustlab depends on.

``pyproject.toml`` declares ranges, ``requirements.lock`` holds what was tested, and an environment holds something.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def is_checkout() -> bool:
    """Return whether the code runs from a checkout; an installed package has no project file above it."""
    return (ROOT / "pyproject.toml").is_file()


def declared() -> dict[str, list[Requirement]]:
    """Return the declared requirements of the checkout, else of the installation: "" is the base, then the extras."""
    from packaging.requirements import Requirement

    project = ROOT / "pyproject.toml"
    if project.is_file():
        import tomllib  # here, so that the doctor also runs on a Python too old to have it

        content = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        groups = {"": content["dependencies"], **content.get("optional-dependencies", {})}
        return {name: [Requirement(line) for line in lines] for name, lines in groups.items()}
    names = ["", *(metadata.metadata("trustlab").get_all("Provides-Extra") or [])]
    requirements = [Requirement(line) for line in metadata.requires("trustlab") or []]
    return {name: [each for each in requirements if _belongs(each, name)] for name in names}


def _belongs(requirement: Requirement, extra: str) -> bool:
    """Return whether an installation's `requirement` was declared under `extra` ("" for the base)."""
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return not extra
    return requirement.marker.evaluate({"extra": extra})


def locked() -> dict[str, str]:
    """Return the lock's version of each package, by canonical name; empty away from a checkout."""
    from packaging.utils import canonicalize_name

    lock = ROOT / "requirements.lock"
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.is_file() else []
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def installed(name: str) -> str:
    """Return the installed version of the package `name`, empty when there is none.

    A version is read once: every row that is computed needs it, and what was imported does not change.
    """
    try:
        return _version(name)
    except metadata.PackageNotFoundError:
        return ""


@cache
def _version(name: str) -> str:
    return metadata.version(name)


def compare(wanted: Sequence[Requirement]) -> tuple[str, list[str]]:
    """Return what is installed of `wanted`, in words, and one sentence for each package missing or out of range."""
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name

    pins, problems, differing = locked(), [], []
    for requirement in wanted:
        version, name = installed(requirement.name), canonicalize_name(requirement.name)
        if not version:
            problems.append(f"{name} is missing")
        elif not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{name} is {version}, expected {requirement.specifier}")
        elif name in pins and not SpecifierSet(f"=={pins[name]}").contains(version, prereleases=True):
            differing.append(f"{name} {version} (lock: {pins[name]})")
    found = f"{len(wanted)} as declared"
    if differing:
        return f"{found}, other than the lock: {', '.join(differing)}", problems
    return f"{found}, {'no lock here' if not pins else 'versions of the lock'}", problems
