"""What a panel shows: numbers, one sentence that reads them, and where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trustlab.deprecation import old_names


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer of a panel to one position of its controls.

    Parameters
    ----------
    numbers
        The rows behind the picture, shown rounded under "Show numbers".
    verdict
        One sentence that says what the picture shows at this position. It is the picture's alt text too.
    provenance
        Where the numbers come from: "saved, seeds 0–4", "computed here, exact".
    focus
        Column → value: the rows this position is about. They are ringed in the picture and bold in the table.
    live
        Rows of the reader's own run, drawn separately from `numbers` and listed after them.

    Raises
    ------
    ValueError
        If the verdict or the provenance is empty.

    Examples
    --------
    >>> Answer([], "", "saved")
    Traceback (most recent call last):
    ...
    ValueError: Expected a verdict of one sentence, got an empty one. It is also the picture's alt text.
    """

    numbers: Sequence[Mapping[str, Any]]
    verdict: str
    provenance: str
    focus: Mapping[str, Any] | None = None
    live: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        if not self.verdict.strip():
            raise ValueError("Expected a verdict of one sentence, got an empty one. It is also the picture's alt text.")
        if not self.provenance.strip():
            raise ValueError("Expected a provenance such as 'saved, seeds 0–4', got an empty one.")

    def as_own(self, status: str, steps: int) -> Answer:
        """Return the same answer, its provenance headed by the state of the reader's own run.

        Examples
        --------
        >>> Answer([], "It learns.", "saved, seeds 0–4").as_own("stopped", 12).provenance
        'yours, stopped after 12 steps · saved, seeds 0–4'
        """
        counted = "1 step" if steps == 1 else f"{steps} steps"
        own = "yours, live" if status == "running" else f"yours, {status} after {counted}"
        return dataclasses.replace(self, provenance=f"{own} · {self.provenance}")


__getattr__ = old_names(__name__, {"saved_over": "trustlab.lab.saved.saved_over"})
