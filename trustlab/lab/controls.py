"""The input that sets an option.

A field made with :func:`trustlab.config.option` already has a label, a meaning and values; this file chooses the
input: a slider over the values of an ordered number, buttons or a list for names, a continuous slider where only a
range is known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trustlab.lab.display import number
from trustlab.lab.inputs import Chooser, Input, Slider, WholeSlider

# More buttons than this, or longer ones, no longer fit a row of 900 px next to a second control.
MOST_BUTTONS = 4
MOST_LETTERS_ON_BUTTONS = 44
STEPS_OF_A_CONTINUOUS_SLIDER = 100
FEWEST_STEPS = 2  # so many stops of a slider are better two buttons


class Control:
    """One field of a configuration and its widget.

    Parameters
    ----------
    field
        A dataclass field made with ``option``.
    choices
        The values offered, or (label, value) pairs; None takes the field's own ``values`` or its range.
    default
        The value at the start and after a reset.

    Raises
    ------
    ValueError
        If the field offers nothing to move, or `default` is not among the choices.
    """

    def __init__(self, field: dataclasses.Field[Any], choices: Sequence[Any] | None, default: Any) -> None:
        self.name = field.name
        self.label = field.metadata.get("label") or field.name
        self.help = field.metadata.get("help", "")
        self.unit = field.metadata.get("unit", "")
        choices = field.metadata.get("values") if choices is None else choices
        self.options = None if choices is None else [self._pair(choice) for choice in choices]
        if self.options is None:
            self.widget = self._continuous(field, default)
        else:
            self._position(default)
            self.widget = self._discrete(default)

    @property
    def value(self) -> Any:
        """The value the widget shows."""
        return self.widget.value

    @property
    def text(self) -> str:
        """The value as a reader sees it, rounded and with its label or unit."""
        if self.options is not None:
            return self.options[self._position(self.value)][0]
        return self._with_unit(number(self.value))

    def accept(self, value: Any) -> Any:
        """Return `value` as the widget takes it.

        Raises
        ------
        ValueError
            If it is not one of the choices or outside the range, which the message lists.
        """
        if self.options is not None:
            return self.options[self._position(value)][1]
        low, high = self.widget.min, self.widget.max
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"Expected {self.name}={value!r} to be a number from {low:g} to {high:g}. {self.help}")
        return value

    def _position(self, value: Any) -> int:
        values = [option[1] for option in self.options or []]
        if value not in values:
            allowed = ", ".join(map(repr, values))
            raise ValueError(f"Expected {self.name}={value!r} to be one of {allowed}. {self.help}")
        return values.index(value)

    def _pair(self, choice: Any) -> tuple[str, Any]:
        if isinstance(choice, tuple) and len(choice) == 2 and isinstance(choice[0], str):
            return choice
        return (self._with_unit(number(choice)), choice)

    def _with_unit(self, text: str) -> str:
        return f"{text} {self.unit}" if self.unit else text

    def _discrete(self, default: Any) -> Input:
        options = self.options or []
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for _, value in options)
        if numbers and len(options) > FEWEST_STEPS:
            kind = "slider"
        elif len(options) <= MOST_BUTTONS and sum(len(label) for label, _ in options) <= MOST_LETTERS_ON_BUTTONS:
            kind = "buttons"
        else:
            kind = "list"
        return Chooser(options, default, kind=kind, description=self.label, tooltip=self.help)

    def _continuous(self, field: dataclasses.Field[Any], default: Any) -> Input:
        low, high = field.metadata.get("low"), field.metadata.get("high")
        if low is None or high is None:
            raise ValueError(
                f"Expected {field.name} to have values, or both low and high, got neither. "
                f"Name the values to step over: controls={{{field.name!r}: (...)}}."
            )
        common = dict(min=low, max=high, value=default, unit=self.unit, description=self.label, tooltip=self.help)
        if isinstance(default, int):
            return WholeSlider(kind="slider", **common)
        step = _step(low, high, default)
        decimals = max(0, -math.floor(math.log10(step)))
        return Slider(kind="slider", step=step, decimals=decimals, **common)


def _step(low: float, high: float, default: float) -> float:
    """Return a round step near a hundredth of the range that meets `default`: a browser moves any other value.

    Examples
    --------
    >>> _step(0.01, 1.0, 0.1), _step(0, 10, 2.5)
    (0.01, 0.1)
    """
    exponent = math.ceil(math.log10((high - low) / STEPS_OF_A_CONTINUOUS_SLIDER))
    for power in range(exponent, exponent - 5, -1):
        for digit in (1, 0.5, 0.2):
            step = float(f"{digit}e{power}")
            if step <= 1.05 * (high - low) / STEPS_OF_A_CONTINUOUS_SLIDER and _is_whole((default - low) / step):
                return step
    raise ValueError(f"Expected a start of a few digits on the slider from {low:g} to {high:g}, got {default!r}.")


def _is_whole(value: float) -> bool:
    return math.isclose(value, round(value), abs_tol=1e-6)


def controls_for(config: Any, controls: Mapping[str, Sequence[Any] | None] | None) -> dict[str, Control]:
    """Return the controls that move `config`, by field name.

    Parameters
    ----------
    config
        An instance of a frozen dataclass made of options; its values are the defaults.
    controls
        Field → its values, its (label, value) pairs, or None for what the option declares. None takes every field
        that declares ``values``.

    Raises
    ------
    ValueError
        If a name is not a field of `config`, or there is nothing to move.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    if controls is None:
        controls = {name: None for name, field in fields.items() if field.metadata.get("values") is not None}
    unknown = sorted(set(controls) - set(fields))
    if unknown:
        raise ValueError(f"Expected controls among {', '.join(fields)}, got {', '.join(unknown)}.")
    if not controls:
        raise ValueError(
            f"Expected at least one control, got none: no field of {type(config).__name__} declares values. "
            "Name the fields to move: controls={field: values}."
        )
    return {name: _control(fields[name], choices, getattr(config, name)) for name, choices in controls.items()}


def _control(field: dataclasses.Field[Any], choices: Sequence[Any] | None, default: Any) -> Control:
    from trustlab.lab.text_control import TextControl, takes_text  # it is a control too

    return TextControl(field, default) if takes_text(field, choices) else Control(field, choices, default)
