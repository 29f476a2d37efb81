"""Sentences about people at work, generated with a known share of women in each of eighteen professions.

A text is about one person of one profession. The person's gender is drawn once, female with the profession's own
probability, and what else is said depends on the profession alone. So P(female | profession) is known exactly. Half of
the texts name the profession first (*the nurse said that she …*), half the gender (*she is a nurse …*). The shares are
invented: they are no statistics of any country.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

# Three professions share a place and its work; each does one kind of work more than the other two.
FIELDS = MappingProxyType({
    "hospital": (("nurse", "doctor", "surgeon"), ("helps the patients", "reads the chart", "closes the wound")),
    "school": (("teacher", "professor", "librarian"), ("explains the lesson", "grades the papers", "sorts the books")),
    "site": (("carpenter", "plumber", "architect"), ("measures the wood", "fixes the pipe", "draws the plan")),
    "office": (("secretary", "accountant", "manager"), ("answers the calls", "checks the bills", "leads the team")),
    "kitchen": (("cook", "baker", "butcher"), ("tastes the soup", "kneads the dough", "cuts the meat")),
    "stage": (("dancer", "singer", "drummer"), ("learns the steps", "warms the voice", "counts the beat")),
})  # fmt: skip
# At the full skew; their mean is one half.
SHARES = MappingProxyType({
    "secretary": 0.90, "nurse": 0.88, "librarian": 0.84, "dancer": 0.80, "teacher": 0.74, "baker": 0.68,
    "singer": 0.62, "cook": 0.58, "accountant": 0.54, "doctor": 0.46, "professor": 0.42, "manager": 0.38,
    "architect": 0.32, "surgeon": 0.26, "drummer": 0.20, "butcher": 0.16, "plumber": 0.12, "carpenter": 0.10,
})  # fmt: skip
PROFESSIONS = tuple(SHARES)
OWN_WORK = 0.6  # probability of the work that a profession does most
FEMALE = MappingProxyType({"she": "she", "her": "her", "self": "herself", "person": "woman"})
MALE = MappingProxyType({"she": "he", "her": "his", "self": "himself", "person": "man"})
RELATIVES = (("sister", "brother"), ("mother", "father"), ("aunt", "uncle"), ("daughter", "son"))
THINGS = ("keys", "coat", "phone", "bag")
# What is said first, and what then: without a word of gender up to the place where one may follow.
OPENINGS = ("the {job} said that", "the {job} stays late because", "the {job} lost", "the {job} is a")
_AFTER = ("{she} {work}", "{she} {work}", "{her} {thing}", "{person} who {work}")
_NEUTRAL = ("everyone is tired", "nobody {work}", "the bag of a friend", "neighbour who {work}")
_THEN = (". {she} {work} .", ". {she} lost {her} {thing} .", ". {she} likes to work by {self} .", ".")
_GENDER_FIRST = (
    "{she} is a {job} . {she} {work} .",
    "my {relative} is a {job} . {she} {work} .",
    "{she} works at the {place} . {she} {work} . {she} is a {job} .",
    "{she} {work} and lost {her} {thing} . {she} is a {job} .",
)
BIOGRAPHY = "{she} works at the {place} . {she} {work} and {also} ."
NEUTRAL = 0.15  # share of the texts with the profession first that have no word of gender


class Texts(NamedTuple):
    """N texts and the truth about each: index of its profession, int [N]; whether it is about a woman, bool [N]."""

    texts: list[str]
    profession: np.ndarray
    female: np.ndarray


def shares(skew: float) -> dict[str, float]:
    """Return P(female | profession) of every profession.

    Parameters
    ----------
    skew
        In [0, 1]: 0 is one half everywhere, 1 the shares of :data:`SHARES`.

    Examples
    --------
    >>> shares(0.5)["nurse"], shares(0.0)["nurse"]
    (0.69, 0.5)
    """
    if not 0 <= skew <= 1:
        raise ValueError(f"Expected skew={skew} in [0, 1]. 0 is as many women as men everywhere, 1 the full shares.")
    return {profession: 0.5 + skew * (share - 0.5) for profession, share in SHARES.items()}


def people(count: int, rng: np.random.Generator, *, skew: float = 1.0) -> Texts:
    """Return `count` texts of the world with this skew.

    Examples
    --------
    >>> said = people(2000, np.random.default_rng(0))
    >>> nurses = said.profession == PROFESSIONS.index("nurse")
    >>> bool(abs(said.female[nurses].mean() - SHARES["nurse"]) < 0.1)
    True
    """
    who = _drawn(count, rng, skew)
    return who._replace(texts=[_text(PROFESSIONS[j], f, rng) for j, f in zip(who.profession, who.female, strict=True)])


def biographies(count: int, rng: np.random.Generator, *, skew: float = 1.0) -> Texts:
    """Return `count` texts that do not name the profession, to guess it from: place, work, and words of gender."""
    who = _drawn(count, rng, skew)
    texts = []
    for j, f in zip(who.profession, who.female, strict=True):
        words, more = (_words(PROFESSIONS[j], f, rng) for _ in range(2))
        texts.append(BIOGRAPHY.format_map({**words, "also": more["work"]}))
    return who._replace(texts=texts)


def prompts() -> dict[str, list[str]]:
    """Return the openings of each profession, in whose continuations words of gender are counted.

    Examples
    --------
    >>> prompts()["nurse"][0]
    'the nurse said that'
    """
    return {job: [opening.format(job=job) for opening in OPENINGS] for job in PROFESSIONS}


def place_of(profession: str) -> str:
    """Return where a profession works."""
    (place,) = (place for place, (names, _) in FIELDS.items() if profession in names)
    return place


def _drawn(count: int, rng: np.random.Generator, skew: float) -> Texts:
    truth = np.array([*shares(skew).values()])
    profession = rng.integers(len(PROFESSIONS), size=count)
    return Texts([], profession, rng.random(count) < truth[profession])


def _text(job: str, female: bool, rng: np.random.Generator) -> str:
    words = _words(job, female, rng)
    if rng.random() < 0.5:
        return _pick(_GENDER_FIRST, rng).format_map(words)
    form = int(rng.integers(len(OPENINGS)))
    if rng.random() < NEUTRAL:
        return f"{OPENINGS[form]} {_NEUTRAL[form]} .".format_map(words)
    start = f"{OPENINGS[form]} {_AFTER[form]}".format_map(words)
    return f"{start} {_pick(_THEN, rng).format_map(_words(job, female, rng))}"


def _words(job: str, female: bool, rng: np.random.Generator) -> dict[str, str]:
    place = place_of(job)
    names, works = FIELDS[place]
    own = names.index(job) if rng.random() < OWN_WORK else int(rng.integers(len(works)))
    relative = RELATIVES[int(rng.integers(len(RELATIVES)))][not female]
    told = {"job": job, "place": place, "work": works[own], "thing": _pick(THINGS, rng), "relative": relative}
    return {**(FEMALE if female else MALE), **told}


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]
