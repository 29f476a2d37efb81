"""Load any corpus by its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trustlab.data.brought import located, named_places
from trustlab.data.brought_readers import BROUGHT_READERS
from trustlab.data.fairness_readers import FAIRNESS_READERS
from trustlab.data.fetching import DATA_VARIABLE, cache_directory, locate
from trustlab.data.readers import READERS as TEXT_READERS
from trustlab.data.synthetic import assistant

if TYPE_CHECKING:
    import datasets

SPLITS = ("train", "validation", "test")
READERS = TEXT_READERS | FAIRNESS_READERS


def load(
    name: str,
    *,
    split: str | Sequence[str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> datasets.DatasetDict:
    """Load a corpus by name; :func:`~trustlab.data.catalog` lists them.

    Parameters
    ----------
    name
        "assistant", "snips", "atis", "clinc150", "hwu64", "shakespeare_roles", "20newsgroups", "wnut17", "xquad" or
        "e2e_nlg".
    split
        Keep only this split, or these; None keeps all that the corpus has: train, validation and test, or less where
        it was made to test models only.
    directory
        Folder that holds the files of a real corpus, or a folder ``<name>`` with them. By default they are sought
        where ``TRUSTLAB_DATA`` points, then in the user's cache, then downloaded, see
        :func:`~trustlab.data.fetching.locate`. The assistant corpus has no files.
    seed
        Seed of the assistant corpus; for hwu64 it picks the fold that is the test set, for shakespeare_roles the lines
        that are, for 20newsgroups and e2e_nlg the rows' order. The other corpora have fixed splits. Rows that their
        authors left both in train and in test are kept, as published results have them.

    Returns
    -------
    datasets.DatasetDict
        Each split has ``tokens`` (list of str), ``slots`` (BIO tags, as many) and ``intent`` (str). There is
        ``domain`` in assistant, clinc150 and hwu64, ``fold`` in hwu64; for the further columns of the assistant corpus
        see :func:`~trustlab.data.assistant`. shakespeare_roles has ``text``, ``role`` and ``play`` instead;
        20newsgroups ``tokens``, ``group`` and ``user``; wnut17 ``tokens`` and ``tags``; xquad ``context``,
        ``question``, ``answer`` and ``article``; e2e_nlg ``kinds``, ``values`` and ``tokens``.

        The sets that fairness is measured with have their own columns, see :mod:`trustlab.data.fairness_readers`; so
        have "bias_in_bios" and "jigsaw", which you bring, see :mod:`trustlab.data.brought_readers`.

    Raises
    ------
    ValueError
        If the name or a split is unknown, a file is not the expected one, or a row is malformed. Your own files are
        read by :func:`~trustlab.data.load_own`.
    OSError
        If a file is missing, the network failed or the cache cannot be written; the message says what to do.

    Examples
    --------
    >>> load("assistant", split="test", seed=3)["test"].column_names[:3]
    ['tokens', 'slots', 'intent']
    """
    known = ("assistant", *READERS, *BROUGHT_READERS)
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"Expected name={_named(name)} to be one of {', '.join(map(repr, known))}.{_way_to_own(name)}")
    wanted = SPLITS if split is None else (split,) if isinstance(split, str) else tuple(split)
    if not wanted or set(wanted) - set(SPLITS):
        raise ValueError(f"Expected split={split!r} to be one or several of {', '.join(map(repr, SPLITS))}.")
    import datasets

    if name == "assistant":
        corpus = assistant(seed=seed)
    else:
        splits = _read(name, directory, seed)
        corpus = datasets.DatasetDict(
            {part: datasets.Dataset.from_dict(splits[part]) for part in SPLITS if part in splits}
        )
    kept = [part for part in wanted if part in corpus]
    if split is not None and len(kept) < len(wanted):
        raise ValueError(f"Expected split={split!r} among those of {name!r}: {', '.join(corpus)}. It has no others.")
    return datasets.DatasetDict({part: corpus[part] for part in kept})


def _read(name: str, directory: str | os.PathLike[str] | None, seed: int) -> dict[str, dict[str, list]]:
    """Find and read the files of a real corpus."""
    if name in BROUGHT_READERS:
        places = named_places(DATA_VARIABLE, cache_directory())
        return BROUGHT_READERS[name](located(name, directory, places), seed)
    return READERS[name](locate(name, directory), seed)


def _named(given: object) -> str:
    """Return how an error names what was given for a name: quoted, of an object its type."""
    return repr(os.fspath(given)) if isinstance(given, str | os.PathLike) else type(given).__name__


def _way_to_own(given: object) -> str:
    """Return how rows of one's own are loaded, with the call where it looks as if these were some."""
    if isinstance(given, str) and not any(sign in given for sign in "./\\"):
        return " Rows of your own are loaded by load_own(path, text=…, intent=…)."
    return (
        f' For rows of your own, name their columns: load_own({_named(given)}, text="utterance", intent="label", '
        'user="who"), from trustlab.data.'
    )
