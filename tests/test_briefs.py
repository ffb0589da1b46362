"""What ``build`` is given of a task's brief, and what is refused before anything starts."""

from functools import partial

import numpy as np
import pytest

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.experiment.resolve.briefs import builder
from raynas.goals import MultiLabel
from raynas.space import Architecture

ONE = Architecture({"n": 1})
OFFERED = {"input_shape": (3, 8, 8), "classes": 10, "outputs": 10, "vocabulary": 99}
BOTH = ((3, 8, 8), 10)


class Network:
    """A class that is used as ``build``."""

    def __init__(self, architecture, outputs):
        self.given = (architecture, outputs)


class Called:
    """An object whose methods are used as ``build``."""

    def method(self, architecture, input_shape):
        return architecture, input_shape

    def __call__(self, architecture, vocabulary):
        return architecture, vocabulary


def keyword_only(architecture, *, vocabulary, input_shape, depth=3):
    return architecture, vocabulary, input_shape, depth


def by_name(architecture, outputs, input_shape):
    return architecture, outputs, input_shape


def with_default(architecture, vocabulary=5, layers=2):
    return architecture, vocabulary, layers


def all_by_name(architecture, input_shape, **rest):
    return architecture, input_shape, rest


def alone(architecture):
    return (architecture,)


BY_NAME = {
    "keyword only": (keyword_only, (99, (3, 8, 8), 3)),
    "in another order": (by_name, (10, (3, 8, 8))),
    "a default, if the task offers none": (with_default, (99, 2)),
    "no more than is named": (all_by_name, ((3, 8, 8), {})),
    "nothing": (alone, ()),
    "a method": (Called().method, ((3, 8, 8),)),
    "an object": (Called(), (99,)),
    "a part of a function": (partial(keyword_only, depth=7), (99, (3, 8, 8), 7)),
    "a part by position": (lambda a, classes, /: (a, classes), (10,)),
    "a lambda": (lambda architecture, classes: (architecture, classes), (10,)),
}


@pytest.mark.parametrize(("build", "given"), BY_NAME.values(), ids=BY_NAME)
def test_build_gets_what_it_names(build, given):
    assert builder(build, {}, OFFERED)(ONE) == (ONE, *given)


def test_a_class_can_be_build():
    assert builder(Network, {}, OFFERED)(ONE).given == (ONE, 10)


def old(architecture, input_shape, classes, depth=1):
    return architecture, input_shape, classes, depth


BY_POSITION = {
    "names of its own": (lambda a, shape, number: (a, shape, number), BOTH),
    "one name of its own": (lambda a, input_shape, number: (a, input_shape, number), BOTH),
    "unnamed": (lambda a, _, __: (a, _, __), BOTH),
    "a star": (lambda a, *given: (a, *given), BOTH),
    "only a star": (lambda *given: given, BOTH),
    "a star and names": (lambda a, *_, **more: (a, *_, more), (*BOTH, {})),
    "position only": (lambda a, b, c, /: (a, b, c), BOTH),
    "the names of old": (old, (*BOTH, 1)),
}


@pytest.mark.parametrize(("build", "given"), BY_POSITION.values(), ids=BY_POSITION)
def test_a_build_with_names_of_its_own_gets_shape_and_classes_by_position(build, given):
    assert builder(build, {}, OFFERED)(ONE) == (ONE, *given)


def test_the_options_of_the_user_win():
    assert builder(keyword_only, {"vocabulary": 7, "depth": 1}, OFFERED)(ONE)[1:] == (
        7,
        (3, 8, 8),
        1,
    )
    assert builder(old, {"classes": 3, "depth": 2}, OFFERED)(ONE)[1:] == ((3, 8, 8), 3, 2)
    assert builder(lambda a, b, c, *, d: (a, b, c, d), {"d": 4}, OFFERED)(ONE)[1:] == (*BOTH, 4)
    assert builder(all_by_name, {"depth": 2}, OFFERED)(ONE)[1:] == ((3, 8, 8), {"depth": 2})
    assert builder(with_default, {"vocabulary": 1}, {})(ONE)[1:] == (1, 2)


REFUSED = {
    "keyword only": (keyword_only, "vocabulary"),
    "one of several": (lambda architecture, vocabulary, outputs: 0, "vocabulary"),  # noqa: ARG005
    "after the old ones": (
        lambda architecture, input_shape, classes, actions: 0,  # noqa: ARG005
        "actions",
    ),
}


@pytest.mark.parametrize(("build", "lacks"), REFUSED.values(), ids=REFUSED)
def test_what_the_task_does_not_offer_is_refused_with_both_lists(build, lacks):
    offered = {"input_shape": (4,), "classes": 2, "outputs": 2}
    with pytest.raises(
        ConfigError,
        match=rf"the space needs {lacks}, which the task does not offer: its build asks for "
        rf".*{lacks}.*, and the task offers input_shape, classes, outputs$",
    ):
        builder(build, {}, offered)


def test_names_of_its_own_need_a_task_of_classes():
    offered = {"input_shape": (4,), "outputs": 1}
    with pytest.raises(
        ConfigError, match=r"the space needs shape, number, .* input_shape, outputs"
    ):
        builder(lambda a, shape, number: 0, {}, offered)  # noqa: ARG005


# What a task offers


def test_a_brief_has_the_shape_of_the_inputs_and_what_goal_and_task_say():
    inputs = {"image": np.zeros((4, 1, 8, 8), np.uint8), "text": np.zeros((4, 5), np.int64)}
    part = Split(inputs, np.eye(4, 3, dtype=np.float32))
    data = Data(part, part, part, goal=MultiLabel(), brief={"vocabulary": 9})
    shapes = {"image": (1, 8, 8), "text": (5,)}
    assert data.told == {"input_shape": shapes, "outputs": 3, "vocabulary": 9}
    assert data.input_shape == shapes
    with pytest.raises(DataError, match="have no classes: they offer input_shape, outputs, vocab"):
        _ = data.classes
    assert builder(keyword_only, {}, data.told)(ONE)[1:] == (9, shapes, 3)


def test_the_brief_of_a_task_wins():
    part = Split(np.zeros((4, 5), np.float32), np.arange(4) % 2)
    data = Data(part, part, part, brief={"input_shape": (1, 5), "outputs": 1})
    assert data.told == {"input_shape": (1, 5), "classes": 2, "outputs": 1}
