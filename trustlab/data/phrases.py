"""Words of the synthetic assistant corpus: open vocabularies, composed and not collected.

Names, places and titles are put together from parts invented here: no row tells of a real person, artist or shop.
Vocabularies overlap on purpose: towns lend their names to families, titles are made of household words, and
number words count degrees, minutes, guests and money alike. A tagger therefore has to read the context.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

Words = tuple[str, ...]


def _split(phrases: str) -> Words:
    return tuple(phrases.split("|"))


DIGITS: Words = _split("zero|one|two|three|four|five|six|seven|eight|nine")
COLOURS: Words = _split(
    "red|blue|green|yellow|orange|purple|pink|white|black|grey|brown|teal|amber|violet|indigo|scarlet|ivory|coral|"
    "olive|navy|crimson|turquoise|gold|silver|copper|lilac|peach|mint|rose|sand|rust|plum|cream|lemon|cherry|emerald|"
    "sapphire|bronze|charcoal|lavender"
)

_TEENS = _split("ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen")
_TENS = _split("twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety")
_STEMS = _split("ash|bram|calder|dun|elder|fenn|gar|hazel|iron|kel|larch|mor|north|oak|pel|rook|stone|thorn|wil|yar")
_FIRST = _split("a|bel|cor|da|el|fa|ga|io|ka|lu|mi|no|or|pe|ro|sa|ta|vi")
_SECOND = _split("ra|lin|ven|mo|dor|sha|tis|ren|la|neth")
_ADJECTIVES = _split(
    "quiet|broken|golden|distant|hidden|early|late|warm|cold|paper|silver|little|last|wild|slow|bright|empty|borrowed"
)
_NOUNS = _split(
    "kitchen|light|morning|rain|river|garden|train|letter|road|winter|alarm|window|mountain|song|harbour|table|night|"
    "money|market|stranger|door|call|summer|house|message"
)
_DISHES = _split(
    "noodles|curry|dumplings|pizza|soup|salad|stew|pancakes|tacos|risotto|burgers|rice bowls|pie|lasagne|sandwiches"
)
_GROCERIES = _split(
    "milk|eggs|bread|butter|apples|rice|onions|tomatoes|coffee|tea|honey|flour|carrots|cheese|lemons|soap|batteries|"
    "candles|paper towels|light bulbs|olive oil|orange juice|yoghurt|garlic|beans|salt|mushrooms|oats"
)
_DAYS = _split("monday|tuesday|wednesday|thursday|friday|saturday|sunday")


def number(value: int) -> str:
    """Return `value`, from 0 to 99, as a voice assistant's transcript spells it.

    Examples
    --------
    >>> number(7), number(21), number(90)
    ('seven', 'twenty one', 'ninety')
    """
    if value < 20:
        return (DIGITS + _TEENS)[value]
    tens, ones = divmod(value, 10)
    return f"{_TENS[tens - 2]} {DIGITS[ones]}" if ones else _TENS[tens - 2]


def compose(*parts: Iterable[str]) -> list[Words]:
    """Return every way to take one phrase of each part, in order, as tuples of words; empty phrases vanish.

    Examples
    --------
    >>> compose(["", "new"], ["ashford"], ["road"])
    [('ashford', 'road'), ('new', 'ashford', 'road')]
    """
    return [tuple(" ".join(choice).split()) for choice in itertools.product(*parts)]


def _people() -> dict[str, list[Words]]:
    first = ["".join(pair) for pair in itertools.product(_FIRST, _SECOND)]
    towns = ["".join(pair) for pair in itertools.product(_STEMS, ["ford", "well", "ton", "ley", "wick", "more"])]
    streets = compose(towns, ["station", "market", "park", "library", "hospital", "road", "museum"])
    return {
        # First names alone are as frequent as full names: a contact is rarely called by the family's name.
        "person": compose(first) * len(towns[:24]) + compose(first, towns[:24]),
        "city": compose(towns) * 3 + compose(["new", "port", "east", "saint"], towns),
        "place": streets + compose(["the"], ["airport", "office", "gym", "school", "train station", "beach"]) * 6,
        "restaurant": compose(["the", ""], _ADJECTIVES, ["table", "kitchen", "garden", "spoon", "window", "harbour"]),
        "shop": compose(towns[:40], ["books", "market", "garden", "shoes", "and daughters"]),
    }


def _titles() -> dict[str, list[Words]]:
    titles = compose(_ADJECTIVES, _NOUNS) + compose(["the"], _ADJECTIVES, _NOUNS)
    titles += compose(_NOUNS, ["in the", "of the", "after the", "without a"], _NOUNS)
    return {
        "title": titles,
        "playlist": compose(_ADJECTIVES + _DAYS, ["morning", "dinner", "garden", "road", "night", "focus", "party"]),
        "word": compose(_ADJECTIVES + _NOUNS),
        "event": compose(
            ["", "team", "family", "birthday", "garden", "school"],
            ["lunch", "meeting", "dinner", "call", "party", "rehearsal", "visit", "training"],
        ),
        "chore": compose(
            ["water", "clean", "check", "fix", "paint", "move", "look at", "turn off", "measure"],
            ["the", "our", "the new", "the old"],
            ["plants", "lights", "oven", "bike", "windows", "heater", "alarm", "shelves", "fence", "table"],
        )
        + compose(["buy", "order", "pick up"], _GROCERIES)
        + compose(["call", "message", "pay", "visit"], ["the bank", "the doctor", "the school", "grandma"]),
        "message": compose(
            ["", "sorry", "just so you know"],
            ["i am", "we are", "the train is", "dinner is", "the kids are", "the meeting is"],
            ["late", "ready", "on the way", "almost done", "cancelled", "in the kitchen", "at the station", "moving"],
            ["", "now", "again", "today", "until tomorrow", "so do not call"],
        ),
    }


def _numbers() -> dict[str, list[Words]]:
    hours = [number(hour) for hour in range(1, 13)]
    minutes = ["", "fifteen", "thirty", "forty five", "ten", "twenty"]
    clock = compose(hours, minutes, ["", "am", "pm", "in the morning", "in the evening"])
    return {
        "count": compose([number(value) for value in range(2, 13)]),
        "level": compose([number(value) for value in range(1, 21)], ["", "percent"]),
        "degrees": compose([number(value) for value in range(12, 29)], ["", "degrees"]),
        "duration": compose([number(value) for value in range(1, 61)], ["minutes", "seconds", "hours"]),
        "clock": clock + compose(["half past", "quarter to", "quarter past"], hours),
        "amount": compose([number(value) for value in range(2, 100)], ["dollars", "euros", "pounds"]),
        "date": compose(["", "next", "this", "on"], _DAYS)
        + compose(["today", "tomorrow", "tonight", "the day after tomorrow", "this weekend"]) * 3
        + compose(["on the"], ["second", "third", "tenth", "twelfth", "twentieth"], ["", "of june", "of may"]),
    }


@functools.cache
def vocabularies() -> dict[str, list[Words]]:
    """Return every vocabulary: name to the phrases drawn from it with equal probability, each a tuple of words.

    Examples
    --------
    >>> sorted(vocabularies()["colour"])[0], len(vocabularies()["person"]) > 1_000
    (('amber',), True)
    """
    closed = {
        "colour": COLOURS,
        "room": _split("kitchen|bedroom|bathroom|hall|garage|living room|study|attic|guest room|garden"),
        "appliance": _split("heater|fan|oven|coffee machine|dishwasher|radio|washing machine|kettle|air purifier"),
        "grocery": _GROCERIES,
        "list": ["shopping", "party", "weekend", "holiday", "kitchen", "office", "garden"],
        "account": ["savings", "joint", "holiday", "main", "business", "house"],
        "bill": ["water", "power", "phone", "rent", "internet", "gas", "gym", "school"],
        "language": ["french", "spanish", "german", "italian", "polish", "swahili", "hindi", "danish"],
        "belonging": _split("keys|passport|umbrella|spare key|bike|glasses|charger|ladder|tent|camera"),
    }
    pools = {name: compose(phrases) for name, phrases in closed.items()}
    pools["dish"] = compose(["", "spicy", "vegetable", "mushroom", "lemon", "chicken", "bean", "tomato"], _DISHES)
    return {**pools, **_people(), **_titles(), **_numbers()}
