"""A space's tokens, numbered through, and architectures as batches of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from raynas.searchers.controller.tokens import tokens
from raynas.space import Architecture, Space

Indices = NDArray[np.int_]


class Batch(NamedTuple):
    """Architectures as sequences of tokens.

    A decision takes one of a few tokens, so these lie one decision after the other, rather than
    in a table as wide as the vocabulary; the same decision of all rows together. All of it says
    only what belongs where, found once and used in every pass.

    Attributes:
        fed: ``[steps, rows]`` the row of input weights at every step: the token before it, or the
            start. Rows are padded to the longest.
        row: ``[decisions]`` whose decision it is.
        place: ``[decisions]`` where its step stands in ravelled ``[steps, rows]``.
        starts: ``[decisions]`` where its tokens begin among all.
        counts: ``[decisions]`` how many there are.
        taken: ``[decisions]`` which one among all was taken.
        tokens: ``[tokens of all decisions]`` their numbers.
        alike: The same decision of all rows: its tokens, and where it and its tokens stand here.
        by_input: ``[1 + tokens, steps * rows]`` sums what comes from each row of input weights.
    """

    fed: Indices
    row: Indices
    place: Indices
    starts: Indices
    counts: Indices
    taken: Indices
    tokens: Indices
    alike: tuple[tuple[slice, ...], ...]
    by_input: csr_array

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Repeat every decision's value for each of its tokens."""
        return np.repeat(values, self.counts)

    def by_token(self, values: NDArray[np.float64]) -> csr_array:
        """Return values of all decisions' tokens as ``[decisions, tokens]``."""
        ends = np.append(self.starts, len(values))
        size = len(self.row), self.by_input.shape[0] - 1
        return csr_array((values, self.tokens, ends), shape=size)


class Vocabulary:
    """Every token of every decision of a space, numbered through.

    Attributes:
        size: How many tokens there are.
        tokens: Each decision's tokens, by path.
        spans: Each decision's range of numbers, by path.
        prior: ``[tokens]`` the logarithm of each token's weight in the space's prior.
    """

    def __init__(self, space: Space) -> None:
        """Number the tokens."""
        self.tokens = {path: tokens(one.domain) for path, one in space.decisions.items()}
        weights = [one.log_weights for one in self.tokens.values()]
        ends = accumulate(map(len, weights), initial=0)
        self.spans = {
            path: slice(start, end)
            for path, (start, end) in zip(space.decisions, pairwise(ends), strict=True)
        }
        self.prior = np.concatenate(weights)
        self.size = len(self.prior)

    def batch(self, architectures: Sequence[Architecture]) -> Batch:
        """Return architectures as tokens."""
        made = [
            (self.spans[path], self.tokens[path].index(value))
            for one in architectures
            for path, value in one.items()
        ]
        lengths = np.array([len(one) for one in architectures])
        row = np.repeat(np.arange(len(lengths)), lengths)
        step = np.arange(len(made)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        begin, end, chosen = np.array([(span.start, span.stop, i) for span, i in made]).T
        fed = np.zeros((1 + lengths.max(), len(lengths)), dtype=int)
        fed[1 + step, row] = 1 + begin + chosen
        fed = fed[:-1]
        order = np.argsort(begin, kind="stable")
        row, step, begin, end, chosen = (a[order] for a in (row, step, begin, end, chosen))
        counts = end - begin
        starts = np.cumsum(counts) - counts
        return Batch(
            fed=fed,
            row=row,
            place=step * len(lengths) + row,
            starts=starts,
            counts=counts,
            taken=starts + chosen,
            tokens=np.arange(counts.sum()) + np.repeat(begin - starts, counts),
            alike=tuple(_runs(begin, counts, starts)),
            by_input=csr_array(
                (np.ones(fed.size), (fed.ravel(), np.arange(fed.size))),
                shape=(1 + self.size, fed.size),
            ),
        )


def _runs(begin: Indices, counts: Indices, starts: Indices) -> Iterator[tuple[slice, ...]]:
    """Yield the runs of the same decision, as ``Batch.alike`` has them."""
    edges = np.flatnonzero(np.diff(begin, prepend=-1, append=-1)).tolist()
    for first, after in pairwise(edges):
        low, count, start = (int(a[first]) for a in (begin, counts, starts))
        yield (
            slice(low, low + count),
            slice(first, after),
            slice(start, start + count * (after - first)),
        )
