"""The small cells of NAS-Bench-201: which there are, and that they are the same networks there."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from raynas.experiment.resolve.references import find_space
from raynas.rng import seed_weights
from search_spaces import nasbench201
from search_spaces.nasbench201 import small

IMAGES = torch.randn((3, 1, 8, 8), generator=torch.Generator().manual_seed(0))


def test_every_cell_is_one_of_the_full_space_with_the_same_equivalents():
    cells = list(small.SPACE)
    assert len(cells) == small.SPACE.size == 729
    for cell in cells:
        again = nasbench201.SPACE.architecture(cell)
        assert nasbench201.prune(again) == again
        assert nasbench201.SPACE.identity(again) == small.SPACE.identity(cell)
    assert len({small.SPACE.identity(cell) for cell in cells}) == 496


@pytest.mark.parametrize("seed", range(3))
def test_a_network_is_that_of_the_full_space(seed):
    cell = small.SPACE.sample(np.random.default_rng(seed))
    seed_weights(seed)
    mine = small.build(cell, (1, 8, 8), 10, channels=3, cells=2)
    seed_weights(seed)
    theirs = nasbench201.build(cell, (1, 8, 8), 10, channels=3, cells=2)
    assert torch.equal(mine(IMAGES), theirs(IMAGES))


def test_the_space_is_found_by_its_name_without_torch():
    assert find_space("search_spaces.nasbench201.small", {"cells": 1}).space is small.SPACE
    code = "import sys, search_spaces.nasbench201.small; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
