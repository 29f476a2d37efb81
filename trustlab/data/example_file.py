"""Where the example of a user's own rows is: in the checkout, or in an installed package."""

from __future__ import annotations

from pathlib import Path

from trustlab import versions

SHIPPED = Path(__file__).resolve().parents[1] / "example_files"


def example_file(name: str = "utterances.csv") -> Path:
    """Return the path of an example file.

    Parameters
    ----------
    name
        "utterances.csv": 300 invented messages to a library, with the columns ``message``, ``wish``, ``member``,
        ``day``, ``branch`` and ``parts``, the spans of titles, days and rooms.

    Raises
    ------
    ValueError
        If there is no such file.

    Examples
    --------
    >>> with example_file().open(encoding="utf-8") as lines:
    ...     print(next(lines).strip())
    message,wish,member,day,branch,parts
    """
    folder = versions.ROOT / "data" / "examples" if versions.is_checkout() else SHIPPED
    there = sorted(path.name for path in folder.glob("*.csv"))
    if name not in there:
        raise ValueError(f"Expected the name of an example file, one of {', '.join(map(repr, there))}, got {name!r}.")
    return folder / name
