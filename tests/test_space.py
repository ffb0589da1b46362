"""What a space is: how it is written, what it refuses, what it says about itself."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import strategies
from hypothesis import given

from raynas.errors import SpaceError
from raynas.space import Architecture, Choice, Float, Int, Repeat, Space

CONDITIONAL = Space(
    {
        "op": Choice(
            {"conv": {"kernel": Choice((3, 5)), "bias": Choice((True, False))}, "id": None}
        ),
        "stage": Repeat(
            {"width": Choice((16, 32)), "block": Repeat(Choice(("a", "b")), 0, 1)}, 1, 2
        ),
        "training": {"lr": Float(1e-3, 1.0, log=True)},
    }
)


def test_paths_name_every_level():
    assert list(CONDITIONAL.decisions) == [
        "op",
        "op.conv.kernel",
        "op.conv.bias",
        "stage",
        "stage.0.width",
        "stage.0.block",
        "stage.0.block.0",
        "stage.1.width",
        "stage.1.block",
        "stage.1.block.0",
        "training.lr",
    ]


def test_decisions_know_what_makes_them_active():
    decisions = CONDITIONAL.decisions
    assert decisions["op"].parent is None
    assert (decisions["op.conv.bias"].parent, decisions["op.conv.bias"].when) == ("op", {"conv"})
    assert decisions["stage.0.width"].when == {1, 2}
    assert decisions["stage.1.width"].when == {2}
    assert decisions["stage.1.block.0"].parent == "stage.1.block"
    assert Space({"a": Repeat(Int(0, 1), 2, 3)}).decisions["a.0"].when == {2, 3}


@given(strategies.spaces(), strategies.seeds())
def test_parent_and_when_agree_with_the_walk(space, seed):
    architecture = space.sample(strategies.generator(seed))
    for path, decision in space.decisions.items():
        parent = decision.parent
        active = parent is None or (
            parent in architecture and architecture[parent] in decision.when
        )
        assert active == (path in architecture)


@pytest.mark.parametrize(
    ("tree", "size"),
    [
        ({"a": Choice((1, 2, 3)), "b": Int(-1, 2)}, 12),
        ({"a": Choice({"x": {"k": Int(1, 4), "w": Choice((1, 2))}, "y": None, "z": {}})}, 10),
        ({"a": Repeat(Choice((1, 2, 3)), 0, 3)}, 1 + 3 + 9 + 27),
        ({"a": Repeat({"b": Repeat(Choice((1, 2)), 1, 2)}, 2, 2)}, 36),
        ({"a": Choice({"x": Float(0, 1), "y": Float(1, 1)})}, math.inf),
        ({"a": Repeat(Choice(range(10)), 400, 400)}, 10**400),
        ({"a": Repeat(Choice(range(10)), 400, 400), "b": Float(0, 1)}, math.inf),
        ({"a": Choice({"x": Float(0, 1), "y": Repeat(Choice(range(10)), 400, 400)})}, math.inf),
    ],
)
def test_size_counted_by_hand(tree, size):
    assert Space(tree).size == size


@given(strategies.spaces(finite=True).filter(lambda space: space.size <= 2000))
def test_size_is_the_number_of_different_architectures(space):
    every = list(space)
    assert len(every) == len(set(every)) == space.size
    for architecture in every:
        assert space.architecture(architecture) == architecture


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda: Choice(()), "at least one option"),
        (lambda: Choice({}), "at least one option"),
        (lambda: Choice((1, True)), "must differ"),
        (lambda: Choice(("a", "a")), "must differ"),
        (lambda: Choice(({"a": 1}.keys(), 3)), "give a sub-space a name"),
        (lambda: Choice((math.nan, 1.0)), "finite"),
        (lambda: Int(1, 9, step=0), "step >= 1 must hold"),
        (lambda: Int(1, 9, step=1.5), "must be whole numbers"),
        (lambda: Int(1, 9, log=True, step=2), "a log scale has no steps"),
        (lambda: Choice("abc"), "list"),
        (lambda: Choice((1, 2), (1.0,)), "one weight per option"),
        (lambda: Choice((1, 2), (1.0, 0.0)), "above zero"),
        (lambda: Choice((1, 2), (1.0, math.nan)), "above zero"),
        (lambda: Int(2, 1), "low <= high"),
        (lambda: Int(0.5, 1), "whole numbers"),
        (lambda: Int(low=True, high=3), "whole numbers"),
        (lambda: Int(0, 2**70), "63 bits"),
        (lambda: Int(0, 3, log=True), "low > 0"),
        (lambda: Float(0, math.inf), "finite"),
        (lambda: Float("0", "1"), "numbers"),
        (lambda: Float(-1e308, 1e308), "finite"),
        (lambda: Float(0, 1, log=True), "low > 0"),
        (lambda: Repeat(Choice((1, 2)), 2, 1), "0 <= low <= high"),
        (lambda: Repeat(Choice((1, 2)), -1, 1), "0 <= low <= high"),
        (lambda: Repeat(Choice((1, 2)), 1.0, 2), "whole numbers"),
        (lambda: Space({}), "at least one decision"),
        (lambda: Space({"a": {}}), "at least one decision"),
        (lambda: Space(Choice((1, 2))), "must be a dict"),
        (lambda: Space({"a.b": Choice((1, 2))}), "without dots"),
        (lambda: Space({"a b": Choice((1, 2))}), "without dots"),
        (lambda: Space({1: Choice((1, 2))}), "must be text"),
        (lambda: Space({"a": Choice({"x.y": Choice((1, 2))})}), "without dots"),
        (lambda: Space({"a": (1, 2)}), "a must be a Choice, Int, Float, Repeat or dict"),
        (lambda: Space({"a": {"b": Choice({"x": 3})}}), r"a\.b\.x must be a Choice"),
    ],
)
def test_what_is_no_space_is_refused_at_once(write, says):
    with pytest.raises(SpaceError, match=says):
        write()


def test_what_is_written_can_change_no_more():
    options = {"x": None}
    space = Space({"a": Choice(options)})
    options["y"] = Choice((1, 2))
    assert space.size == 1
    assert space.tree["a"].values() == ("x",)


VALID = {
    "op": "conv",
    "op.conv.kernel": 3,
    "op.conv.bias": True,
    "stage": 1,
    "stage.0.width": 16,
    "stage.0.block": 0,
    "training.lr": 0.1,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"op": "pool"}, r"op must be one of 'conv', 'id', got 'pool'"),
        ({"op.conv.kernel": 3.5}, r"op.conv.kernel must be one of 3, 5, got 3.5"),
        ({"op.conv.bias": 1}, "op.conv.bias must be one of True, False, got 1"),
        ({"op.conv.bias": None}, "op.conv.bias must be"),
        ({"op.conv.kernel": [3]}, "op.conv.kernel must be"),
        ({"stage": 3}, "stage must be in Int"),
        ({"stage": True}, "stage must be in Int"),
        ({"training.lr": 2.0}, "training.lr must be in Float"),
        ({"training.lr": math.nan}, "training.lr must be in Float"),
        ({"training.lr": "0.1"}, "training.lr must be in Float"),
        ({"stage.1.width": 16}, "'stage.1.width' is not active"),
        ({"stage.0.wdith": 16}, "did you mean 'stage.0.width'"),
    ],
)
def test_what_is_no_architecture_is_refused(change, says):
    with pytest.raises(SpaceError, match=says):
        CONDITIONAL.architecture(VALID | change)


def test_a_missing_decision_is_named():
    assert dict(CONDITIONAL.architecture(VALID)) == VALID
    for path in VALID:
        with pytest.raises(SpaceError, match=f"must have a value for '{path}'|is not active"):
            CONDITIONAL.architecture({key: VALID[key] for key in VALID if key != path})


@pytest.mark.parametrize("text", ["", "[]", "3", '{"op": ', '{"op": "pool"}'])
def test_unreadable_json_is_refused(text):
    with pytest.raises(SpaceError):
        CONDITIONAL.from_json(text)


def test_an_architecture_is_a_value():
    architecture = CONDITIONAL.architecture(VALID)
    turned = CONDITIONAL.architecture(dict(reversed(VALID.items())))
    assert turned == architecture
    assert hash(turned) == hash(architecture)
    assert list(turned) == list(architecture), "decisions stand in walking order"
    assert architecture != VALID
    assert dict(architecture.under("op.conv")) == {"kernel": 3, "bias": True}
    assert dict(architecture.under("op.con")) == {}
    assert architecture == Architecture(VALID)


def test_deciding_loads_neither_torch_nor_ray_nor_optuna():
    code = (
        "import sys, raynas.space, raynas.trial, raynas.searchers, raynas.schedulers;"
        "print({'torch', 'ray', 'optuna', 'pandas', 'sklearn'} & sys.modules.keys())"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "set()"


def test_numpy_scalars_and_lists_are_plain_values():
    choice = Choice([np.int64(3), np.float32(0.5), np.bool_(1), [8, 16], (np.int32(2), "a")])
    assert choice.values() == (3, 0.5, True, (8, 16), (2, "a"))
    assert [type(value) for value in choice.values()[:3]] == [int, float, bool]
    assert Int(np.int64(1), np.int32(9)) == Int(1, 9)
    assert Choice(2**i for i in range(3)).values() == (1, 2, 4)
    with pytest.raises(SpaceError, match="a list, a tuple or a dict"):
        Choice({1, 2})
    with pytest.raises(SpaceError, match="a tuple of these"):
        Choice([(1, object())])


def test_tuples_come_back_from_json():
    space = Space({"widths": Choice([(8, 16), (16, (32, 64))])})
    for architecture in space:
        assert space.from_json(architecture.to_json()) == architecture
        assert Architecture.from_data(json.loads(architecture.to_json())) == architecture
