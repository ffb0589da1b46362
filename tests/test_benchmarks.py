"""What the benchmarks measure with."""

import numpy as np
import pytest
from early_stopping import Divided
from hypothesis import given
from hypothesis import strategies as st
from objectives import area
from two_losses import hypervolume

from raynas.tasks import Source
from raynas.tasks.digits import Digits


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=1, max_size=8))
def test_the_area_under_a_front_is_that_of_its_losses(points):
    accuracy, cost = np.array(points).T
    losses = [(1 - a / 6, c / 6) for a, c in points]
    assert area(accuracy, cost, worst=(0, 6)) == pytest.approx(36 * hypervolume(losses))


def test_arms_that_differ_in_the_seed_are_judged_on_the_same_images():
    """A bar that was reached on other images is a harder or an easier one."""
    bar, arm = (Divided(3).load(Source(), seed) for seed in (3, 1003))
    assert bar.valid.digest == arm.valid.digest == Digits().load(Source(), 3).valid.digest
    assert bar.valid.digest != Divided(4).load(Source(), 3).valid.digest
