"""The model of torch's allocator against sizes that its source and its manual state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.costs.allocator import CachingAllocator

KIB, MIB = 2**10, 2**20


@pytest.mark.parametrize(
    ("size", "held", "reserved"),
    [
        (1, 512, 2 * MIB),
        (513, 1024, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB, 10 * MIB),
        (10 * MIB + 1, 10 * MIB + 512, 12 * MIB),
        (33 * MIB, 34 * MIB, 34 * MIB),  # a rest of at most 1 MiB stays in the block
    ],
)
def test_the_first_request_of_a_size(size, held, reserved):
    allocator = CachingAllocator()
    allocator.allocate(size)
    assert (allocator.held, allocator.reserved) == (held, reserved)


def test_requests_share_segments():
    allocator = CachingAllocator()
    for _ in range(4096):
        allocator.allocate(512)
    assert allocator.reserved == 2 * MIB
    for _ in range(10):
        allocator.allocate(2 * MIB)
    assert allocator.reserved == allocator.held == 22 * MIB
    allocator.allocate(512)
    assert allocator.reserved == 24 * MIB


def test_small_requests_do_not_use_large_segments():
    allocator = CachingAllocator()
    allocator.release(allocator.allocate(64 * MIB))
    allocator.allocate(512 * KIB)
    assert allocator.reserved == 66 * MIB


def test_the_smallest_block_that_is_enough_is_used():
    allocator = CachingAllocator()
    large, small = allocator.allocate(100 * MIB), allocator.allocate(40 * MIB)
    allocator.release(large)
    allocator.release(small)
    again = allocator.allocate(30 * MIB)
    assert again is small
    assert allocator.allocate(100 * MIB) is large
    assert allocator.reserved == 140 * MIB


def test_neighbours_become_one_block_and_segments_do_not():
    allocator = CachingAllocator()
    parts = [allocator.allocate(2 * MIB) for _ in range(20)]  # two segments
    for part in parts[1::2] + parts[::2]:
        allocator.release(part)
    allocator.allocate(9 * MIB)
    allocator.allocate(9 * MIB)
    assert allocator.reserved == 40 * MIB
    allocator.allocate(18 * MIB)
    assert allocator.reserved == 40 * MIB
    allocator.allocate(3 * MIB)  # 2 MiB are left in each segment
    assert allocator.reserved == 60 * MIB


sizes = st.one_of(st.integers(1, 4 * KIB), st.integers(1, 3 * MIB), st.integers(1, 64 * MIB))


@given(st.lists(sizes | st.none(), max_size=60), st.data())
def test_blocks_do_not_overlap_and_are_found_again(requests, data):
    allocator, live = CachingAllocator(), []
    for size in requests:
        if size is not None:
            live.append(allocator.allocate(size))
            assert live[-1].size >= size
        elif live:
            allocator.release(live.pop(data.draw(st.integers(0, len(live) - 1))))
        ordered = sorted(live, key=lambda block: block.address)
        ends = [block.address + block.size for block in ordered]
        assert all(end <= after.address for end, after in zip(ends, ordered[1:], strict=False))
        assert sum(block.size for block in live) == allocator.held <= allocator.reserved
    for block in live:
        allocator.release(block)
    assert allocator.held == 0
    before, wanted = allocator.reserved, [size for size in requests if size][:1]
    for size in wanted:
        allocator.allocate(size)
    assert allocator.reserved == before  # all of it is whole segments again
