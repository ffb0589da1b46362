"""What this machine cannot hold is refused before anything starts; nothing trains."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import raynas
from raynas.errors import ConfigError, RaynasError, ResourceError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve import machine
from raynas.experiment.resolve.resolved import resolve
from raynas.space import Choice, Space
from search_spaces import mlp


@dataclass(frozen=True)
class Asking:
    """Perceptrons that ask for something."""

    resources: Any
    SPACE: Space = field(default=Space({**mlp.SPACE.tree, "large": Choice([False, True])}))
    build = staticmethod(mlp.build)


@pytest.fixture
def experiment(tmp_path):
    return Experiment(space="mlp", trials=3, epochs=2, output=tmp_path / "run")


@pytest.fixture
def has(monkeypatch):
    """Say what this machine has, and that no cluster is named."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def set_up(cpus, gpus):
        monkeypatch.setattr(machine.os, "cpu_count", lambda: cpus)
        monkeypatch.setattr(machine, "gpus_here", lambda: gpus)

    set_up(2, 0)
    return set_up


REFUSED = {
    "cpus": (
        {"cpus_per_trial": 3},
        (2, 0),
        "asks for 3 CPUs and 0 GPUs, and this machine has 2 C",
    ),
    "gpus": ({"gpus_per_trial": 0.5}, (2, 0), "GPUs are asked for .* there is none here"),
    "auto": ({"gpus_per_trial": "auto"}, (2, 0), "GPUs are asked for .* there is none here"),
    "gpu_hours": ({"gpu_hours": 8}, (2, 0), "GPUs are asked for .* there is none here"),
    "many gpus": ({"gpus_per_trial": 2}, (2, 1), "asks for 1 CPUs and 2 GPUs, and this machine"),
    "space's gpus": (
        {"space": Asking(lambda _: {"gpus": 0.5})},
        (2, 0),
        "the space's resources ask for 1 CPUs and 0.5 GPUs .* there is no GPU here",
    ),
    "some gpus": (
        {"space": Asking(lambda one: {"gpus": 0.5 if one["large"] else 0})},
        (2, 0),
        "the space's resources ask for 1 CPUs and 0.5 GPUs .* there is no GPU here",
    ),
    "space's cpus": (
        {"space": Asking(lambda _: {"cpus": 5})},
        (2, 1),
        "the space's resources ask for 5 CPUs and 0 GPUs .* this machine has 2 CPUs",
    ),
}


@pytest.mark.parametrize(("settings", "there", "says"), REFUSED.values(), ids=REFUSED)
def test_what_can_never_run_here_is_refused_in_a_sentence(experiment, has, settings, there, says):
    has(*there)
    asked = replace(experiment, **settings)
    with pytest.raises(ResourceError, match=says) as refused:
        raynas.run(asked)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, RaynasError)
    assert not experiment.output.exists()
    elsewhere = replace(asked, address="10.0.0.1:6379")  # which may have what is not here
    machine.check_machine(elsewhere, resolve(elsewhere).space)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({"cpus_per_trial": 2}, (2, 0)),
        ({"gpus_per_trial": 0.5, "gpu_hours": 1}, (2, 1)),
        ({"gpus_per_trial": "auto"}, (2, 1)),
        ({"gpus_per_trial": 0}, (2, 0)),
        ({"space": Asking(lambda _: {"gpus": 0.5})}, (2, 1)),
        ({"space": Asking(lambda one: {"cpus": 5 if one["large"] else 1})}, (2, 0)),
    ],
)
def test_what_can_run_here_is_let_through(experiment, has, settings, there):
    has(*there)
    asked = replace(experiment, **settings)
    machine.check_machine(asked, resolve(asked).space)


def test_resources_that_raise_are_refused(experiment, has):
    def resources(architecture):
        raise LookupError(architecture["no such"])

    has(2, 0)
    with pytest.raises(ConfigError, match="the space's resources"):
        raynas.run(replace(experiment, space=Asking(resources)))


@pytest.mark.parametrize("setting", [{"objective": "peak_memory"}, {"target": "peak_memory=1e9"}])
def test_memory_is_an_objective_where_trials_have_a_gpu(experiment, has, setting):
    asked = replace(experiment, **setting)
    with pytest.raises(ConfigError, match=r"(objective|target): peak_memory is measured on GPUs"):
        resolve(asked)
    resolve(replace(asked, address="auto"))
    has(2, 1)
    resolve(asked)
    with pytest.raises(ConfigError, match="peak_memory is measured on GPUs"):
        resolve(replace(asked, gpus_per_trial=0))


def test_a_metric_like_it_is_found(experiment, has):
    has(2, 0)
    with pytest.raises(ConfigError, match="did you mean 'peak_memory'"):
        resolve(replace(experiment, objective="peak_memry"))
