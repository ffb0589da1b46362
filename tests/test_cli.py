"""The command line: what it refuses, what it says, and what it leaves alone."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from command import called
from in_process import without_ray
from ray_runs import PATIENCE, cli, completed

from raynas import journal
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.run.folder import open_run
from raynas.experiment.run.result import load as loaded
from raynas.journal import Journal

HEAVY = (
    "import sys; libraries = {'ray', 'torch', 'optuna', 'pandas', 'scipy', 'sklearn'}; "
    "print(sorted(libraries & set(sys.modules)))"
)


@pytest.mark.parametrize(
    "code",
    [
        "import raynas; raynas.Experiment; raynas.Space",
        "import raynas.space, raynas.trial, raynas.data, raynas.searchers, raynas.schedulers",
        "import raynas.insight, raynas.experiment.run.search, raynas.execution.conductor",
        "import raynas.execution.worker, raynas.tasks, raynas.costs, raynas.training.recipe",
        "import raynas.execution.winner, raynas.cli.session",
        "from raynas.experiment.resolve.resolved import resolve\n"
        "from raynas.experiment.experiment import experiment_from\n"
        "resolve(experiment_from({'space': 'mlp', 'task': 'digits'}))",
        "import search_spaces.mlp, search_spaces.nasbench201",
    ],
)
def test_importing_loads_nothing_heavy(code):
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\n{HEAVY}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["resume", "--help"], []])
def test_help_loads_nothing_heavy(arguments):
    code = (
        f"import sys; sys.argv = ['raynas', *{arguments!r}]\nfrom raynas.cli import main\n"
        f"try:\n    main()\nexcept SystemExit as left:\n    print('status', left.code)\n{HEAVY}"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    *text, status, heavy = told.stdout.splitlines()
    assert "Usage" in " ".join(text)
    assert status == ("status 0" if arguments else "status 2")
    assert heavy == "[]"


REFUSED = {
    "space": (["--space", "nasbnech201"], "no space 'nasbnech201': did you mean 'nasbench201'"),
    "task": (["--task", "cifar"], "no task 'cifar': did you mean 'cifar10' or 'cifar100'"),
    "searcher": (["--searcher", "evolve"], "no searcher 'evolve': .*known names are .*evolution"),
    "scheduler": (["--scheduler", "asah"], "did you mean 'asha'"),
    "space option": (["--set", "space.cels=1"], "did you mean 'cells'"),
    "task option": (["--set", "task.vaild=0.1"], "did you mean 'valid'"),
    "searcher option": (
        ["--searcher", "evolution", "--set", "searcher.population=3"],
        "did you mean 'population_size'",
    ),
    "scheduler option": (["--set", "scheduler.etta=3"], "did you mean 'eta'"),
    "population": (
        ["--scheduler", "pbt", "--trials", "8"],
        "pbt needs trials > population_size, got 8 trials for a population of 8",
    ),
    "who decides on lengths": (
        ["--scheduler", "hyperband", "--set", "searcher.fidelities=[3,9]"],
        "'hyperband' decides how long .*, and with fidelities so does the searcher",
    ),
    "no parents": (
        ["--searcher", "bohb", "--inherit-weights"],
        "the searcher 'bohb' names none: leave it out, or use one of auto, .*, evolution, ",
    ),
    "recipe": (["--set", "training.learning_rate=1"], "no field of the training recipe"),
    "recipe value": (["--set", "training.lr=.nan"], "lr of the training recipe must be a finite"),
    "negative": (["--set", "training.lr=-0.1"], "0.0 <= lr .* got -0.1"),
    "part": (["--set", "spaces.cells=1"], "PART one of space, .*, got 'spaces.cells=1'"),
    "no value": (["--set", "space.cells"], "--set takes PART.OPTION=VALUE"),
    "bad value": (["--set", "space.cells=[1"], ".1. is not valid YAML: .*column"),
    "no trials": (["--trials", "0"], "trials must be at least 1, got 0"),
    "no epochs": (["--epochs", "-1"], "epochs must be at least 1, got -1"),
    "no time": (["--time", "2 hours"], "time must be more than 0, .* 2h, 90m, .* got '2 hours'"),
    "negative time": (["--time", "-5"], "time must be more than 0, .* got '-5'"),
    "negative grace": (["--grace", "-1"], "grace must be at least 0, .* 30s .* got '-1'"),
    "no hours": (["--gpu-hours", "0"], "gpu_hours must be more than 0, got 0"),
    "no GPU": (["--gpu-hours", "1", "--gpus-per-trial", "0"], "without a GPU never use up"),
    "no failures": (["--max-failures", "0"], "max_failures must be at least 1, got 0"),
    "no value of a target": (["--target", "val_accuracy"], "target must be METRIC=VALUE"),
    "target": (["--target", "val_acc=0.9"], "target: no metric 'val_acc': did you mean"),
    "metric": (["--objective", "f1:max"], "objective: no metric 'f1': the known names are"),
    "proxy": (["--proxies", "sinflow"], "no proxy 'sinflow': did you mean 'synflow'"),
    "resources": (["--cpus-per-trial", "nan"], "CPUs of a trial must be 0 or at least"),
    "objective": (["--objective", "val_loss:best"], "ends in :min or :max"),
    "objective twice": (["--objective", "params", "--objective", "params:max"], "each once, got"),
    "one objective only": (
        ["--searcher", "bananas", "--objective", "val_accuracy", "--objective", "params"],
        "BANANAS optimises one objective, got 2: use the searcher 'auto', 'ehvi' or 'nsga2'",
    ),
    "fidelities": (
        ["--searcher", "gp", "--set", "searcher.fidelities=[3, 10]"],
        r"fidelities \[3, 10\] and 9 epochs",
    ),
    "file": (["--space", "mine.py"], "there is no file mine.py"),
    "data": (
        ["--task", "cifar10"],
        "is missing or damaged in .* download it with `raynas search --task cifar10",
    ),
    "config": (["--config", "no.yaml"], "the configuration no.yaml cannot be read"),
    "output": (["--output", "taken"], "output must be a folder, got taken, which is a file"),
}


@pytest.mark.parametrize(("arguments", "says"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence_and_status_2(raynas, tmp_path, arguments, says):
    (tmp_path / "taken").write_text("a file")
    status, output, errors = raynas("search", *arguments)
    assert (status, output) == (2, "")
    assert re.fullmatch(rf"raynas: .*{says}.*\n", errors)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


FROZEN_SPACE = """
from torch import nn

