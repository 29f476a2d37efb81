"""The nearest word of each vector: exact, though most of the work is done in low precision.

‖q − x‖² is smallest where q·x − ‖x‖²/2 is largest, so one matrix product finds a few candidates for each q, and only
those are compared in float64. A product in lower precision is faster and less exact; Cauchy and Schwarz bound how far
any of its entries can be off, and every word within that bound of the best is a candidate. The answer is therefore that
of float64 in any case: lower precision costs more candidates, not errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    products, error = _product(vectors.astype(np.float32))
    halves = ((vectors**2).sum(axis=1) / 2).astype(np.float32)
    longest = float(np.sqrt((vectors**2).sum(axis=1).max()))
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        scores = products(block.astype(np.float32))  # [block, V]
        scores -= halves
        lengths = np.linalg.norm(block, axis=1)
        off = error * lengths * longest + 4 * UNIT_FLOAT32 * longest * (lengths + longest)
        # The best may be too low and another one too high, so twice; comparing rounds once more.
        least = scores.max(axis=1) - (2.01 * off).astype(np.float32)
        yield start, *np.divmod(np.flatnonzero(scores >= least[:, None]), len(vectors))


def _product(vectors: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """Return what multiplies queries [n, d] with `vectors` [V, d] to [n, V], and its largest error over ‖q‖‖x‖."""
    width = vectors.shape[1]
    sums = 2 * width * UNIT_FLOAT32  # of d products, in any order
    if width >= WIDE and _has_bfloat16_unit():
        import torch

        right = torch.from_numpy(vectors).bfloat16().T
        rounded = 3.1 * UNIT_BFLOAT16  # both factors, and the result
        return lambda queries: (torch.from_numpy(queries).bfloat16() @ right).float().numpy(), rounded + sums
    return lambda queries: queries @ vectors.T, sums


def _has_bfloat16_unit() -> bool:
    """Say whether the processor multiplies matrices of bfloat16 in a unit of its own, as with AMX."""
    import torch

    return getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
