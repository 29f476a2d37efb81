"""Readers of the corpora that you bring: Bias in Bios and the comments of Jigsaw's Unintended Bias, with their groups.

Their files have no known hash, so that each column and each value is looked at before a row is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

Splits = dict[str, dict[str, list]]

# Of the numbers 0 to 27 and 0 to 1, in the order of the data set's card.
PROFESSIONS = (
    "accountant", "architect", "attorney", "chiropractor", "comedian", "composer", "dentist", "dietitian", "dj",
    "filmmaker", "interior designer", "journalist", "model", "nurse", "painter", "paralegal", "pastor",
    "personal trainer", "photographer", "physician", "poet", "professor", "psychologist", "rapper",
    "software engineer", "surgeon", "teacher", "yoga teacher",
)  # fmt: skip
GENDERS = ("male", "female")
IDENTITIES = (
    "male", "female", "transgender", "other_gender", "heterosexual", "homosexual_gay_or_lesbian", "bisexual",
    "other_sexual_orientation", "christian", "jewish", "muslim", "hindu", "buddhist", "atheist", "other_religion",
    "black", "white", "asian", "latino", "other_race_or_ethnicity", "physical_disability",
    "intellectual_or_learning_disability", "psychiatric_or_mental_illness", "other_disability",
)  # fmt: skip
HALF = 0.5  # share of the raters from which a comment is toxic, or mentions an identity, as in the competition


def read_bias_in_bios(files: Sequence[Path], seed: int) -> Splits:
    """Read Bias in Bios: ``text`` (without its first sentence, which names the profession), ``profession``, ``gender``.

    The files are those of the data set LabHC/bias_in_bios, whose columns are ``hard_text``, ``profession`` (0 to 27)
    and ``gender`` (0 male, 1 female); the splits are its own. `seed` is unused.
    """
    return {split: _biographies(path) for split, path in zip(("train", "validation", "test"), files, strict=True)}


def _biographies(path: Path) -> dict[str, list]:
    import pandas

    table = pandas.read_parquet(path)
    _refuse_lacking(table, ("hard_text", "profession", "gender"), path)
    texts = _texts(table["hard_text"], path)
    return {
        "text": texts,
        "profession": _named(table["profession"], PROFESSIONS, path),
        "gender": _named(table["gender"], GENDERS, path),
    }


def _named(numbers: pandas.Series, names: Sequence[str], path: Path) -> list[str]:
    """Return the name of each number, or refuse what is none of them."""
    if numbers.dtype.kind not in "iu" or not numbers.between(0, len(names) - 1).all():
        other = numbers[~numbers.isin(range(len(names)))]
        raise ValueError(
            f"Expected the column {numbers.name} of {path} to have whole numbers from 0 to {len(names) - 1}, got "
            f"{numbers.dtype} with {other.iloc[0] if len(other) else 'fractions'}. It is another version, whose "
            "numbers may mean other names: take the files of LabHC/bias_in_bios."
        )
    return [names[number] for number in numbers]


def read_jigsaw(files: Sequence[Path], seed: int) -> Splits:
    """Read the comments whose identities were annotated: ``text``, ``toxic`` and ``identities``, those mentioned.

    A comment is toxic, and mentions an identity, where half of its raters or more said so. Comments without
    annotated identities, about four of five, are left out: which group they are about is not known; so are rows
    without a text. The files
    are ``all_data.csv`` (score ``toxicity``; its column ``split`` says what is tested) or the competition's
    ``train.csv`` (score ``target``; a random tenth is tested). A random tenth of the other rows is validation, drawn
    from `seed`.
    """
    (path,) = files
    table = _comments(path)
    rng = np.random.default_rng(seed)
    if "split" in table.columns:
        test = (table["split"] == "test").to_numpy()
        if not test.any() or not set(table["split"].unique()) <= {"train", "test"}:
            found = ", ".join(map(repr, sorted(map(str, table["split"].unique()))))
            raise ValueError(f"Expected split in {path} to be 'train' and 'test', got {found}. Fetch it again.")
    else:
        test = rng.permutation(len(table)) < len(table) // 10
    validation = ~test & (rng.random(len(table)) < 0.1)
    parts = {"train": ~test & ~validation, "validation": validation, "test": test}
    return {split: _columns_of(table[rows]) for split, rows in parts.items()}


def _comments(path: Path) -> pandas.DataFrame:
    """Return the annotated rows that have a text, with the score under the name ``toxicity``, or refuse the file."""
    import pandas

    header = pandas.read_csv(path, nrows=0).columns
    score = next((name for name in ("toxicity", "target") if name in header), "toxicity or target")
    wanted = ("comment_text", score, *IDENTITIES)
    _refuse_lacking(header, wanted, path)
    read = [*wanted, *(["split"] if "split" in header else [])]
    # Only an empty cell is missing: "None" and "NA" are comments.
    table = pandas.read_csv(path, usecols=read, dtype={"comment_text": str}, keep_default_na=False, na_values=[""])
    table = table.rename(columns={score: "toxicity"})
    with_text = table["comment_text"].fillna("").str.strip() != ""
    table = table[with_text & table[list(IDENTITIES)].notna().all(axis=1)]
    shares = table[["toxicity", *IDENTITIES]]
    numbers = all(kind.kind in "fiu" for kind in shares.dtypes)
    if not len(table) or not numbers or not ((shares >= 0) & (shares <= 1)).all(axis=None):
        raise ValueError(
            f"Expected {path} to have rows with shares of raters in [0, 1] for {score} and every identity, got "
            f"{len(table)} annotated rows{'' if numbers else ' with texts in them'}. Without identities no group is "
            "known, and numbers beyond are no shares: fetch it again."
        )
    return table


def _columns_of(table: pandas.DataFrame) -> dict[str, list]:
    marks = table[list(IDENTITIES)].to_numpy() >= HALF
    named: list[Any] = [[name for name, mark in zip(IDENTITIES, row, strict=True) if mark] for row in marks]
    return {
        "text": table["comment_text"].tolist(),
        "toxic": (table["toxicity"] >= HALF).tolist(),
        "identities": named,
    }


def _texts(column: pandas.Series, path: Path) -> list[str]:
    other = [place for place, text in enumerate(column) if not isinstance(text, str) or not text.strip()]
    if other:
        raise ValueError(
            f"Expected a text in each row of {column.name} of {path}, got none in {len(other)} rows (first: "
            f"{other[0]}). The file is damaged; fetch it again."
        )
    return column.tolist()


def _refuse_lacking(table: Any, wanted: Sequence[str], path: Path) -> None:
    have = list(getattr(table, "columns", table))
    if lacking := [name for name in wanted if name not in have]:
        raise ValueError(
            f"Expected the columns {', '.join(wanted[:3])} … in {path}, it lacks {', '.join(lacking[:4])} and has "
            f"{', '.join(map(str, have[:6]))}. It is another data set or another version of it."
        )


BROUGHT_READERS: Mapping[str, Callable[[Sequence[Path], int], Splits]] = MappingProxyType({
    "bias_in_bios": read_bias_in_bios,
    "jigsaw": read_jigsaw,
})  # fmt: skip