from raynas import Int, Space

SPACE = Space({"n": Int(1, 3)})


def build(architecture, input_shape, classes):
    child = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    return child.requires_grad_(False)
"""


def test_proxies_without_a_value_for_any_network_are_refused(raynas, tmp_path):
    (tmp_path / "frozen.py").write_text(FROZEN_SPACE)
    settings = ("--space", "frozen.py", "--proxies", "params,fisher,snip")
    status, output, errors = raynas("search", *settings)
    assert (status, output) == (2, "")
    assert re.fullmatch(
        "raynas: no network sampled from 'frozen.py' has a value for 'fisher' and 'snip', leave "
        "that out: this proxy needs gradients.*; this proxy needs trainable weights.*\n",
        errors,
    )
    assert [path.name for path in tmp_path.glob("runs*")] == []


def test_proxies_that_kill_whoever_asks_are_refused_and_the_command_lives(raynas, tmp_path):
    kills = FROZEN_SPACE.replace("    child =", "    import os; os._exit(0)\n    child =")
    (tmp_path / "deadly.py").write_text(kills)
    status, _, errors = raynas("search", "--space", "deadly.py", "--proxies", "params")
    assert status == 2
    assert "has a value for 'params', leave that out: the process in which proxies" in errors


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs here")
@pytest.mark.parametrize("arguments", [["--gpus-per-trial", "0.5"], ["--gpu-hours", "8"]])
def test_gpus_where_there_are_none_are_refused_before_anything_starts(
    raynas, tmp_path, arguments, monkeypatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    status, output, errors = raynas("search", *arguments)
    assert (status, output) == (2, "")
    assert re.fullmatch(r"raynas: GPUs are asked for .* there is none here.*\n", errors)
    assert not list(tmp_path.iterdir())


def test_cpus_there_are_not_are_refused_before_anything_starts(raynas, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    status, output, errors = raynas("search", "--cpus-per-trial", 4096)
    assert (status, output) == (2, "")
    assert re.fullmatch(r"raynas: a trial asks for 4096 CPUs .* ask for less .*\n", errors)
    assert not list(tmp_path.iterdir())


def number(name, kind, typed, given):
    """What is said of a value that is no number; typer before 0.20 says it in its own words."""
    option = name.replace("_", "-")
    old = f"invalid value for '--{option}': '{given}' is not a valid {typed}"
    return f"({name} must be {kind}, got '{given}'|{old})"


MISUSED = {
    "unknown option": (["search", "--trails", "3"], "no such option:? '?--trails.*--trials"),
    "no value": (["search", "--set"], "option '--set' requires an argument"),
    "no argument": (
        ["show"],
        "(missing argument 'output'. See 'raynas show --help'|the run folder must name)",
    ),
    "one argument too many": (["show", "a", "b"], "got unexpected extra argument.*b"),
    "unknown command": (["serach"], "no such command 'serach'. .*See 'raynas --help'"),
    "whole": (["search", "--trials", "abc"], number("trials", "a whole number", "integer", "abc")),
    "fraction": (["search", "--seed", "1.5"], number("seed", "a whole number", "integer", "1.5")),
    "number": (["search", "--gpu-hours", "x"], number("gpu_hours", "a number", "float", "x")),
    "check": (["check", "--time-limit", "1 s"], number("time_limit", "a number", "float", "1 s")),
    "show": (["show", ".", "--top", "ten"], number("top", "a whole number", "integer", "ten")),
    "bench": (["bench", "--seeds", ""], number("seeds", "a whole number", "integer", "")),
}


@pytest.mark.parametrize(("arguments", "says"), MISUSED.values(), ids=MISUSED)
def test_a_misused_command_is_one_sentence_and_status_2(raynas, arguments, says):
    status, output, errors = raynas(*arguments)
    assert (status, output) == (2, "")
    assert re.fullmatch(rf"raynas: {says}.*\n", errors)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trails: 3", "no setting 'trails': did you mean 'trials'"),
        ("trials: [", "is not valid YAML"),
        ("trials", "must hold settings"),
        ("training: 3", "training must .*got 3"),
        ("space_options: [1]\n", "must hold options"),
    ],
)
def test_a_bad_file_is_one_sentence_and_status_2(raynas, tmp_path, text, says):
    (tmp_path / "search.yaml").write_text(text)
    status, _, errors = raynas("search", "--config", "search.yaml", "--set", "space.cells=1")
    assert status == 2
    assert re.fullmatch(rf"raynas: .*{says}.*\n", errors)


@pytest.mark.parametrize("command", ["show", "resume"])
def test_a_folder_that_is_no_run_is_refused(raynas, tmp_path, command):
    status, output, errors = raynas(command, tmp_path)
    assert (status, output) == (2, "")
    assert "holds no run" in errors
    assert not list(tmp_path.iterdir())


@pytest.fixture
def begun(tmp_path):
    """A run that has begun, of which nothing has been trained."""
    experiment = Experiment(space="mlp", output=tmp_path / "run")
    writer = Journal(experiment.output)
    open_run(experiment, resolve(experiment), writer)
    writer.close()
    return experiment.output


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (["--seed", "1"], "seed is 0 there and 1 here"),
        (["--space", "nasbench201"], "space is 'mlp' there and 'nasbench201' here"),
        (["--set", "task.valid=0.1"], "task_options is .* there and .*'valid': 0.1.* here"),
    ],
)
def test_the_run_of_another_experiment_is_refused_and_left_alone(raynas, begun, other, says):
    before = {path: path.read_bytes() for path in begun.rglob("*")}
    status, output, errors = raynas("search", "--space", "mlp", "--output", begun, *other)
    assert (status, output) == (2, "")
    assert re.fullmatch(rf"raynas: .* holds another run: .*{says}.*\n", errors)
    assert {path: path.read_bytes() for path in begun.rglob("*")} == before


def test_a_run_that_is_being_written_is_refused(raynas, begun):
    writer = Journal(begun)
    status, _, errors = raynas("resume", begun)
    assert status == 2
    assert "another process is writing the run" in errors
    assert raynas("show", begun)[0] == 0
    writer.close()


def test_a_module_that_raises_is_named_with_its_line(raynas, tmp_path):
    (tmp_path / "space.py").write_text("from raynas import Space\n\nSPACE = Space({})\n")
    status, _, errors = raynas("search", "--space", "space.py")
    assert status == 2
    assert "line 3: SPACE = Space({})" in errors


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(
    raynas, tmp_path, monkeypatch
):
    given = {
        "space": "mlp",
        "trials": 5,
        "epochs": 4,
        "training": {"lr": 0.5, "momentum": 0.8},
        "searcher": "evolution",
        "searcher_options": {"population_size": 3},
    }
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(given))
    options = ("--trials", 6, "--set", "training.lr=0.25", "--set", "training.warmup=0.2")
    output = tmp_path / "run"
    command = ("search", "--config", "search.yaml", *options, "--output", output)
    status, _, errors = raynas(*command, "--address", "127.0.0.1:1")  # where nobody listens
    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith("raynas: no Ray cluster could be reached at '127.0.0.1:1'")
    assert not journal.exists(output), "nothing has happened in it"
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        with without_ray():
            assert called(*command)[0] == 0
    recorded = journal.read(output).run["experiment"]
    changed = {
        name: value
        for name, value in recorded.items()
        if value != Experiment().described()[name] and name not in {"output", "address"}
    }
    assert changed == {
        **given,
        "objective": "val_accuracy",  # the task decides this and the next two
        "scheduler": "asha",
        "folds": 1,
        "trials": 6,
        "training": {"lr": 0.25, "momentum": 0.8, "warmup": 0.2},
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the command, finished: its folder and what was said."""
    output = tmp_path_factory.mktemp("cli") / "run"
    amounts = ("--trials", 4, "--epochs", 2, "--max-concurrent", 1)  # as any machine has
    command = cli("search", "--space", "mlp", *amounts, "--output", output)
    status, said, errors = completed(*command)
    assert status == 0, errors
    return output, said, errors


