"""A model of the allocator of torch for CUDA, which reserves more memory than tensors hold."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Final

_MIB: Final = 2**20
_ROUND: Final = 512  # bytes to which every request is rounded up
_SMALL: Final = _MIB  # requests up to this size share small segments
_SMALL_SEGMENT: Final = 2 * _MIB
_MEDIUM: Final = 10 * _MIB  # requests below this size share large segments
_LARGE_SEGMENT: Final = 20 * _MIB
_ROUND_LARGE: Final = 2 * _MIB  # bytes to which other segments are rounded up


@dataclass(slots=True, eq=False)
class Block:
    """A part of a segment; blocks of a segment are linked in the order of their addresses."""

    address: int
    size: int
    small: bool
    before: Block | None = None
    after: Block | None = None
    free: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """The order in which free blocks are tried: the smallest first, then by address."""
        return self.size, self.address


@dataclass(slots=True)
class CachingAllocator:
    """Does what ``c10/cuda/CUDACachingAllocator.cpp`` does with one stream and default settings.

    Memory comes in segments, which are not given back. A request takes the smallest free block
    that is large enough, and splits it if enough remains. Neighbours that are free become one
    block.

    Attributes:
        reserved: The bytes of all segments.
        held: The bytes of all blocks in use.
        most_held: The largest value of ``held`` so far.
    """

    reserved: int = 0
    held: int = 0
    most_held: int = 0
    _free: dict[bool, list[tuple[tuple[int, int], Block]]] = field(
        init=False, default_factory=lambda: {True: [], False: []}
    )

    def allocate(self, size: int) -> Block:
        """Return a block for a number of bytes, at least one."""
        size = -(-size // _ROUND) * _ROUND
        small = size <= _SMALL
        free = self._free[small]
        at = bisect_left(free, (size, -1), key=lambda entry: entry[0])
        block = free.pop(at)[1] if at < len(free) else self._segment(size, small)
        rest = block.size - size
        if rest >= _ROUND if small else rest > _SMALL:
            self._split(block, size)
        block.free = False
        self.held += block.size
        self.most_held = max(self.most_held, self.held)
        return block

    def release(self, block: Block) -> None:
        """Free a block, and join it with free neighbours."""
        self.held -= block.size
        block.free = True
        if block.before and block.before.free:
            block = self._joined(block.before, block)
        if block.after and block.after.free:
            self._joined(block, block.after, known=False)
        self._add(block)

    def _segment(self, size: int, small: bool) -> Block:  # noqa: FBT001 - names a pool
        if small:
            whole = _SMALL_SEGMENT
        elif size < _MEDIUM:
            whole = _LARGE_SEGMENT
        else:
            whole = -(-size // _ROUND_LARGE) * _ROUND_LARGE
        # Segments never touch, so that addresses only order them.
        block = Block(self.reserved, whole, small)
        self.reserved += whole
        return block

    def _split(self, block: Block, size: int) -> None:
        rest = Block(
            block.address + size, block.size - size, block.small, block, block.after, free=True
        )
        if block.after:
            block.after.before = rest
        block.size, block.after = size, rest
        self._add(rest)

    def _joined(self, one: Block, other: Block, *, known: bool = True) -> Block:
        """Return the block of two neighbours; the free one of them is known as free."""
        self._remove(one if known else other)
        one.size += other.size
        one.after = other.after
        if other.after:
            other.after.before = one
        return one

    def _add(self, block: Block) -> None:
        insort(self._free[block.small], (block.order, block), key=lambda entry: entry[0])

    def _remove(self, block: Block) -> None:
        free = self._free[block.small]
        del free[bisect_left(free, block.order, key=lambda entry: entry[0])]
