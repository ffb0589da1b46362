"""A space: the tree of decisions, and the operations on it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from raynas.errors import SpaceError, shown, unknown
from raynas.json_text import parsed
from raynas.space.architecture import Architecture
from raynas.space.decision import Decision, compile_tree
from raynas.space.graph import Graph
from raynas.space.nodes import Choice, Node
from raynas.space.values import Value
from raynas.space.written import meant

Decide = Callable[[Decision], Value]

_ENUMERATED: Final = 10_000  # in a space of at most so many architectures, all are looked through
_WRITTEN_OUT: Final = 10**12  # a larger number of architectures is a power of ten
_DETOURS: Final = 16  # at most so many changes in succession, to find a different network


class Space:
    """A search space.

    Every operation is the same walk: decide the first open decision, which may make more
    decisions active, until none is open. The operations differ only in how they decide.
    """

    def __init__(
        self,
        tree: Mapping[str, Node],
        *,
        canonical: Callable[[Architecture], str] | None = None,
        graph: Callable[[Architecture], Graph] | None = None,
    ) -> None:
        """Compile a tree.

        Args:
            tree: A mapping from names to nodes.
            canonical: Returns the same text for equivalent architectures, so that they count as
                one network.
            graph: Returns an architecture's layers and their connections, for searchers that
                compare networks as graphs.

        Raises:
            SpaceError: The tree is empty or malformed.
        """
        if not isinstance(tree, Mapping):
            raise SpaceError(
                "a space must be a dict from names to Choice, Int, Float, Repeat or dict, "
                f"got {tree!r}"
            )
        self.tree = tree
        self.canonical = canonical
        self.graph = graph
        self.roots = compile_tree(tree)
        if not self.roots:
            raise SpaceError("a space needs at least one decision, got an empty tree")

    @cached_property
    def decisions(self) -> Mapping[str, Decision]:
        """Every decision that can ever become active, by path, parents first."""
        return {decision.path: decision for root in self.roots for decision in root.walk()}

    @cached_property
    def size(self) -> int | float:
        """The exact number of architectures (assignments); infinite with a real number in it."""
        return _size(self.roots)

    def __repr__(self) -> str:
        """Show how many decisions and architectures there are, in one line."""
        number, size = len(self.decisions), _said(self.size)
        decisions = "1 decision" if number == 1 else f"{number} decisions"
        return f"<Space of {decisions}, {size} architecture{'' if size == '1' else 's'}>"

    @cached_property
    def networks(self) -> int | float:
        """The number of different networks (identities); for a large space, an upper bound."""
        if self.canonical is None or self.size > _ENUMERATED:
            return self.size
        return len({self.identity(architecture) for architecture in self})

    def walk(self, decide: Decide) -> Architecture:
        """Build an architecture: call ``decide`` for each active decision, parents first."""
        values: dict[str, Value] = {}
        todo = list(reversed(self.roots))
        while todo:
            decision = todo.pop()
            value = values[decision.path] = decide(decision)
            todo.extend(reversed(decision.branches.get(value, ())))
        return Architecture(values)

    def architecture(self, values: Mapping[str, Value]) -> Architecture:
        """Return the architecture that ``values`` (by path) describe, as people write them.

        A number stands for the option that differs from it only by rounding.

        Raises:
            SpaceError: An active decision is missing, a value is outside its domain, or a value
                belongs to no active decision.
        """

        def decide(decision: Decision) -> Value:
            if decision.path not in values:
                raise SpaceError(f"the architecture must have a value for {decision.path!r}")
            value: Value = meant(decision.domain, values[decision.path])
            if not decision.domain.contains(value):
                raise SpaceError(f"{decision.path} must be {_within(decision)}, got {value!r}")
            return value

        architecture = self.walk(decide)
        for path in values:
            if path not in architecture:
                known = path in self.decisions
                raise SpaceError(
                    f"{path!r} is not active in this architecture: leave it out"
                    if known
                    else unknown("decision", path, self.decisions)
                )
        return architecture

    def from_json(self, text: str) -> Architecture:
        """Read what ``Architecture.to_json`` wrote.

        Raises:
            SpaceError: The text is not a JSON object, or not an architecture of this space.
        """
        try:
            values = parsed(text)
        except ValueError as error:
            raise SpaceError(
                f"an architecture must be a JSON object, got {shown(text)}"
            ) from error
        if not isinstance(values, dict):
            raise SpaceError(f"an architecture must be a JSON object, got {shown(text)}")
        return self.architecture(values)

    def identity(self, architecture: Architecture) -> str:
        """Return 16 hexadecimal digits, equal for architectures that are the same network."""
        if self.canonical is None:
            text = json.dumps(dict(architecture), sort_keys=True)
        else:
            text = self.canonical(architecture)
            if not isinstance(text, str):
                raise SpaceError(f"canonical must return text, such as JSON: got {shown(text)}")
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw an architecture, each decision from its prior."""
        return self.walk(lambda decision: decision.domain.sample(rng))

    def mutate(
        self,
        parent: Architecture,
        rng: np.random.Generator,
        among: Sequence[str] | None = None,
    ) -> Architecture:
        """Change one decision, drawn uniformly; new active decisions are drawn from the prior.

        The result is always a different network than the parent (by identity): if no single
        change gives a different network, several changes are made.

        Args:
            parent: The architecture to change.
            rng: The source of randomness; its state changes.
            among: Paths of decisions that may be changed; none for all.

        Raises:
            SpaceError: No other network was found.
        """
        own, changed = self.identity(parent), parent
        for _ in range(_DETOURS):
            paths = [path for path in (changed if among is None else among) if path in changed]
            before = changed
            for i in rng.permutation(len(paths)):
                path = paths[int(i)]
                for value in self.decisions[path].domain.others(before[path], rng):
                    changed = self._changed(before, path, value, rng)
                    if self.canonical is None or self.identity(changed) != own:
                        return changed
        raise SpaceError(f"a few changes of {parent!r} lead to no other network of this space")

    def crossover(
        self, one: Architecture, other: Architecture, rng: np.random.Generator
    ) -> Architecture:
        """Take each decision from either parent; at random if both parents have it."""

        def decide(decision: Decision) -> Value:
            made = [parent[decision.path] for parent in (one, other) if decision.path in parent]
            return made[int(rng.integers(len(made)))]

        return self.walk(decide)

    def neighbours(self, centre: Architecture, rng: np.random.Generator) -> Iterator[Architecture]:
        """Yield the networks one decision away, in random order.

        An option is exchanged for every other option, and a number is moved by a step; decisions
        that a change makes active are drawn from the prior.
        """
        edits = [
            (path, value)
            for path in centre
            for value in self.decisions[path].domain.steps(centre[path])
        ]
        own = self.identity(centre)
        for i in rng.permutation(len(edits)):
            child = self._changed(centre, *edits[int(i)], rng)
            if self.canonical is None or self.identity(child) != own:
                yield child

    def __iter__(self) -> Iterator[Architecture]:
        """Yield every architecture.

        Raises:
            SpaceError: The space holds a real number, so it is infinite.
        """
        return (Architecture(dict(values)) for values in _assignments(self.roots))

    def _changed(
        self, parent: Architecture, path: str, value: Value, rng: np.random.Generator
    ) -> Architecture:
        def decide(decision: Decision) -> Value:
            if decision.path == path:
                return value
            if decision.path in parent:
                return parent[decision.path]
            return decision.domain.sample(rng)

        return self.walk(decide)


def _within(decision: Decision) -> str:
    if isinstance(decision.domain, Choice):
        return f"one of {', '.join(map(repr, decision.domain.values()))}"
    return f"in {decision.domain}"


def _said(size: int | float) -> str:
    """Return a number of architectures as text; very large numbers as a power of ten."""
    if size == math.inf:
        return "infinitely many"
    return f"{size:,}" if size < _WRITTEN_OUT else f"about 10^{math.log10(size):.0f}"


def _size(decisions: Sequence[Decision]) -> int | float:
    sizes = [_size_of(decision) for decision in decisions]
    return math.inf if math.inf in sizes else math.prod(sizes)


def _size_of(decision: Decision) -> int | float:
    behind = [_size(branch) - 1 for branch in decision.branches.values()]
    return math.inf if math.inf in behind else decision.domain.count + sum(behind)


def _assignments(todo: tuple[Decision, ...]) -> Iterator[tuple[tuple[str, Value], ...]]:
    if not todo:
        yield ()
        return
    first, *rest = todo
    for value in first.domain.values():
        for tail in _assignments((*first.branches.get(value, ()), *rest)):
            yield ((first.path, value), *tail)
