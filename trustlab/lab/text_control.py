"""The input for a few words of the reader's own."""

from __future__ import annotations

import dataclasses
from typing import Any

from trustlab.lab.controls import Control
from trustlab.lab.inputs import Words

MOST_LETTERS = 200


def takes_text(field: dataclasses.Field[Any], choices: Any) -> bool:
    """Return whether a field offers no values and holds text, so that a reader types it."""
    return choices is None and field.metadata.get("values") is None and isinstance(field.default, str)


class TextControl(Control):
    """One field of a configuration that a reader types: every letter moves the panel.

    Parameters
    ----------
    field
        A dataclass field made with ``option``, without values; its default is a text.
    default
        The text at the start and after a reset.

    Examples
    --------
    >>> from trustlab.config import option
    >>> @dataclasses.dataclass(frozen=True)
    ... class Said:
    ...     sentence: str = option("", label="Your sentence", help="Type what you would say.")
    >>> (field,) = dataclasses.fields(Said)
    >>> control = TextControl(field, "")
    >>> control.widget.value = "hello"
    >>> control.value, control.text
    ('hello', 'hello')
    """

    def __init__(self, field: dataclasses.Field[Any], default: str) -> None:
        self.name = field.name
        self.label = field.metadata.get("label") or field.name
        self.help = field.metadata.get("help", "")
        self.unit, self.options = "", None
        look = dict(description=self.label, placeholder=self.help, most=MOST_LETTERS)
        self.widget = Words(kind="text", value=default, **look)

    @property
    def text(self) -> str:
        """What the reader typed; a dash for nothing."""
        return self.value.strip() or "–"

    def accept(self, value: Any) -> str:
        """Return `value` as the widget takes it.

        Raises
        ------
        ValueError
            If it is no text, or a longer one than fits.
        """
        if not isinstance(value, str) or len(value) > MOST_LETTERS:
            got = repr(value) if not isinstance(value, str) else f"{len(value)} letters"
            raise ValueError(f"Expected {self.name} to be a text of at most {MOST_LETTERS} letters, got {got}.")
        return value
