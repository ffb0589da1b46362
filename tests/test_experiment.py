"""Describing an experiment, and finding what it names; nothing trains."""

import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import raynas
from raynas.errors import ConfigError, DataError
from raynas.experiment.experiment import Experiment, experiment_from, read_config
from raynas.experiment.resolve.resolved import resolve
from raynas.space import Choice, Float, Space
from search_spaces import mlp


@pytest.fixture
def experiment(tmp_path):
    return Experiment(space="mlp", trials=3, epochs=2, output=tmp_path / "run")


# Describing


def test_what_is_left_out_has_a_default_and_what_is_given_is_read():
    given = {"trials": "7", "cpus_per_trial": 2, "output": "runs/x", "training": {"lr": 0.5}}
    experiment = experiment_from(given)
    assert (experiment.trials, experiment.cpus_per_trial) == (7, 2.0)
    assert experiment.output == Path("runs/x")
    assert replace(experiment, trials=None, cpus_per_trial=1.0, output=Path("runs/first")) == (
        Experiment(training={"lr": 0.5})
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trails": 3}, "no setting 'trails': did you mean 'trials'"),
        ({1: 2}, "no setting '1': the known names are"),
        ({"trials": "many"}, "trials must be a whole number, got 'many'"),
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": -3}, "trials must be at least 1, got -3"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": float("nan")}, "epochs must be a whole number, got nan"),
        ({"winner_epochs": 0}, "winner_epochs must be at least 1"),
        ({"max_concurrent": 0}, "max_concurrent must be at least 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"cpus_per_trial": -1}, "CPUs of a trial must be 0 or at least 0.0001, got -1"),
        ({"cpus_per_trial": 0.00001}, "CPUs of a trial must be 0 or at least 0.0001"),
        ({"cpus_per_trial": float("nan")}, "CPUs of a trial must be 0 or at least"),
        ({"gpus_per_trial": float("inf")}, "GPUs of a trial must be 0 or at least"),
        ({"gpus_per_trial": 1.5}, "more than one GPU must be a whole number, got 1.5"),
        ({"cpus_per_trial": 0, "gpus_per_trial": 0}, "needs CPUs or GPUs"),
        ({"cpus_per_trial": 0}, "needs CPUs or GPUs"),
        ({"objective": "val_loss:down"}, "ends in :min or :max, got 'val_loss:down'"),
        ({"time": "soon"}, "time must be more than 0, .* got 'soon'"),
        ({"time": -1}, "time must be more than 0, .* got -1"),
        ({"gpu_hours": -2}, "gpu_hours must be more than 0, got -2"),
        ({"gpu_hours": 1, "gpus_per_trial": 0}, "without a GPU never use up gpu_hours"),
        ({"target": "val_accuracy"}, "target must be METRIC=VALUE"),
        ({"max_failures": 0}, "max_failures must be at least 1, got 0"),
        ({"training": 3}, "training must be .*, got 3"),
        ({"space_options": None}, "space_options must be .*, got None"),
        ({"output": None}, "output must name a folder, got None"),
        ({"download": "perhaps"}, "download must be true or false, got 'perhaps'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(values, says):
    with pytest.raises(ConfigError, match=says):
        experiment_from(values)


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({}, 40),
        ({"trials": 7, "time": "2h"}, 7),
        ({"time": "2h"}, math.inf),
        ({"gpu_hours": 8}, math.inf),
        ({"target": "val_accuracy=0.9", "max_failures": 3}, 40),  # these may never be reached
    ],
)
def test_trials_are_bounded_unless_something_else_bounds_the_search(given, most):
    assert experiment_from(given).most_trials == most


@pytest.mark.parametrize(
    ("text", "metric", "direction"),
    [
        ("val_accuracy", "val_accuracy", "max"),
        ("val_loss", "val_loss", "min"),
        ("params", "params", "min"),
        ("f1:max", "f1", "max"),
        ("val_accuracy:min", "val_accuracy", "min"),
    ],
)
def test_objectives_have_a_direction(text, metric, direction):
    (objective,) = Experiment(objective=text).objectives
    assert (objective.metric, objective.direction) == (metric, direction)


def test_several_objectives_and_one_in_a_list():
    several = experiment_from({"objective": ["val_accuracy", "params:min"]})
    assert [one.metric for one in several.objectives] == ["val_accuracy", "params"]
    assert experiment_from(json.loads(json.dumps(several.described()))) == several
    assert experiment_from({"objective": ["val_loss"]}) == Experiment(objective="val_loss")
    with pytest.raises(ConfigError, match="one or more metrics"):
        Experiment(objective=())


def test_a_file_holds_the_same_fields(tmp_path):
    given = Experiment(space="mlp", training={"lr": 0.5}, trials=3, gpus_per_trial=0.5)
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(given.described()))
    assert set(read_config(path)) == {item.name for item in fields(Experiment)}
    assert experiment_from(read_config(path)) == given


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"space: [", "not valid YAML"),
        (b"\xff\xfe\xfd", "text in UTF-8"),
        (b"space: \x01", "not valid YAML"),
        (b"- space", "must hold settings"),
        (b"", "must hold settings"),
        (b"mlp", "must hold settings"),
        (b"!!python/object:os.system {}", "not valid YAML"),
    ],
)
def test_a_file_that_holds_no_settings_says_so(tmp_path, content, says):
    (tmp_path / "search.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"search.yaml.* {says}"):
        read_config(tmp_path / "search.yaml")


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_says_so(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / name)


# Looking up


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"training": {"momentun": 1}}, "did you mean 'momentum'"),
        ({"training": {"lr": float("nan")}}, "lr of the training recipe must be a finite number"),
        ({"training": {"lr": -1.0}}, "lr"),
        ({"scheduler_options": {"grace_epochs": 5}}, "grace_epochs <= epochs"),
        ({"space_options": {"depth": 5}}, "no option of the space 'depth'"),
        ({"task_options": {"valid": 2.0}}, "valid|fraction"),
    ],
)
def test_what_does_not_fit_is_found_before_anything_starts(experiment, settings, says):
    with pytest.raises((ConfigError, DataError), match=says):
        raynas.run(replace(experiment, **settings))
    assert not experiment.output.exists()


def test_a_space_may_only_decide_training_that_there_is(experiment):
    @dataclass(frozen=True)
    class Own:
        SPACE: Space
        build = staticmethod(mlp.build)

    known = Own(Space({**mlp.SPACE.tree, "training": {"lr": Float(0.01, 1.0, log=True)}}))
    assert resolve(replace(experiment, space=known)).space.space is known.SPACE
    unknown = Own(Space({**mlp.SPACE.tree, "training": {"learning_rate": Choice([0.1])}}))
    with pytest.raises(ConfigError, match="'learning_rate'"):
        resolve(replace(experiment, space=unknown))


def test_numbers_of_numpy_are_pythons():
    given = Experiment(
        epochs=np.int64(3),
        seed=np.uint8(2),
        gpus_per_trial=np.float32(0.5),
        task_options={"size": np.int32(8), "both": [np.float32(0.25), [np.bool_(1)]]},
    )
    plain = Experiment(
        epochs=3, seed=2, gpus_per_trial=0.5, task_options={"size": 8, "both": [0.25, [True]]}
    )
    assert given == plain
    assert given.described() == plain.described()