@pytest.mark.slow
def test_where_no_terminal_is_it_says_plain_lines_and_ray_says_nothing(finished):
    output, said, errors = finished
    history = journal.read(output).history
    lines = said.splitlines()
    trials = [line for line in lines if re.match(r"trial \d+  ", line)]
    assert len(trials) == 4
    assert "4 trials: " in lines[4]
    assert f"winner: trial {history.winner.number}" in said
    assert f"raynas show {output}" in said
    assert "\x1b" not in said + errors
    assert "ray" not in re.sub(r"raynas|array", "", said.lower().replace(str(output), ""))
    winner = history.winner.number
    *told, tested = errors.splitlines()
    assert told == [
        "at most 4 trials of 2 epochs (8 epochs; with asha about 6) on 1 worker",
        f"training the winner, trial {winner}, on training and validation data",
    ]
    assert tested.startswith("the winner is trained and tested, now it is exported: test_")


@pytest.mark.slow
def test_a_run_is_shown_to_people_and_to_programs(finished, raynas):
    output, said, _ = finished
    history = journal.read(output).history
    status, shown, errors = raynas("show", output)
    assert (status, errors) == (0, "")
    assert said.splitlines()[4] in shown  # as it was said in the end
    rows = json.loads(raynas("show", output, "--json")[1])
    assert [row["trial"] for row in rows] == loaded(output).leaderboard()["trial"].tolist()
    assert rows[0]["val_accuracy"] == history.best.metrics["val_accuracy"]
    first = json.loads(raynas("show", output, "--json", "--top", 1)[1])
    assert first == rows[:1]


