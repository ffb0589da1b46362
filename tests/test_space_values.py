"""What options may be: every kind comes back as it was; others are refused at once."""

import json
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

import numpy as np
import pytest
import strategies

from raynas.errors import SpaceError
from raynas.execution.ray_tune.param_space import from_config, param_space
from raynas.searchers.foreign import offered, taken, told
from raynas.space import Choice, Space
from raynas.space.codec import to_data

Pool = namedtuple("Pool", "kind side")


class Act(StrEnum):
    RELU = "relu"


class Side(IntEnum):
    SMALL = 3


class Colour(Enum):
    RED = 1


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "not the text that it is"


class Count(int):
    pass


@dataclass(frozen=True)
class Conv:
    side: int


ACCEPTED = {
    "a tuple": ((3, 5), (3, 5)),
    "nothing, text, truth and numbers": ([None, "a", True, 2, 0.5], (None, "a", True, 2, 0.5)),
    "tuples beside the text of one": (["[1, 2]", (1, 2), ()], ("[1, 2]", (1, 2), ())),
    "nested tuples": ([(1, (2, "a")), [[None]]], ((1, (2, "a")), ((None,),))),
    "numpy's numbers": (np.linspace(0, 1, 3), (0.0, 0.5, 1.0)),
    "a list of numpy's": ([np.int8(3), np.bool_(0), np.str_("a")], (3, False, "a")),
    "a generator": ((side for side in (3, 5)), (3, 5)),
    "an iterator": (map(int, "35"), (3, 5)),
    "a range": (range(2), (0, 1)),
    "the keys of a dict": ({"conv": 1, "pool": 2}.keys(), ("conv", "pool")),
    "the values of a dict": ({"conv": 1, "pool": 2}.values(), (1, 2)),
    "named tuples": ([Pool("max", 3)], (("max", 3),)),
    "text and numbers of a class of their own": ([Name("a"), Count(3)], ("a", 3)),
    "large numbers": ([2**70, -1e300], (2**70, -1e300)),
    "strange text": (["", "é\n\0", "\ud800"], ("", "é\n\0", "\ud800")),
    "names of sub-spaces": ({np.str_("a"): None, Name("b"): {}}, ("a", "b")),
}

REFUSED = {
    "a set": ({3, 5}, "write them out as a list"),
    "a frozen set": (frozenset({"a", "b"}), "whose order is the same in every process"),
    "text": ("abc", "must be a list"),
    "bytes": (b"abc", "must be a list"),
    "a text enum": (list(Act), r"Choice\(\[one.value for one in Act\]\).*Act\(architecture"),
    "a number enum": ([Side.SMALL], "got <Side.SMALL: 3>"),
    "an enum": ([Colour.RED], "must not be a member of an Enum"),
    "an enum in a tuple": ([(1, Act.RELU)], "must not be a member of an Enum"),
    "an enum as a name": ({Act.RELU: None}, "must not be a member of an Enum"),
    "a data class": ([Conv(3)], r"got Conv\(side=3\): give each option a name"),
    "a class": ([Conv], "give each option a name"),
    "a set in a list": ([{1}], "give each option a name"),
    "a complex number": ([1j], "must be text, a number"),
    "numpy's time": ([np.datetime64("2026-01-01")], "must be text, a number"),
    "an array": ([np.arange(2)], "must be text, a number"),
    "a number as a sub-space's name": ({3: None}, "must have a text as its name"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_options_are_plain_and_come_back_from_json_and_from_other_libraries(name):
    given, expected = ACCEPTED[name]
    domain = Choice(given)
    assert domain.values() == expected
    assert [*map(type, domain.values())] == [*map(type, expected)]
    space = Space({"a": domain})
    json.dumps(to_data(space.tree))
    seen = []
    for architecture in space:
        again = space.from_json(architecture.to_json())
        assert again == architecture
        assert space.identity(again) == space.identity(architecture)
        value = architecture["a"]
        seen.append(value)
        word = told(domain, value)
        assert word in offered(domain).values()
        back = taken(domain, word)
        assert (back, type(back)) == (value, type(value))
        assert from_config(space, {"a": word}) == architecture
    assert seen == [*expected]
    assert param_space(space)["a"].categories == [told(domain, value) for value in expected]


@pytest.mark.parametrize("name", REFUSED)
def test_other_options_are_refused_with_what_to_write_instead(name):
    given, says = REFUSED[name]
    with pytest.raises(SpaceError, match=says):
        Choice(given)


def test_an_iterator_can_be_read_once_only():
    sides = iter((3, 5))
    Choice(sides)
    with pytest.raises(SpaceError, match="it was read before: give a list"):
        Choice(sides)


def test_samples_of_a_generator_stay():
    space = Space({"a": Choice(side for side in (3, 5))})
    seen = {space.sample(strategies.generator(seed))["a"] for seed in range(20)}
    assert seen == {3, 5}
