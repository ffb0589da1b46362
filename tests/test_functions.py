"""The functions of numbers that searchers are compared by: their published optima."""

import numpy as np
import pytest
from functions import Branin, Hartmann
from hypothesis import given
from hypothesis import strategies as st
from strategies import generator

from raynas.tables import Table

TABLES = {
    Branin: [{"x": x, "y": y} for x, y in ((-np.pi, 12.275), (np.pi, 2.275), (9.42478, 2.475))],
    Hartmann: [
        {
            f"x{axis}": value
            for axis, value in enumerate((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573))
        }
    ],
}


@pytest.mark.parametrize("function", TABLES)
def test_the_best_is_where_it_was_published(function):
    table = function()
    assert isinstance(table, Table)
    for point in TABLES[function]:
        assert table.height(table.space.architecture(point)) == pytest.approx(table.best, abs=1e-4)


@given(st.integers(0, 2**32))
def test_nothing_is_better(seed):
    for table in (Branin(), Hartmann()):
        assert table.height(table.space.sample(generator(seed))) <= table.best + 1e-4