@pytest.mark.slow
def test_a_number_that_asks_for_nothing_is_refused_or_said(finished, raynas, tmp_path):
    output, _, _ = finished
    for rows in (0, -1):
        refused = (2, "", f"raynas: --top must be at least 1, got {rows}\n")
        assert raynas("show", output, "--top", rows) == refused
    copy = shutil.copytree(output, tmp_path / "copy")
    status, _, errors = raynas("resume", copy, "--trials", 3)
    assert status == 0
    assert "nothing is left to do: --trials is 3, and 4 trials are trained already" in errors


@pytest.mark.slow
def test_the_ledger_of_a_run_adds_up(finished, raynas):
    output, said, _ = finished
    books = json.loads(raynas("show", output, "--ledger", "--json")[1])
    trained = sum(trial.seconds for trial in journal.read(output).history.trials.values())
    assert books["trained"] == pytest.approx(trained)
    for shares in ("rungs", "trials", "workers"):
        assert sum(row["seconds"] for row in books[shares]) == pytest.approx(trained)
    assert 0 < books["utilisation"] < 1
    assert f"workers trained {books['utilisation']:.0%} of " in said
    status, shown, errors = raynas("show", output, "--ledger")
    assert (status, errors) == (0, "")
    assert f"{books['utilisation']:.1%} of that" in shown
