"""A space and its architectures as data: JSON, tokens, vectors."""

import json
import math

import numpy as np
import pytest
import strategies
from hypothesis import assume, given

from raynas.errors import SpaceError
from raynas.space import Choice, Float, Int, Repeat, Space
from raynas.space.codec import from_data, to_data
from raynas.space.encode import axes, from_tokens, token_count, tokens, vector

SHIPPED = strategies.shipped_spaces()
SMALL = Space(
    {
        "op": Choice({"conv": {"kernel": Choice((3, 5, 7))}, "pool": None}),
        "depth": Repeat({"width": Int(1, 9)}, 0, 2),
    }
)


@given(strategies.spaces(), strategies.seeds())
def test_a_space_survives_json(space, seed):
    data = json.loads(json.dumps(to_data(space.tree)))
    back = Space(from_data(data))
    assert to_data(back.tree) == data
    assert list(back.decisions) == list(space.decisions)
    assert back.size == space.size
    drawn = space.sample(strategies.generator(seed))
    assert back.sample(strategies.generator(seed)) == drawn
    assert back.identity(drawn) == space.identity(drawn)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_survives_json(name):
    space = SHIPPED[name]
    back = Space(from_data(json.loads(json.dumps(to_data(space.tree)))))
    assert list(back.decisions) == list(space.decisions)
    assert back.size == space.size


@pytest.mark.parametrize("data", [3, "a", {"chioce": [1]}, {"int": [1], "log": False}, []])
def test_data_that_are_no_space_are_refused(data):
    with pytest.raises(SpaceError, match="no part of a space"):
        from_data(data)


@given(strategies.spaces(finite=True), strategies.seeds())
def test_tokens_bring_back_the_architecture(space, seed):
    architecture = space.sample(strategies.generator(seed))
    sequence = tokens(space, architecture)
    assert len(sequence) == len(architecture)
    for token, path in zip(sequence, architecture, strict=True):
        assert 0 <= token < token_count(space.decisions[path])
    assert from_tokens(space, sequence) == architecture


@given(strategies.spaces(finite=True))
def test_architectures_differ_in_their_tokens(space):
    assume(space.size <= 500)
    assert len({tokens(space, architecture) for architecture in space}) == space.size


@pytest.mark.parametrize(
    ("sequence", "says"),
    [
        ((0, 1), "end before depth"),
        ((1, 0, 0), "1 of 3 tokens are left over"),
        ((2, 0), r"the token of op must be in 0\.\.1, got 2"),
        ((-1, 0), r"must be in 0\.\.1, got -1"),
    ],
)
def test_sequences_that_are_no_architecture_are_refused(sequence, says):
    with pytest.raises(SpaceError, match=says):
        from_tokens(SMALL, sequence)


def test_real_numbers_have_no_tokens():
    space = Space({"a": Choice((1, 2)), "lr": Float(0, 1)})
    with pytest.raises(SpaceError, match="lr is a real number and has no tokens"):
        tokens(space, space.sample(strategies.generator(0)))
    pinned = Space({"lr": Float(0.5, 0.5)})
    assert from_tokens(pinned, (0,))["lr"] == 0.5


def test_large_numbers_cost_no_memory():
    space = Space({"n": Int(1, 2**40)})
    architecture = space.architecture({"n": 2**39})
    assert tokens(space, architecture) == (2**39 - 1,)
    assert from_tokens(space, (2**39 - 1,)) == architecture


def test_a_vector_written_by_hand():
    assert axes(SMALL) == (
        ("op", "conv"),
        ("op", "pool"),
        ("op.conv.kernel", 3),
        ("op.conv.kernel", 5),
        ("op.conv.kernel", 7),
        ("depth", None),
        ("depth.0.width", None),
        ("depth.1.width", None),
    )
    made = vector(SMALL, SMALL.architecture({"op": "pool", "depth": 1, "depth.0.width": 3}))
    assert made.values.tolist() == [0, 1, 0, 0, 0, 0.5, 0.25, 0]
    assert made.active.tolist() == [True, True, False, False, False, True, True, False]
    made = vector(SMALL, SMALL.architecture({"op": "conv", "op.conv.kernel": 5, "depth": 0}))
    assert made.values.tolist() == [1, 0, 0, 1, 0, 0, 0, 0]


@given(strategies.spaces(), strategies.seeds())
def test_vectors_mask_what_is_inactive_and_say_all_else(space, seed):
    architecture = space.sample(strategies.generator(seed))
    made = vector(space, architecture)
    assert made.values.shape == made.active.shape == (len(axes(space)),)
    assert made.values.dtype == np.float64
    assert np.all(made.values[~made.active] == 0)
    assert np.all((made.values >= 0) & (made.values <= 1))
    for (path, option), value, active in zip(axes(space), made.values, made.active, strict=True):
        assert active == (path in architecture)
        domain = space.decisions[path].domain
        if isinstance(domain, Choice):
            assert value == (active and architecture[path] == option)
        elif active:
            assert math.isclose(value, domain.unit(architecture[path]))


@given(strategies.spaces(finite=True))
def test_architectures_differ_in_their_vectors(space):
    assume(space.size <= 200)
    made = [vector(space, architecture) for architecture in space]
    seen = {(one.values.tobytes(), one.active.tobytes()) for one in made}
    assert len(seen) == space.size
