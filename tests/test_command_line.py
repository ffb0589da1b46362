"""Recorded settings become a command, and the command line reads the same settings from it."""

import shlex
from importlib import import_module
from inspect import signature

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raynas.cli.main import app
from raynas.experiment.command_line import options, repetition
from raynas.experiment.experiment import Experiment, experiment_from

TEXT = st.text(min_size=1, max_size=8).filter(str.strip)
NAME = st.from_regex(r"[a-z_*]{1,6}(\.[a-z]{1,3})?", fullmatch=True)
VALUE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OPTIONS = st.dictionaries(NAME, VALUE, max_size=3)
NAMES = st.lists(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), max_size=3, unique=True)
SETTINGS = {
    "space": st.none() | TEXT,
    "space_options": OPTIONS,
    "priors": st.dictionaries(NAME, st.dictionaries(TEXT, st.floats(0, 9), max_size=2)),
    "task": TEXT,
    "task_options": st.dictionaries(TEXT, VALUE, max_size=2),  # names with any character
    "searcher_options": OPTIONS,
    "tune": NAMES,
    "proxies": NAMES,
    "method": st.sampled_from([None, "spos", ("spos", "random-ws")]),
    "start_from": st.sampled_from([None, "runs/first", [{"op": "conv"}]]),
    "objective": st.sampled_from([None, "val_loss:min", ("val_accuracy", "params:max")]),
    "epochs": st.none() | st.integers(1, 99),
    "finalists": st.floats(0, 0.9),
    "inherit_weights": st.booleans(),
    "seed": st.integers(0, 2**40),
    "time": st.sampled_from([None, "1h30m", 90.5]),
    "gpu_hours": st.none() | st.floats(0.1, 1e9),
    "target": st.sampled_from([None, "val_accuracy=0.98"]),
    "winner_epochs": st.none() | st.integers(1, 9),
    "gpus_per_trial": st.sampled_from([None, 0.5, "auto", 1]),
    "grace": st.sampled_from([30.0, "10s", 4.5]),
    "data_dir": st.just("my data"),
    "download": st.booleans(),
}


def _read(command, folder, file, monkeypatch):
    """Let the command line read a command; return the experiment that it would run."""
    told = []
    monkeypatch.setattr(import_module("raynas.cli.session"), "follow", told.append)
    if file:
        (folder / "settings.json").write_text(file, encoding="utf-8")
    monkeypatch.chdir(folder)
    app(shlex.split(command)[1:], standalone_mode=False)
    return told[0]


def _meant(experiment):
    """Return the settings with times in seconds: options give text, files give numbers."""
    times = {"time": experiment.limits.time, "grace": experiment.grace_seconds}
    return {**experiment.described(), **times}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(given=st.fixed_dictionaries({"trials": st.integers(1, 99)}, optional=SETTINGS))
def test_the_command_is_read_back_as_the_same_settings(given, tmp_path, monkeypatch):
    experiment = experiment_from(given)
    told = repetition(experiment.described(), "again")
    assert not told.unknown
    with monkeypatch.context() as patched:
        read = _read(told.command, tmp_path, told.file, patched)
    assert _meant(read) == {**_meant(experiment), "output": "again"}


def test_a_common_command_is_short_and_needs_no_file():
    described = Experiment(
        space="mlp",
        trials=9,
        objective=("val_accuracy", "params"),
        space_options={"width": 8, "name": "a b"},
    ).described()
    told = repetition(described, "runs/first-again")
    assert told.file == ""
    assert told.command == (
        "raynas search --space mlp --set space.width=8 --set 'space.name=a b' "
        "--objective val_accuracy --objective params --trials 9 --output runs/first-again"
    )


def test_objects_and_unknown_settings_are_said_to_be_missing():
    described = Experiment(task=object, searcher_options={"features": len}).described()
    told = repetition({**described, "of_a_newer_raynas": 3}, "again")
    assert told.unknown == ("task", "searcher_options", "of_a_newer_raynas")


@pytest.mark.parametrize("name", options())
def test_every_setting_is_an_option_of_the_command(name):
    search = import_module("raynas.cli.search").search
    assert name in signature(search).parameters
