"""What would make every trial fail is found before the first one, without Ray."""

import pytest
from ray_runs import PATIENCE

from raynas.errors import SpaceError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.run import quick_check as module
from raynas.experiment.run.quick_check import quick_check
from raynas.trial import History

SPACE = """
from torch import nn
from raynas import Choice, Space

SPACE = Space({{"width": Choice([1, 2, 3])}})


def build(architecture, input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear({inputs}, {outputs}))
"""


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A search does not wait long for the check; a test waits for what it finds."""
    monkeypatch.setattr(module, "_PATIENCE", PATIENCE)


def looked(**settings):
    experiment = Experiment(**settings)
    with quick_check(experiment, resolve(experiment), History()) as check:
        check()


def test_options_with_which_nothing_can_be_built_are_refused():
    settings = {"space": "nasbench201", "space_options": {"channels": -4}}
    says = "none of 100 sampled architectures can be trained: sizes must be at least 1: "
    with pytest.raises(SpaceError, match=says):
        looked(**settings)
    looked(**settings, max_failures=3)  # whoever says how many may fail gets them


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        (65, 10, "mat1 and mat2 shapes cannot be multiplied"),
        (64, 3, "a network must return one logit per class for every example"),
        (64, 10, ""),
    ],
)
def test_networks_of_ones_own_are_built_and_trained(tmp_path, inputs, outputs, says):
    (tmp_path / "space.py").write_text(SPACE.format(inputs=inputs, outputs=outputs))
    settings = {"space": str(tmp_path / "space.py"), "gpus_per_trial": 0}
    if says:
        with pytest.raises(SpaceError, match=says):
            looked(**settings)
    else:
        looked(**settings)
