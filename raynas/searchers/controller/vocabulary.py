"""The numbered tokens of a space, and batches of architectures as token sequences."""

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
    """Architectures as sequences of tokens, one architecture in each row.

    Each decision has only a few possible tokens. So the possible tokens of all decisions are
    concatenated in one array, instead of a table with a column for every token of the vocabulary.
    All rows' occurrences of the same decision are next to each other. The batch holds only
    indices: they are computed once and used in every forward and backward pass.

    Attributes:
        fed: ``[steps, rows]``: the row of the input weights at each step: 1 plus the number of
            the previous token, or 0 for the start. Shorter rows are padded.
        row: ``[decisions]``: the row of the decision.
        place: ``[decisions]``: the index of the decision's step in a flattened ``[steps, rows]``.
        starts: ``[decisions]``: the index of the decision's first token among all tokens.
        counts: ``[decisions]``: the number of the decision's tokens.
        taken: ``[decisions]``: the index of the chosen token among all tokens.
        tokens: ``[tokens of all decisions]``: the number of each token in the vocabulary.
        alike: For each decision of the space: the range of its token numbers, the range of its
            occurrences, and the range of the tokens of these occurrences.
        by_input: ``[1 + tokens, steps * rows]``: the matrix that sums the values of all steps
            with the same row of input weights.
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
        """Return ``[tokens of all decisions]``: each decision's value, repeated for its tokens."""
        return np.repeat(values, self.counts)

    def by_token(self, values: NDArray[np.float64]) -> csr_array:
        """Return a sparse ``[decisions, tokens]`` of values ``[tokens of all decisions]``."""
        ends = np.append(self.starts, len(values))
        size = len(self.row), self.by_input.shape[0] - 1
        return csr_array((values, self.tokens, ends), shape=size)


class Vocabulary:
    """The tokens of all decisions of a space, with consecutive numbers.

    Attributes:
        size: The number of tokens.
        tokens: The tokens of each decision, by path.
        spans: The range of the token numbers of each decision, by path.
        prior: ``[tokens]``: the logarithm of each token's weight in the space's prior.
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
        """Return architectures, at least one, as sequences of tokens."""
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
    """Yield the entries of ``Batch.alike``: one for each run of the same decision."""
    edges = np.flatnonzero(np.diff(begin, prepend=-1, append=-1)).tolist()
    for first, after in pairwise(edges):
        low, count, start = (int(a[first]) for a in (begin, counts, starts))
        yield (
            slice(low, low + count),
            slice(first, after),
            slice(start, start + count * (after - first)),
        )
