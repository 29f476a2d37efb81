"""The nearest word of each vector: exact, though most of the work is done in low precision.

‖q − x‖² is smallest where q·x − ‖x‖²/2 is largest, so one matrix product finds a few candidates for each q, and only
those are compared in float64. A product in lower precision is faster and less exact. With q̂ and x̂ for the rounded
vectors, q·x − q̂·x̂ = (q − q̂)·x + q̂·(x − x̂), and Cauchy and Schwarz bound both terms by lengths that are known; every
word within that bound of the best is a candidate. The answer is therefore that of float64 in any case: lower precision
costs more candidates, not errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 256  # queries at a time: their products with 30,000 words fit into 32 MB
WIDE = 128  # dimensions from which a product in bfloat16 pays, where the processor has a unit for it
UNIT_BFLOAT16, UNIT_FLOAT32 = 2.0**-8, 2.0**-24  # relative error of rounding one number


def nearest(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the index of the nearest of `vectors` for each query, int64 [n]; the first of equally near ones.

    Parameters
    ----------
    queries : [n, d]
        Any finite vectors.
    vectors : [V, d]
        What is searched.

    Raises
    ------
    ValueError
        For a query that is not finite, or of another width.

    Examples
    --------
    >>> nearest(np.array([[0.2], [0.9]]), np.array([[0.0], [1.0]])).tolist()
    [0, 1]
    """
    queries, vectors = np.asarray(queries, np.float64), np.asarray(vectors, np.float64)
    if queries.ndim != 2 or queries.shape[1:] != vectors.shape[1:] or not np.isfinite(queries).all():
        raise ValueError(
            f"Expected finite queries of shape [n, {vectors.shape[1]}], got {list(queries.shape)}. They are compared "
            "with the table's vectors."
        )
    middle = vectors.mean(axis=0)  # shorter vectors have smaller rounding errors
    queries, vectors = queries - middle, vectors - middle
    found = np.empty(len(queries), dtype=np.int64)
    for start, rows, columns in _candidates(queries, vectors):
        squares = ((queries[start + rows] - vectors[columns]) ** 2).sum(axis=1)
        order = np.lexsort((columns, squares, rows))
        first = np.r_[True, np.diff(rows[order]) > 0]
        found[start + rows[order][first]] = columns[order][first]
    return found


def _candidates(queries: np.ndarray, vectors: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield for each block its first query, and the pairs (query of the block, word) that may be nearest."""
    low = _bfloat16 if vectors.shape[1] >= WIDE and _has_bfloat16_unit() else _float32
    (right, _, lost), result = low(vectors), UNIT_BFLOAT16 if low is _bfloat16 else 0.0
    halves = ((vectors**2).sum(axis=1) / 2).astype(np.float32)
    longest = float(np.sqrt((vectors**2).sum(axis=1).max()))
    sums = 2 * vectors.shape[1] * UNIT_FLOAT32  # of d products, in any order
    for start in range(0, len(queries), BLOCK):
        left, lengths, strays = low(queries[start : start + BLOCK])
        scores = (left @ right.T).float().numpy()  # [block, V]
        largest = np.maximum(scores.max(axis=1), -scores.min(axis=1))
        scores -= halves
        off = strays * longest + lengths * lost.max() + sums * lengths * (longest + lost.max()) + result * largest
        off += 4 * UNIT_FLOAT32 * longest * (lengths + longest)  # of the difference
        # The best may be too low and another one too high, so twice; comparing rounds once more.
        least = scores.max(axis=1) - (2.01 * off).astype(np.float32)
        yield start, *np.divmod(np.flatnonzero(scores >= least[:, None]), len(vectors))


def _float32(vectors: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return `vectors` rounded, as a tensor [n, d]; the length of each, [n]; and that of what it lost, [n]."""
    import torch

    return _rounded(vectors, torch.from_numpy(vectors.astype(np.float32)))


def _bfloat16(vectors: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the same as :func:`_float32`, in half as many bits."""
    import torch

    return _rounded(vectors, torch.from_numpy(vectors.astype(np.float32)).bfloat16())


def _rounded(vectors: np.ndarray, low: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    exact = low.double().numpy()
    return low, np.linalg.norm(exact, axis=1), np.linalg.norm(vectors - exact, axis=1)


def _has_bfloat16_unit() -> bool:
    """Say whether the processor multiplies numbers of bfloat16 in a unit of its own, as with AMX or AVX512-BF16."""
    import torch

    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)
