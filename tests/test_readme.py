"""What the README shows is what works."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ray_runs import completed

import raynas
from raynas.cli.main import app
from raynas.experiment.experiment import Experiment, experiment_from
from raynas.experiment.resolve.references import find_space, find_task
from raynas.schedulers import SCHEDULERS
from raynas.searchers import SEARCHERS
from raynas.tasks import TASKS, Source

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def files(tmp_path):
    """Write the README's examples to the files it names."""
    for name in ("my_space.py", "my_tasks.py", "my_tuner.py"):
        told, code = re.search(
            rf"This is `({name})`:\n\n```python\n(.*?)```", README, re.DOTALL
        ).groups()
        (tmp_path / told).write_text(code, encoding="utf-8")
    return tmp_path


def test_the_own_space_builds_what_it_samples(files):
    found = find_space(str(files / "my_space.py"), {})
    for seed in range(20):
        architecture = found.space.sample(np.random.default_rng(seed))
        child = found.build(architecture, (1, 8, 8), 10)
        assert child(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_the_own_task_loads(files):
    data = find_task(f"{files / 'my_tasks.py'}:Wine", {}).load(Source(), 0)
    assert (data.classes, data.input_shape) == (3, (13,))


@pytest.mark.slow
def test_the_plain_tuner_finds_the_best_there_is(files):
    code, output, errors = completed(str(files / "my_tuner.py"), cwd=files)
    assert code == 0, errors
    found = ast.literal_eval(output.splitlines()[-1])
    assert found["width"] >= 48, found


def test_the_configuration_is_read():
    (example,) = blocks("yaml")
    assert experiment_from(yaml.safe_load(example)).space_options == {"channels": 16, "cells": 1}
    shipped = yaml.safe_load((ROOT / "launch" / "digits.yaml").read_text(encoding="utf-8"))
    assert experiment_from(shipped).most_trials == Experiment().most_trials


def test_every_command_and_option_shown_exists():
    commands = {command.callback.__name__: command.callback for command in app.registered_commands}
    shown = re.findall(r"raynas ([a-z]+) ((?:[^\n#`]|\\\n)*)", "\n".join(blocks("bash")))
    assert shown
    for command, arguments in shown:
        known = commands[command].__annotations__
        for option in re.findall(r"--([a-z-]+)", arguments):
            assert option.replace("-", "_") in {*known, "json"}, (command, option)


@pytest.mark.parametrize(
    ("row", "table"), [("tasks", TASKS), ("searchers", SEARCHERS), ("schedulers", SCHEDULERS)]
)
def test_every_entry_of_a_table_is_listed(row, table):
    line = next(line for line in README.splitlines() if line.startswith(f"| {row} |"))
    for name in table:
        assert f"`{name}`" in line


def test_every_public_name_can_be_had():
    for name in raynas.__all__:
        assert getattr(raynas, name) is not None


@pytest.mark.slow
def test_features_of_ones_own_inform_a_search(tmp_path):
    (example,) = (block for block in blocks("python") if "shortlist" in block)
    (tmp_path / "informed.py").write_text(example, encoding="utf-8")
    code, _, errors = completed(str(tmp_path / "informed.py"), cwd=tmp_path)
    assert code == 0, errors
    assert (tmp_path / "runs/informed/winner/network.pt2").exists()
