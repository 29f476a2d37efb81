"""Which of a user's own rows are for training, validation and test, and which period each belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TRAIN, VALIDATION, TEST = "train", "validation", "test"
NAMES = {"train": TRAIN, "training": TRAIN, "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION,
         "dev": VALIDATION, "test": TEST, "testing": TEST}  # fmt: skip


def draw_splits(
    given: Sequence[str | None],
    users: Sequence[str] | None,
    *,
    test_share: float,
    validation_share: float,
    seed: int,
) -> list[str]:
    """Return the split of each row: the given one, and where validation or test are not given, rows drawn from train.

    Parameters
    ----------
    given
        For each row its split, None where none is given. A row without one may become any.
    users
        Whose each row is; all rows of one that are drawn are then drawn together. None draws rows one by one.
    test_share, validation_share
        Of the rows that may be drawn. With users, so many of these that the share is reached.
    seed
        The same rows, shares and seed give the same splits.

    Raises
    ------
    ValueError
        If too few rows or users are there for three splits, or a user has rows in two of the given ones.

    Examples
    --------
    >>> draw_splits([None] * 5, None, test_share=0.2, validation_share=0.2, seed=0)
    ['validation', 'test', 'train', 'train', 'train']
    """
    found = [split or TRAIN for split in given]
    drawn = [
        (split, share) for split, share in ((TEST, test_share), (VALIDATION, validation_share)) if split not in given
    ]
    rows = [i for i, split in enumerate(found) if split == TRAIN]
    units = rows if users is None else [users[i] for i in rows]
    order = np.random.default_rng(seed).permutation(len(kinds := list(dict.fromkeys(units)))).tolist()
    if len(kinds) <= len(drawn):
        what = "rows" if users is None else "users"
        raise ValueError(
            f"Expected more than {len(drawn)} {what} to draw {' and '.join(split for split, _ in drawn)} from, got "
            f"{len(kinds)}. Name a column with the splits, or add rows."
        )
    of_unit: dict[object, list[int]] = {}
    for i, unit in zip(rows, units, strict=True):
        of_unit.setdefault(unit, []).append(i)
    for place, (split, share) in enumerate(drawn, start=1):
        wanted, have = max(1, round(share * len(rows))), 0
        while have < wanted and len(order) > len(drawn) - place + 1:  # one is left for each that follows, and train
            own = of_unit[kinds[order.pop()]]
            have += len(own)
            for i in own:
                found[i] = split
    _refuse_divided(users, found)
    return found


def _refuse_divided(users: Sequence[str] | None, splits: Sequence[str]) -> None:
    """Refuse given splits that divide a user's rows, where they are to be on one side."""
    if users is None:
        return
    where: dict[str, set[str]] = {}
    for user, split in zip(users, splits, strict=True):
        where.setdefault(user, set()).add(split)
    if divided := [user for user, found in where.items() if len(found) > 1]:
        raise ValueError(
            f"Expected all rows of a user in one split, {len(divided)} of {len(where)} users have rows in two or more "
            f"(first: {divided[0]!r}). The splits are given: leave them out to have them drawn, or by_user=True."
        )


def periods_of(times: Sequence[float], periods: int) -> list[int]:
    """Return the period of each row, from 0: as many rows in each as equal times allow.

    Up to `periods` different times are a period each. Periods that are equally long would leave some of them empty
    where people write in bursts.

    Examples
    --------
    >>> periods_of([10, 30, 20, 20], 3), periods_of(range(6), 2)
    ([0, 2, 1, 1], [0, 0, 0, 1, 1, 1])
    """
    kinds, place, counts = np.unique(np.asarray(times, dtype=float), return_inverse=True, return_counts=True)
    if len(kinds) <= periods:
        return place.tolist()
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()  # where each time stands among all rows, in (0, 1)
    cut = np.floor(middle * periods).astype(int)
    return np.unique(cut, return_inverse=True)[1][place].tolist()
