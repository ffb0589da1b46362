"""Values as people write them are read as the values of the space that they mean."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import SpaceError
from raynas.experiment.resolve.starting_points import starting_points
from raynas.space import Choice, Float, Int, Space, with_priors
from raynas.space.written import meant

TENTHS = Choice(np.arange(-1, 1, 0.1))  # of which one is -2.2e-16
SINGLE = Choice(np.linspace(0, 1, 11, dtype=np.float32))

MEANT = {
    "rounded": (TENTHS, 0.3, TENTHS.values()[13]),
    "nearly nothing": (TENTHS, 0, TENTHS.values()[10]),
    "half as exact": (SINGLE, 0.3, float(np.float32(0.3))),
    "a whole number for a real one": (Choice([0.5, 1.0]), 1, 1.0),
    "a real number for a whole one": (Choice([1, 2]), 2.0, 2),
    "in a tuple": (Choice([(0.1 + 0.2, 1), (1, 1)]), [0.3, 1.0], (0.1 + 0.2, 1)),
    "a bound": (Float(0.1, 0.3), 0.1 + 0.2, 0.3),
    "a whole number within bounds": (Float(0, 5), 1, 1.0),
    "a real number within bounds": (Int(1, 8), 8.0, 8),
}
NOT_MEANT = {
    "another number": (TENTHS, 0.35),
    "of another size": (Choice([1e-10, 1e-8]), 1e-9),
    "truth": (Choice([0, 1]), True),
    "a number for truth": (Choice([False, True]), 1),
    "text": (Choice([1, 2]), "1"),
    "none": (Choice([0, 1]), None),
    "outside": (Float(0.1, 0.3), 0.31),
    "part of a number": (Int(1, 8), 2.5),
    "truth in bounds": (Int(0, 8), True),
    "no number": (Float(0, 1), math.nan),
    "more than a real number holds": (Float(0, 1), 10**400),
    "a shorter tuple": (Choice([(1, 2), (1, 3)]), (1,)),
    "between two": (Choice([1.0, 1.0 + 1e-9]), 1.0 + 5e-10),
}


@pytest.mark.parametrize("case", MEANT)
def test_what_is_meant(case):
    domain, written, expected = MEANT[case]
    found = Space({"x": domain}).architecture({"x": written})["x"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("case", NOT_MEANT)
def test_what_is_not_meant_is_refused(case):
    domain, written = NOT_MEANT[case]
    with pytest.raises(SpaceError, match="x must be"):
        Space({"x": domain}).architecture({"x": written})


@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.integers(-9, 9)), min_size=1, unique=True))
def test_an_option_means_itself_also_beside_near_ones_and_after_json(options):
    choice = Choice(options)
    for option in choice.values():
        again = json.loads(json.dumps(option))
        assert (meant(choice, again), type(meant(choice, again))) == (option, type(option))


def test_rounded_numbers_of_a_file_are_architectures_to_start_from(tmp_path):
    space = Space({"rate": TENTHS, "width": Int(1, 9)})
    (tmp_path / "start.json").write_text('[{"rate": 0.3, "width": 3.0}, {"rate": 0, "width": 1}]')
    found = starting_points(tmp_path / "start.json", space)
    assert [dict(one) for one in found] == [
        {"rate": TENTHS.values()[13], "width": 3},
        {"rate": TENTHS.values()[10], "width": 1},
    ]


@pytest.mark.parametrize("name", [0.3, "0.3", np.float64(0.3), str(TENTHS.values()[13])])
def test_a_prior_names_an_option_as_people_write_it(name):
    space = with_priors(Space({"rate": TENTHS}), {"rate": {name: 3}})
    assert space.tree["rate"].weights[13] == 3
    assert sum(space.tree["rate"].weights) == TENTHS.count + 2
