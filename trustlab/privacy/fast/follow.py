"""Which tensors follow the batch: found out by a second forward with one example more.

A mask of T × T positions has as many rows as a batch of T examples, so its shape does not show which it is. Repeating
one example does: what follows the batch grows, and nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

Key = tuple[str, int, int]  # a layer's name, the number of its call, and that of the tensor in the call, from 0
Look = tuple[int, object, bool]
SEVERAL = -1


class Unknown(Exception):
    """A layer is called with a tensor of which there is no evidence yet."""


@dataclass(frozen=True)
class Follows:
    """How a tensor's shape follows the batch.

    Attributes
    ----------
    dim
        The dimension that counts examples; None where the tensor is the same for all, as positions are.
    each
        Rows of one example in this dimension; 0 where it neither follows the batch nor stays the same. In a
        :class:`Plan` all numbers above 1 are :data:`SEVERAL`: tokens of a batch in one dimension, of which the next
        batch has others.
    """

    dim: int | None
    each: int = 1


@dataclass
class Plan:
    """What is known of every layer's tensors, which grows with each piece of evidence; and if examples stay apart."""

    known: dict[tuple[Key, Look], Follows] = field(default_factory=dict)
    proved: bool = False

    def learn(self, fewer: dict[Key, Tensor], more: dict[Key, Tensor], counts: tuple[int, int]) -> None:
        """Take evidence from tensors met in two forwards, with so many examples each."""
        for key in fewer.keys() & more.keys():
            if look(fewer[key])[:2] == look(more[key])[:2]:
                found, place = compared(fewer[key].shape, more[key].shape, counts), (key, look(more[key]))
                if found.each > 1:
                    found = Follows(found.dim, SEVERAL)
                before = self.known.get(place, found)
                if {before, found} == {Follows(found.dim, 1), Follows(found.dim, SEVERAL)}:  # texts of one token
                    before = found = Follows(found.dim, SEVERAL)
                # Different each time: unknown for the next batch.
                self.known[place] = found if before == found else Follows(0, 0)

    def of(self, key: Key, tensor: Tensor, examples: int) -> Follows:
        """Return how `tensor`, met in a batch of so many examples, follows it."""
        found = self.known.get((key, look(tensor)))
        if found is not None and found.each == SEVERAL:
            found = Follows(found.dim, tensor.shape[found.dim] // examples)
        if found is None or (found.dim is not None and found.each and tensor.shape[found.dim] != found.each * examples):
            raise Unknown(key[0])
        return found


def look(tensor: Tensor) -> Look:
    """Return what distinguishes a tensor from another that takes its place in the call in another step."""
    return tensor.ndim, tensor.dtype, tensor.shape[:1] == (1,)


def compared(fewer: tuple[int, ...], more: tuple[int, ...], counts: tuple[int, int]) -> Follows:
    """Return what two shapes of a tensor show.

    Examples
    --------
    >>> compared((2, 5), (3, 5), (2, 3))
    Follows(dim=0, each=1)
    >>> compared((3, 3), (3, 3), (2, 3))
    Follows(dim=None, each=1)
    """
    unlike = [d for d, (few, many) in enumerate(zip(fewer, more, strict=True)) if few != many]
    if not unlike:
        return Follows(None)
    (d, *rest) = unlike
    each, left = divmod(more[d], counts[1])
    regular = not rest and not left and fewer[d] == each * counts[0]
    return Follows(d, each if regular else 0)
