"""Loops of libraries, as the documents show them: Lightning, Transformers, stable-baselines3."""

from dataclasses import replace
from importlib import util
from itertools import islice
from pathlib import Path

import pytest
from torch import nn

from raynas.data import Loop
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import train
from raynas.tasks import Source
from raynas.training.recipe import Recipe

TASKS = Path(__file__).parents[1] / "docs" / "howto" / "tasks"
LOOPS = {
    "lightning": ("lightning_task", "LightningDigits", "val_loss"),
    "transformers": ("transformers_task", "TransformersDigits", "val_loss"),
    "stable_baselines3": ("policy_task", "CartPole", "mean_return"),
}

pytestmark = pytest.mark.filterwarnings("ignore")  # these libraries warn of much


@pytest.fixture(params=LOOPS)
def found(request):
    """Return the task, and the metric that it reports."""
    pytest.importorskip(request.param)
    file, name, metric = LOOPS[request.param]
    spec = util.spec_from_file_location(file, TASKS / f"{file}.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)(), metric


@pytest.fixture
def spec(tmp_path):
    return TrialSpec(0, {"width": 8}, epochs=4, seed=3, checkpoint=str(tmp_path / "a.pt"))


def test_a_trial_is_trained_killed_and_resumed(found, spec, tmp_path):
    task, metric = found
    data = task.load(Source(), 0)

    def build(architecture):
        (features,), width = data.brief["input_shape"], architecture["width"]
        outputs = nn.Linear(width, data.brief["outputs"])
        return nn.Sequential(nn.Linear(features, width), nn.ReLU(), outputs)

    context = TrainingContext(build, Recipe(), data, "cpu", loop=Loop(task.fit))
    whole = list(train(context, replace(spec, checkpoint=str(tmp_path / "whole.pt"))))
    assert [report.epoch for report in whole] == [1, 2, 3, 4]
    killed = list(islice(train(context, spec), 2))
    continued = list(train(context, spec))
    assert continued[:2] == killed
    assert [report.epoch for report in continued] == [1, 2, 3, 4]
    if metric == "val_loss":  # an environment does not save its state
        losses = [report.metrics[metric] for report in whole]
        assert losses == sorted(losses, reverse=True)
        resumed = [report.metrics[metric] for report in continued]
        assert resumed == pytest.approx(losses, rel=0.05)
