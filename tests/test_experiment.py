"""Describing an experiment, and refusing what does not belong into its folder; nothing trains."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import raynas
from raynas import journal
from raynas.errors import ConfigError, DataError, JournalError
from raynas.experiment.experiment import Experiment, experiment_from, read_config
from raynas.experiment.folder import checkpoint, open_run
from raynas.experiment.parts import look_up
from raynas.experiment.run import recorded
from raynas.journal import Journal
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Float, Space
from raynas.tasks.digits import Digits
from raynas.trial import Failed, Finished, Report, Started
from search_spaces import mlp


@pytest.fixture
def experiment(tmp_path):
    return Experiment(space="mlp", trials=3, epochs=2, output=tmp_path / "run")


def opened(experiment):
    writer = Journal(experiment.output)
    try:
        return open_run(experiment, look_up(experiment), writer)
    finally:
        writer.close()


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wrote(experiment, *events):
    writer = Journal(experiment.output)
    for event in events:
        writer.append(event)
    writer.close()


def start(number, epochs=2):
    architecture = mlp.SPACE.sample(np.random.default_rng(number))
    return Started(number, architecture, mlp.SPACE.identity(architecture), epochs, seed=number)


# Describing


def test_what_is_left_out_has_a_default_and_what_is_given_is_read():
    given = {"trials": "7", "cpus_per_trial": 2, "output": "runs/x", "training": {"lr": 0.5}}
    experiment = experiment_from(given)
    assert (experiment.trials, experiment.cpus_per_trial) == (7, 2.0)
    assert experiment.output == Path("runs/x")
    assert replace(experiment, trials=40, cpus_per_trial=1.0, output=Path("runs/first")) == (
        Experiment(training={"lr": 0.5})
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trails": 3}, "no setting 'trails': did you mean 'trials'"),
        ({1: 2}, "no setting '1': known are"),
        ({"trials": "many"}, "trials: .*integer.* got 'many'"),
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": -3}, "trials must be at least 1, got -3"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": float("nan")}, "epochs: .*finite"),
        ({"winner_epochs": 0}, "winner_epochs must be at least 1"),
        ({"max_concurrent": 0}, "max_concurrent must be at least 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"cpus_per_trial": -1}, "cpus_per_trial must be 0 or from 0.0001 upwards, got -1"),
        ({"cpus_per_trial": 0.00001}, "cpus_per_trial must be 0 or from 0.0001"),
        ({"cpus_per_trial": float("nan")}, "cpus_per_trial must be 0 or from"),
        ({"gpus_per_trial": float("inf")}, "gpus_per_trial must be 0 or from"),
        ({"gpus_per_trial": 1.5}, "more than one GPU must be whole ones, got 1.5"),
        ({"cpus_per_trial": 0, "gpus_per_trial": 0}, "a share of a CPU or of a GPU"),
        ({"cpus_per_trial": 0}, "a share of a CPU or of a GPU"),
        ({"objective": "val_loss:down"}, "ends in :min or :max, got 'val_loss:down'"),
        ({"training": 3}, "training: .*dictionary"),
        ({"space_options": None}, "space_options: .*dictionary"),
        ({"output": None}, "output: .*path"),
        ({"download": "perhaps"}, "download: .*boolean"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(values, says):
    with pytest.raises(ConfigError, match=says):
        experiment_from(values)


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


def test_a_file_holds_the_same_fields(tmp_path):
    given = Experiment(space="mlp", training={"lr": 0.5}, trials=3, gpus_per_trial=0.5)
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(given.described()))
    assert set(read_config(path)) == {item.name for item in fields(Experiment)}
    assert experiment_from(read_config(path)) == given


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"space: [", "no YAML"),
        (b"\xff\xfe\xfd", "no YAML"),
        (b"space: \x01", "no YAML"),
        (b"- space", "must hold settings"),
        (b"", "must hold settings"),
        (b"mlp", "must hold settings"),
        (b"!!python/object:os.system {}", "no YAML"),
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
        ({"space_options": {"depth": 5}}, "unexpected keyword argument 'depth'"),
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
    assert look_up(replace(experiment, space=known)).space.space is known.SPACE
    unknown = Own(Space({**mlp.SPACE.tree, "training": {"learning_rate": Choice([0.1])}}))
    with pytest.raises(ConfigError, match="'learning_rate'"):
        look_up(replace(experiment, space=unknown))


# Folders


def test_a_run_is_begun_once_and_then_found_again(experiment):
    assert not opened(experiment).trials
    wrote(experiment, start(0), Report(0, 1, {"val_accuracy": 0.5}))
    before = files(experiment.output)
    assert opened(experiment).trials[0].epoch == 1
    assert files(experiment.output) == before


def other_space():
    return replace_space(Space({**mlp.SPACE.tree, "bias": Choice([True, False])}))


def replace_space(space):
    @dataclass(frozen=True)
    class Own:
        SPACE: Space
        build = staticmethod(mlp.build)

        def __repr__(self):
            return "mine"

    return Own(space)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"space": "nasbench201"}, "space is 'mlp' there and 'nasbench201' here"),
        ({"task": Digits()}, "task is 'digits' there and"),
        ({"task_options": {"valid": 0.1}}, r"task_options is \{\} there .*; the data, or how"),
        ({"seed": 1}, "seed is 0 there and 1 here; the data, or how they are split, are others"),
        ({"searcher": "random"}, "searcher is 'auto' there and 'random' here"),
        ({"searcher_options": {"fidelities": [1, 2]}}, "searcher_options is"),
        ({"scheduler": "none"}, "scheduler is 'asha' there and 'none' here"),
        ({"training": {"lr": 0.5}}, r"training is \{\} there and \{'lr': 0.5\} here"),
        ({"epochs": 3}, "epochs is 2 there and 3 here"),
        ({"objective": "val_loss"}, "objective is 'val_accuracy' there and 'val_loss' here"),
    ],
)
def test_the_run_of_another_experiment_is_refused_and_left_alone(experiment, settings, says):
    opened(experiment)
    wrote(experiment, start(0), Report(0, 1, {"val_accuracy": 0.5}))
    kept = checkpoint(experiment.output, 0)
    kept.parent.mkdir()
    kept.write_bytes(b"half trained")
    with (experiment.output / "journal.jsonl").open("ab") as file:
        file.write(b'{"event":"torn')
    before = files(experiment.output)
    with pytest.raises(JournalError, match=says):
        raynas.run(replace(experiment, **settings))
    assert files(experiment.output) == before


def test_a_space_that_was_edited_meanwhile_is_refused(experiment):
    mine = replace(experiment, space=replace_space(mlp.SPACE))
    opened(mine)
    opened(replace(mine, space=replace_space(mlp.SPACE)))
    with pytest.raises(JournalError, match="the space has other decisions"):
        opened(replace(mine, space=other_space()))


def test_a_run_begun_before_there_was_a_setting_goes_on(experiment):
    opened(experiment)
    path = experiment.output / "journal.jsonl"
    path.write_text(path.read_text().replace('"scheduler_options":{},', ""))
    assert "scheduler_options" not in journal.read(experiment.output).run["experiment"]
    assert not opened(experiment).trials


def test_how_much_and_where_may_change_and_is_kept(experiment):
    opened(experiment)
    wrote(experiment, start(0))
    more = {"trials": 9, "max_concurrent": 1, "cpus_per_trial": 0.5, "winner_epochs": 4}
    assert opened(replace(experiment, **more)).trials
    again = recorded(experiment.output, {})
    assert {name: getattr(again, name) for name in more} == more
    assert recorded(experiment.output, {"trials": 12}).trials == 12
    assert journal.read(experiment.output).history.trials


def test_a_run_may_be_moved(experiment, tmp_path):
    opened(experiment)
    moved = tmp_path / "elsewhere"
    experiment.output.rename(moved)
    assert opened(recorded(moved, {})).objectives == experiment.objectives
    assert recorded(moved, {}).output == moved


def test_a_torn_line_is_cut_off_and_said_so(experiment, caplog):
    opened(experiment)
    wrote(experiment, start(0))
    whole = (experiment.output / "journal.jsonl").read_bytes()
    (experiment.output / "journal.jsonl").write_bytes(whole + b'{"event":"repo')
    assert opened(experiment).trials[0].epoch == 0
    assert "the last line of the journal was torn (14 bytes" in caplog.text
    assert (experiment.output / "journal.jsonl").read_bytes() == whole


def test_only_the_checkpoints_of_half_trained_trials_are_kept(experiment):
    opened(experiment)
    wrote(experiment, start(0), start(1), start(2), Failed(0, "diverged"))
    wrote(experiment, Report(1, 1, {"val_accuracy": 0.5}), Finished(1, stopped=True))
    kept = checkpoint(experiment.output, 2)
    kept.parent.mkdir()
    for path in (kept, checkpoint(experiment.output, 0), checkpoint(experiment.output, 1)):
        path.write_bytes(b"weights")
    (kept.parent / "tmp1234.partial").write_bytes(b"half a checkpoint")
    opened(experiment)
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("act", [raynas.load, raynas.resume])
def test_a_folder_without_a_run_is_refused(tmp_path, act):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(JournalError, match="holds no run"):
        act(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


class Own:
    """A searcher whose repr is the address it happens to have."""

    def __init__(self, space, depth=1):
        self.space, self.depth = space, depth

    propose = RandomSearch.propose


def test_what_was_given_as_an_object_must_be_given_again(experiment):
    mine = replace(experiment, searcher=Own(mlp.SPACE), space=mlp)
    opened(mine)
    opened(replace(mine, searcher=Own(mlp.SPACE)))
    with pytest.raises(ConfigError, match=r"space as an object \(search_spaces.mlp\)"):
        recorded(experiment.output, {})
    with pytest.raises(ConfigError, match=r"searcher=\.\.\.\)"):
        recorded(experiment.output, {"space": mlp})
    again = recorded(experiment.output, {"space": mlp, "searcher": Own(mlp.SPACE)})
    assert not opened(again).trials


def test_an_object_among_the_options_must_be_given_again(experiment):
    mine = replace(experiment, searcher=Own, searcher_options={"depth": Digits()})
    opened(mine)
    with pytest.raises(ConfigError, match="searcher_options as an object"):
        recorded(experiment.output, {"searcher": Own})
    opened(recorded(experiment.output, {"searcher": Own, "searcher_options": {"depth": Digits()}}))
