"""Who belongs to which group: one Boolean mask per group, because people belong to several.

A post may speak of women and of Muslims at once; a partition would have to drop one of the two. A row in no group is
background: it counts in "all rows" and in every group's "rest".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

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
        If shapes disagree, a name stands twice, or a name is one that results use for all rows or between groups.

    Examples
    --------
    >>> groups = Groups.overlapping([["women"], ["women", "Islam"], []])
    >>> groups.names, groups.sizes.tolist(), groups.is_partition
    (('Islam', 'women'), [1, 2], False)
    """

    names: tuple[str, ...]
    masks: np.ndarray

    def __post_init__(self) -> None:
        masks = np.asarray(self.masks)
        if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != len(self.names) or not self.names:
            raise ValueError(
                f"Expected masks of bool [rows, {len(self.names)}], one column for each of one or more groups, got "
                f"{masks.dtype} {list(masks.shape)}. A mask says in or out, nothing between."
            )
        if len(set(self.names)) < len(self.names) or {ALL, BETWEEN} & set(self.names):
            raise ValueError(f"Expected distinct names, none of them {ALL!r} or {BETWEEN!r}, got {self.names}.")
        object.__setattr__(self, "masks", masks)

    @classmethod
    def by(cls, labels: Sequence[str] | np.ndarray) -> Groups:
        """Put each row into the one group that `labels` names; groups are sorted by name and partition the rows.

        Raises
        ------
        ValueError
            If a label is missing (None, NaN or empty): such rows must be left out or named, by decision.

        Examples
        --------
        >>> Groups.by(["valley", "hill", "hill"]).sizes.tolist()
        [2, 1]
        """
        missing = [i for i, label in enumerate(labels) if is_missing(label) or label == ""]
        if missing:
            raise ValueError(
                f"Expected a group for each of {len(labels)} rows, {len(missing)} have none (first: row {missing[0]}). "
                "Leave them out, or give them a name such as 'unknown'."
            )
        names = tuple(sorted({str(label) for label in labels}))
        column = np.array([str(label) for label in labels], dtype=object)
        return cls(names, np.stack([column == name for name in names], axis=1) if names else np.zeros((0, 0), bool))

    @classmethod
    def overlapping(cls, members: Sequence[Iterable[str]], names: Sequence[str] | None = None) -> Groups:
        """Put each row into all the groups its entry of `members` lists.

        Parameters
        ----------
        members
            For each row the names of its groups, possibly none.
        names
            The groups to keep, in this order; None keeps all, sorted. Other names that rows list are dropped.

        Raises
        ------
        ValueError
            If a row's entry, or `names`, is a text and no list: its letters would be the groups.
        """
        members = list(members)
        for what, given in [*((f"row {i}", row) for i, row in enumerate(members)), ("names", names)]:
            if isinstance(given, str):
                raise ValueError(
                    f"Expected a list of groups for {what}, got the text {given!r}. Its letters would be the groups: "
                    f"write [{given!r}], or use Groups.by where each row is in one group."
                )
        lists = [set(row) for row in members]
        kept = tuple(sorted(set().union(*lists)) if names is None else names)
        masks = np.array([[name in row for name in kept] for row in lists], dtype=bool)
        return cls(kept, masks.reshape(len(lists), len(kept)))

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, rows: slice | np.ndarray) -> Groups:
        """Return the same groups on some of the rows: a slice, indices or a mask."""
        return Groups(self.names, self.masks[rows])

    @property
    def sizes(self) -> np.ndarray:
        """Rows in each group, int [G]."""
        return self.masks.sum(axis=0)

    @property
    def is_partition(self) -> bool:
        """Whether every row is in exactly one group."""
        return bool((self.masks.sum(axis=1) == 1).all())

    def at_least(self, count: int, rows: np.ndarray | None = None) -> Groups:
        """Keep the groups with `count` members or more among `rows` (a mask [N], by default all).

        A gap is undefined as soon as one group's rate is. Ask for enough positives (``rows=truth == 1``) and negatives
        before measuring, and say which groups were left out.

        Raises
        ------
        ValueError
            If no group is that large.
        """
        sizes = self.sizes if rows is None else self.masks[np.asarray(rows, dtype=bool)].sum(axis=0)
        kept = sizes >= count
        if not kept.any():
            raise ValueError(f"Expected a group with {count} or more such rows, the largest has {int(sizes.max())}.")
        return Groups(tuple(np.array(self.names, dtype=object)[kept]), self.masks[:, kept])


def is_missing(value: object) -> bool:
    """Tell whether a label is None, NaN or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA compares with nothing, itself included
        return True
