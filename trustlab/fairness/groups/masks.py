"""Who belongs to which group: one Boolean mask per group, because people belong to several.

A post may be about women and Muslims at once; a partition would have to drop one of the two. A row in no group is
background: it counts in "all rows" and in every group's "rest".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_mask, as_rows
from trustlab.containers import is_frame, is_missing, opened, plain

ALL = "(all rows)"  # the group of a number over every row
BETWEEN = "(between groups)"  # the group of a number that compares groups


@dataclass(frozen=True, eq=False)
class Groups:
    """Names of G groups and who of N rows is in each.

    Attributes
    ----------
    names
        G distinct names.
    masks : bool [N, G]
        True where the row belongs to the group; rows of the table may hold none, one or several.

    Raises
    ------
    ValueError
        If shapes disagree, a name occurs twice, or a name is one that results use for all rows or between groups.

    Examples
    --------
    >>> groups = Groups.overlapping([["women"], ["women", "Islam"], []])
    >>> groups.names, groups.sizes.tolist(), groups.is_partition
    (('Islam', 'women'), [1, 2], False)
    """

    names: tuple[str, ...]
    masks: np.ndarray

    def __post_init__(self) -> None:
        names = tuple(str(plain(name)) for name in as_ids(self.names, "group name"))
        masks = _table(self.masks, names)
        if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != len(names) or not names:
            raise ValueError(
                f"Expected masks of bool [rows, {len(names)}], one column for each of one or more groups, got "
                f"{masks.dtype} {list(masks.shape)}. A mask is True or False, nothing in between."
            )
        if len(set(names)) < len(names) or {ALL, BETWEEN} & set(names):
            raise ValueError(f"Expected distinct names, none of them {ALL!r} or {BETWEEN!r}, got {names}.")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "masks", masks)

    @classmethod
    def by(cls, labels: Any) -> Groups:
        """Put each row into the one group that `labels` names; groups are sorted by name and partition the rows.

        Parameters
        ----------
        labels
            One column of N names, in any container that :mod:`trustlab.columns` knows; of numbers the text is the name.

        Raises
        ------
        ValueError
            If a label is missing (None, NaN or empty): leave such rows out or name them. For one text,
            a table, labels of which two have the same text (1 and "1"), or measurements in place of groups.

        Examples
        --------
        >>> Groups.by(["valley", "hill", "hill"]).sizes.tolist()
        [2, 1]
        """
        values = [plain(label) for label in as_ids(labels, "group")]
        kinds = dict.fromkeys(values)
        _refuse_no_names(kinds, len(values))
        names = tuple(sorted(map(str, kinds)))
        column = np.array([str(value) for value in values], dtype=object)
        return cls(names, np.stack([column == name for name in names], axis=1) if names else np.zeros((0, 0), bool))

    @classmethod
    def overlapping(cls, members: Any, names: Sequence[str] | None = None) -> Groups:
        """Put each row into all the groups its entry of `members` lists.

        Parameters
        ----------
        members
            For each row the names of its groups, possibly none: ``[]``.
        names
            The groups to keep, in this order; None keeps all, sorted. Other names that rows list are dropped.

        Raises
        ------
        ValueError
            If a row's entry, or `names`, is a text and no list: its letters would be the groups. If a row lists an
            empty name or none (None, NaN), as ``"".split(",")`` does: it would be a group of its own, and change gaps.
        """
        lists = [_listed(row, f"row {i}") for i, row in enumerate(opened(members, "list of groups"))]
        kept = tuple(sorted(set().union(*lists)) if names is None else _listed(names, "names"))
        masks = np.array([[name in row for name in kept] for row in map(set, lists)], dtype=bool)
        return cls(kept, masks.reshape(len(lists), len(kept)))

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, rows: Any) -> Groups:
        """Return the same groups on some of the rows: a slice, indices or a mask."""
        return Groups(self.names, self.masks[as_rows(rows, len(self))])

    @property
    def sizes(self) -> np.ndarray:
        """Rows in each group, int [G]."""
        return self.masks.sum(axis=0)

    @property
    def is_partition(self) -> bool:
        """Whether every row is in exactly one group."""
        return bool((self.masks.sum(axis=1) == 1).all())

    def at_least(self, count: int, rows: Any = None) -> Groups:
        """Keep the groups with `count` members or more among `rows` (a mask [N], by default all).

        A difference is undefined as soon as one group's rate is. Ask for enough positives (``rows=truth == 1``) and
        negatives before measuring, and report which groups were left out.

        Raises
        ------
        ValueError
            If no group is that large.
        """
        sizes = self.sizes if rows is None else self.masks[as_mask(rows, len(self))].sum(axis=0)
        kept = sizes >= count
        if not kept.any():
            raise ValueError(f"Expected a group with {count} or more such rows, the largest has {int(sizes.max())}.")
        return Groups(tuple(np.array(self.names, dtype=object)[kept]), self.masks[:, kept])


def _table(masks: Any, names: tuple[str, ...]) -> np.ndarray:
    """Return masks [N, G] from an array, a tensor, a list of rows, or a frame whose columns are the groups."""
    if not is_frame(masks):
        return np.asarray(opened(masks, "row of masks"))
    columns = list(masks.columns)
    if columns != list(range(len(names))) and tuple(map(str, columns)) != names:
        raise ValueError(
            f"Expected masks with the columns {list(names)} in this order, got {columns}. A mask would get another "
            "group's name: pass table[list(names)]."
        )
    return np.stack([as_mask(masks.iloc[:, g], what=f"mask of {name}") for g, name in enumerate(names)], axis=1)


def _listed(given: Any, what: str) -> list[str]:
    """Return the names that a row lists, or refuse what is no list of names."""
    if isinstance(given, str | bytes):
        raise ValueError(
            f"Expected a list of groups for {what}, got the text {given!r}. Its letters would be the groups: "
            f"write [{given!r}], or use Groups.by where each row is in one group."
        )
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ValueError(
            f"Expected a list of groups for {what}, got {type(given).__name__}. Write [] for a row in no group."
        )
    values = [plain(name) for name in given]
    if any(is_missing(name) or not str(name).strip() for name in values):
        raise ValueError(
            f"Expected names of groups in {what}, got an empty or a missing one. It would be a separate group: write "
            "[] for a row in no group, or give the unknown a name."
        )
    return [str(name) for name in values]


def _refuse_no_names(kinds: Mapping[Any, None], rows: int) -> None:
    """Refuse values that cannot name groups."""
    if any(isinstance(value, frozenset) for value in kinds):
        raise ValueError("Expected one group for each row, got a set of them. Use Groups.overlapping.")
    if len(set(map(str, kinds))) < len(kinds):
        raise ValueError(
            f"Expected groups with different names, got {len(kinds)} values with {len(set(map(str, kinds)))} "
            "different texts, such as 1 and '1'. They would become one group: make all of them texts."
        )
    measured = any(isinstance(value, float) and not value.is_integer() for value in kinds)
    if measured and len(kinds) > max(rows // 2, 1):
        raise ValueError(
            f"Expected groups, got {len(kinds)} different numbers in {rows} rows. They look like measurements: put "
            "them into bins (np.digitize, pandas.cut) and name these."
        )
