"""A space and its architectures as data: JSON, vectors."""

import json
import math

import numpy as np
import pytest
import strategies
from hypothesis import assume, given

from raynas.errors import SpaceError
from raynas.space import Choice, Int, Repeat, Space
from raynas.space.codec import from_data, to_data
from raynas.space.encode import axes, vector

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
    with pytest.raises(SpaceError, match="the description of a space must be"):
        from_data(data)


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
