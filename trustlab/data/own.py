"""A user's own corpus in the shape that every notebook and function here takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustlab.data.own_rows import read_rows
from trustlab.data.own_splits import NAMES, TEST, TRAIN, VALIDATION, draw_splits, periods_of
from trustlab.data.own_tables import WORD_AND_TAG, Table, read_table, refuse_absent

if TYPE_CHECKING:
    import datasets

OWN = "own"  # the name that a corpus of the user's own rows carries


def load_own(
    source: Any,
    *,
    text: str | None = None,
    tokens: str | None = None,
    intent: str | None = None,
    slots: str | None = None,
    user: str | None = None,
    time: str | None = None,
    group: str | None = None,
    split: str | None = None,
    test_share: float = 0.1,
    validation_share: float = 0.1,
    by_user: bool = False,
    periods: int = 6,
    seed: int = 0,
    format: str | None = None,
    separator: str | None = None,
    encoding: str = "utf-8",
) -> datasets.DatasetDict:
    """Return your own rows as a corpus; name the columns that you have.

    Nothing is copied to another place and nothing is sent anywhere: the rows are read, looked at, and kept in memory.
    What the corpus can be used for says :func:`~trustlab.data.serves`.

    Parameters
    ----------
    source
        A file: CSV or TSV with a header, JSON Lines, or CoNLL (a word and its BIO tag in each line, an empty line
        between sentences, ``# intent = play`` before one). Or a pandas frame, a ``datasets.Dataset`` or
        ``DatasetDict``, a polars frame or another table that speaks Arrow. Or a mapping from "train", "validation" and
        "test" to any of them.
    text
        Column with each row's text, cut into words by :func:`trustlab.data.words_of_text.words_in`.
    tokens
        Instead of `text`, a column with the words: a list, a JSON list, or a text with a space between words. CoNLL has
        them without a name.
    intent
        Column with the label of the row; numbers become texts, the class labels of a ``datasets.Dataset`` their names.
    slots
        With `tokens` a column of BIO tags, as many as words (BILOU and BIOES become BIO: U- and S- begin a slot, L- and
        E- end one); with `text` one of spans, ``[[start, end, "city"], …]`` or ``{"start", "end", "label"}`` each, in
        characters, the end excluded; in a file as JSON. CoNLL has tags.
    user
        Column that names whose the row is: a client of a federation.
    time
        Column with numbers or ISO dates.
    group
        Column with the group of people that the row is about or by.
    split
        Column with "train", "validation" (or "val", "dev") and "test". Of those that no row has, rows are drawn.
    test_share, validation_share
        The shares to draw, in (0, 0.5), where the source has no such split.
    by_user
        Draw users instead of rows, so that all of one's rows are on one side: for models that must serve strangers.
    periods
        `time` is cut into so many periods of about equally many rows.
    seed
        Of the draw.
    format, separator, encoding
        Of a file: "csv", "tsv", "jsonl" or "conll" where its ending does not say it; ``separator=";"``; and its
        encoding.

    Returns
    -------
    datasets.DatasetDict
        ``train``, ``validation`` and ``test``, with the columns ``tokens``, ``slots`` (all "O" if you named none),
        and of those you named ``intent``, ``device`` (the user), ``time`` with ``period`` (from 0), and ``group``.

    Raises
    ------
    ValueError
        If rows are wrong: all are counted, the first named by line with what was expected. If a column is not there,
        the file is of another encoding, two columns have one name, or all rows have the same intent.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import pandas
    >>> said = ["Play some jazz", "Stop it!", "Wake me at 7"] * 4
    >>> frame = pandas.DataFrame({"said": said, "label": ["play", "stop", "alarm"] * 4, "who": list("aabb" * 3)})
    >>> corpus = load_own(frame, text="said", intent="label", user="who")
    >>> {name: rows.num_rows for name, rows in corpus.items()}
    {'train': 10, 'validation': 1, 'test': 1}
    >>> corpus["test"][0]
    {'tokens': ['Stop', 'it', '!'], 'slots': ['O', 'O', 'O'], 'intent': 'stop', 'device': 'a'}
    """
    _check_options(test_share, validation_share, periods, by_user, user)
    named = {"text": text, "tokens": tokens, "intent": intent, "slots": slots, "user": user, "time": time,
             "group": group, "split": split}  # fmt: skip
    # A table without a header counts its columns: text=0.
    named = {role: str(column) for role, column in named.items() if column is not None}
    sources = _by_split(source, split)
    how = {"format": format, "separator": separator, "encoding": encoding}
    rows: list[dict[str, Any]] = []
    for part, each in sources.items():
        table = read_table(each, **how)
        roles = _roles(table, named)
        found = read_rows(table, roles)
        rows += [{**row, "split": part or _canonical(row.get("split"), table.name, roles)} for row in found]
        _refuse_one_label(found, roles, table.name, of_train=part in (None, TRAIN))
    return _corpus(rows, test_share=test_share, validation_share=validation_share, by_user=by_user, periods=periods,
                   seed=seed)  # fmt: skip


def _corpus(rows: list[dict[str, Any]], *, periods: int, by_user: bool, **draw: Any) -> datasets.DatasetDict:
    import datasets

    users = [row["user"] for row in rows] if by_user else None
    splits = draw_splits([row["split"] for row in rows], users, **draw)
    if rows and "time" in rows[0]:
        for row, period in zip(rows, periods_of([row["time"] for row in rows], periods), strict=True):
            row["period"] = period
    columns = {"tokens": "tokens", "slots": "slots", "intent": "intent", "user": "device", "time": "time",
               "period": "period", "group": "group"}  # fmt: skip
    kept = {role: name for role, name in columns.items() if role in rows[0]}
    about = datasets.DatasetInfo(dataset_name=OWN)
    parts: dict[str, dict[str, list[Any]]] = {
        part: {name: [] for name in kept.values()} for part in (TRAIN, VALIDATION, TEST)
    }
    for row, part in zip(rows, splits, strict=True):
        for role, name in kept.items():
            parts[part][name].append(row[role])
    return datasets.DatasetDict({
        part: datasets.Dataset.from_dict(columns, info=about.copy()) for part, columns in parts.items()
    })  # fmt: skip


def is_own(corpus: Any) -> bool:
    """Return whether :func:`load_own` made a corpus; of any other Hugging Face data set this is not known."""
    splits = corpus.values() if isinstance(corpus, Mapping) else ()
    return any(getattr(getattr(split, "info", None), "dataset_name", None) == OWN for split in splits)


def _by_split(source: Any, split: str | None) -> dict[str | None, Any]:
    """Return the sources by the split that they are, None where a column or nothing says it."""
    if not isinstance(source, Mapping):
        return {None: source}
    if split is not None:
        raise ValueError(f"Expected split={split!r} with one file or frame; here the source says which split each is.")
    names = {name: NAMES.get(str(name).lower()) for name in source}
    if not source or None in names.values() or len(set(names.values())) < len(names) or TRAIN not in names.values():
        raise ValueError(
            f"Expected a source for 'train', and perhaps for 'validation' and 'test', got "
            f"{', '.join(map(repr, names)) or 'none'}. Of rows in one object make a pandas.DataFrame."
        )
    return {names[name]: each for name, each in source.items()}


def _roles(table: Table, named: dict[str, str]) -> dict[str, str]:
    """Return the column of each role; the words and tags of a CoNLL file need no name."""
    columns = ", ".join(map(repr, table.columns))
    if "text" in named and "tokens" in named:
        raise ValueError("Expected text= or tokens=, got both. Words are cut from a text, or are there already.")
    if not {"text", "tokens"} & set(named):
        if table.columns[:2] != WORD_AND_TAG:
            raise ValueError(
                f"Expected text= or tokens= to name a column of {table.name}, which has {columns}. Say what they are: "
                'load_own(source, text="utterance", intent="label", user="who").'
            )
        named = {"tokens": WORD_AND_TAG[0], "slots": WORD_AND_TAG[1]} | named
    for role, column in named.items():
        refuse_absent(column, table, role)
    if not {"intent", "slots"} & set(named):
        raise ValueError(
            f"Expected intent= or slots= to name a column of {table.name}, which has {columns}. Without a label there "
            "is nothing to learn from it."
        )
    if not table.lines:
        raise ValueError(f"Expected rows in {table.name}, got only the names of columns.")
    return named


def _canonical(value: str | None, name: str, roles: Mapping[str, str]) -> str | None:
    if value is None or value.lower() in NAMES:
        return None if value is None else NAMES[value.lower()]
    raise ValueError(
        f"Expected 'train', 'validation' or 'test' in the column {roles['split']!r} of {name}, got {value!r}."
    )


def _refuse_one_label(rows: list[dict[str, Any]], roles: Mapping[str, str], name: str, *, of_train: bool) -> None:
    """Refuse rows to learn from that all have one intent, or no slot at all where slots are all there is to learn."""
    if not of_train:
        return
    if "intent" in roles:
        counts = Counter(row["intent"] for row in rows)
        if len(counts) < 2:
            raise ValueError(
                f"Expected two or more intents in the column {roles['intent']!r} of {name}, all {len(rows)} rows have "
                f"{next(iter(counts))!r}. A model that says it always is right: name another column, or add rows."
            )
    elif not any(tag != "O" for row in rows for tag in row["slots"]):
        raise ValueError(f"Expected slots in {name}, all tags are 'O'. Without an intent there is nothing to learn.")


def _check_options(test: float, validation: float, periods: int, by_user: bool, user: str | None) -> None:
    for name, share in (("test_share", test), ("validation_share", validation)):
        if not 0 < share < 0.5:
            raise ValueError(f"Expected {name}={share!r} in (0, 0.5). It is the share of the rows kept for that split.")
    if isinstance(periods, bool) or not isinstance(periods, int) or periods < 1:
        raise ValueError(f"Expected periods={periods!r} to be a whole number >= 1.")
    if by_user and user is None:
        raise ValueError("Expected user= to name a column with by_user=True. It says whose the rows are.")
