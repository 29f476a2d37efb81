"""The rooms of the notebooks: folders of this one, ``n31_fairness_metrics`` for notebook 31."""

from __future__ import annotations

from pathlib import Path


def rooms() -> dict[str, Path]:
    """Return the folder of every room by the number of its notebook, in the course's order."""
    return {path.name[1:3]: path for path in sorted(Path(__file__).parent.glob("n[0-9][0-9]_*"))}


def room(notebook: str) -> Path:
    """Return the folder of a notebook's room.

    Parameters
    ----------
    notebook
        Its number, such as "31".

    Raises
    ------
    ValueError
        If there is no such notebook.

    Examples
    --------
    >>> room("31").name
    'n31_fairness_metrics'
    """
    known = rooms()
    if notebook not in known:
        raise ValueError(f"Expected the number of a notebook among {', '.join(known)}, got {notebook!r}.")
    return known[notebook]
