"""`raynas check`: what it says of a search before it is launched, through the real command."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from ray_runs import cli, completed
from rich.console import Console

from raynas.costs import measure
from raynas.errors import ConfigError
from raynas.execution.limits import Limits as RunLimits
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.execution.step_memory import step_bytes
from raynas.experiment.check.forecast import RandomCurves, forecast
from raynas.experiment.check.preflight import PreflightBudget, preflight
from raynas.experiment.experiment import Experiment
from raynas.insight.text.preflight import Spread, print_preflight
from raynas.rng import proposal_rng
from raynas.schedulers.asha import ASHA
from raynas.schedulers.brackets import Hyperband
from raynas.schedulers.pbt import PBT
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Float, Space
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from search_spaces import mlp

MOODY = """
from torch import nn
from raynas import Choice, Space

SPACE = Space({"kind": Choice(["good", "refused", "wrong"], weights=[{good}, 1, 1]),
    "twin": Choice(list(range(50)))})


class Wrong(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layer = nn.Linear(features, 3)

    def forward(self, x):
        return self.layer(x.flatten(1)) if self.training else [][0]


def build(architecture, input_shape, classes):
    if architecture["kind"] == "refused":
        raise ValueError("too wide for its height")
    if architecture["kind"] == "wrong":
        return Wrong(64)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
"""


PATIENT = ("--time-limit", 600)  # so that a busy machine builds the whole sample


def checked(*arguments, cwd=None):
    status, output, errors = completed(*cli("check", *arguments), cwd=cwd)
    return status, output, errors


@pytest.fixture(scope="module")
def found():
    """One look at the perceptrons, for programs."""
    status, output, errors = checked(
        *("mlp", "--sample", 6, "--trials", 7, "--epochs", 5, "--workers", 3, "--json", *PATIENT)
    )
    assert (status, errors) == (0, "")
    return json.loads(output)


def test_what_is_counted_is_right(found):
    sampled = {mlp.SPACE.sample(proposal_rng(0, number)) for number in range(6)}
    children = [mlp.build(architecture, (1, 8, 8), 10) for architecture in sampled]
    costs = [measure(child, torch.zeros(1, 1, 8, 8)) for child in children]
    memory = [step_bytes(child, Digits().load(Source(), 0), 64) for child in children]
    assert (found["space"], found["size"], found["task"]) == ("mlp", mlp.SPACE.size, "digits")
    assert (found["tried"], found["failed"], found["reasons"]) == (6, 0, [])
    assert found["brief"] == {"input_shape": [1, 8, 8], "classes": 10, "outputs": 10}
    for name, values in (
        ("params", [one.params for one in costs]),
        ("flops", [one.flops for one in costs]),
    ):
        spread = found[name]
        assert (spread["least"], spread["most"]) == (min(values), max(values))
        assert spread["median"] == np.median(values)
    if found["device"] == "cpu":
        assert (found["memory"]["least"], found["memory"]["most"]) == (min(memory), max(memory))
        assert found["memory_measured"] is False
    assert found["loss"] == pytest.approx(math.log(10), rel=0.5)


def test_the_forecast_is_of_the_search_described(found):
    cast, pace = found["forecast"], found["epoch_seconds"]
    assert (cast["trials"], cast["epochs"], cast["workers"]) == (7, 5, 3)
    assert (cast["scheduler"], cast["full_epochs"]) == ("asha", 35)
    assert 7 < cast["epochs_expected"] < 35
    assert 35 / 3 * pace["least"] <= cast["full_seconds"] <= 35 / 3 * pace["most"]
    assert 0 < cast["seconds_expected"] < 35 * pace["most"]


def test_people_are_told_the_same():
    status, said, errors = checked("mlp", "--sample", 3, "--scheduler", "none", *PATIENT)
    assert (status, errors) == (0, "")
    assert "space mlp: 18,720 architectures\n" in said
    assert "3 architectures sampled at random; all of them can be built\n" in said
    for row in ("parameters", "FLOPs of an example", "memory of a step, ", "time of an epoch"):
        assert re.search(rf"^{row}.* 3$", said, re.MULTILINE), row
    assert re.search(r"forward and backward pass work on \w+: the loss .* is \d", said)
    assert "40 trials of 9 epochs, " in said
    assert "at most 360 epochs, about " in said
    assert re.search(r"with scheduler none about 3[456]\d epochs, ", said)  # some are met again


def test_what_the_time_was_not_enough_for_is_said():
    status, said, _ = checked("nasbench201", "--time-limit", "0.001")
    assert status == 0
    assert "1 architecture sampled at random (100 were asked for, but time was up" in said


def test_failures_are_counted_with_their_reasons(tmp_path):
    (tmp_path / "moody.py").write_text(MOODY.replace("{good}", "2"))
    status, output, _ = checked("moody.py", "--sample", 30, "--json", *PATIENT, cwd=tmp_path)
    assert status == 0
    found = json.loads(output)
    reasons = {item["reason"]: item["number"] for item in found["reasons"]}
    assert set(reasons) == {
        "the network cannot be built: too wide for its height",
        "IndexError: list index out of range",
    }
    assert found["failed"] == sum(reasons.values()) == 30 - found["params"]["measured"]


@pytest.mark.parametrize(
    ("good", "leaves", "reason"),
    [
        (2, "raise SystemExit(3)", "SystemExit: 3"),
        (
            9,
            "__import__('os')._exit(3)",
            "it ended its process with exit status 3",
        ),
    ],
)
def test_a_network_that_leaves_the_program_is_counted_too(tmp_path, good, leaves, reason):
    leaving = MOODY.replace("{good}", str(good)).replace(
        'raise ValueError("too wide for its height")', leaves
    )
    (tmp_path / "moody.py").write_text(leaving)
    status, output, _ = checked("moody.py", "--sample", 30, "--json", *PATIENT, cwd=tmp_path)
    assert status == 0
    assert reason in {item["reason"] for item in json.loads(output)["reasons"]}


def test_failures_are_told_to_people(tmp_path, capsys):
    (tmp_path / "moody.py").write_text(MOODY.replace("{good}", "2"))
    looked = preflight(
        Experiment(space=str(tmp_path / "moody.py"), searcher="random"), PreflightBudget(30, 600.0)
    )
    print_preflight(Console(width=100), looked)
    said = capsys.readouterr().out
    share = 100 * looked.failed / 30
    assert f"{looked.failed} ({share:.3g} %) cannot be built or trained\n" in said
    assert "x the network cannot be built: too wide for its height\n" in said


def test_a_space_of_which_nothing_can_be_built_is_status_2(tmp_path):
    (tmp_path / "moody.py").write_text(MOODY.replace("{good}", "0.000001"))
    status, output, errors = checked("moody.py", "--sample", 5, *PATIENT, cwd=tmp_path)
    assert (status, output) == (2, "")
    assert re.fullmatch(r"raynas: none of 5 sampled architectures can be built: .*\n", errors)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mpl",), "no space 'mpl': did you mean 'mlp'"),
        (("mlp", "--task", "digit"), "no task 'digit': did you mean 'digits'"),
        (("mlp", "--task", "cifar10"), "cifar10 is missing or damaged in"),
        (("mlp", "--sample", "0"), "sample of at least 1"),
        (("mlp", "--time-limit", "0"), "time limit above 0"),
        (("mlp", "--workers", "0"), "workers must be at least 1, got 0"),
        (("mlp", "--set", "scheduler.etta=3"), "did you mean 'eta'"),
        (("mlp", "--epochs", "0"), "epochs must be at least 1"),
        (("mlp", "--time", "soon"), "time must be more than 0"),
        (("mlp", "--gpu-hours", "-1"), "gpu_hours must be more than 0"),
        (("mlp", "--tune", "rate"), "no field of the training recipe to tune 'rate'"),
        (("mlp", "--cpus-per-trial", "4096"), "asks for 4096 CPUs and 0 GPUs, and this machine"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(monkeypatch, capsys, tmp_path, arguments, says):
    from raynas.cli.main import main  # noqa: PLC0415 - with the arguments in place

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["raynas", "check", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    assert re.fullmatch(rf"raynas: .*{says}.*\n", said.err)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs here")
@pytest.mark.parametrize("arguments", [("--gpus-per-trial", "1"), ("--gpu-hours", "8")])
def test_gpus_where_there_are_none_are_status_2(monkeypatch, capsys, arguments):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    test_bad_input_is_one_sentence_and_status_2(
        monkeypatch, capsys, ".", ("mlp", *arguments), "GPUs are asked for .* there is none here"
    )


def test_a_budget_in_time_is_told_as_trials(capsys):
    described = {"space": "mlp", "searcher": "random", "tune": ["lr"]}
    looked = preflight(Experiment(**described, time="10m"), PreflightBudget(3, 600.0), workers=2)
    assert looked.size == math.inf  # a learning rate is any number
    cast = looked.forecast
    mean = 600 * 2 / cast.full_epochs
    assert looked.epoch_seconds.least <= mean <= looked.epoch_seconds.most
    assert cast.full_epochs <= 9 * cast.full_trials < cast.full_epochs + 10  # the one rounded up
    assert cast.trials is None
    assert cast.trials_expected > cast.full_trials  # for asha stops most of them
    assert cast.seconds_expected == pytest.approx(600, rel=0.01)
    print_preflight(Console(width=100), looked)
    said = capsys.readouterr().out
    assert "trials of 9 epochs for at most 10 min, 2 at once:\n" in said
    full, most = (f"{number:,}" for number in (cast.full_trials, cast.full_epochs))
    assert f"  time for about {full} trials to their end, {most} epochs\n" in said
    likely = f"{cast.trials_expected:,.0f} trials, {cast.epochs_expected:,.0f} epochs, "
    assert f"  with scheduler asha about {likely}" in said
    assert json.loads(json.dumps(looked.as_data()))["forecast"]["trials"] is None


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['raynas', 'check', '--help']\nfrom raynas.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    sys.stderr.write(str("
        "sorted({'ray', 'torch', 'pandas'} & set(sys.modules))))"
    )
    status, output, errors = completed("-c", code)
    assert (status, errors) == (0, "[]")
    assert "--time-limit" in output


def test_looking_leaves_the_number_of_threads():
    before = torch.get_num_threads()
    preflight(
        Experiment(space="mlp", searcher="random", cpus_per_trial=2), PreflightBudget(sample=1)
    )
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("options", [{"sample": 0}, {"seconds": 0.0}, {"seconds": math.nan}])
def test_limits_are_above_zero(options):
    with pytest.raises(ConfigError, match="above 0 seconds"):
        PreflightBudget(**options)


# The forecast


def plan(scheduler, trials=81, epochs=27):
    return Plan(mlp.SPACE, RandomSearch(mlp.SPACE), scheduler, trials, epochs, seed=0)


LARGE = Space({"lr": Float(0, 1)})


def timed(scheduler, trials=math.inf, time=math.inf):
    searcher = RandomSearch(LARGE)
    return Plan(LARGE, searcher, scheduler, trials, 9, seed=0, limits=RunLimits(time=time))


def test_without_a_scheduler_every_trial_is_trained_to_its_end():
    cast = forecast(plan(RunToEnd(), trials=40, epochs=10), "none", 4, [2.0])
    assert cast.full_epochs == 400
    assert cast.full_seconds == 200.0
    assert cast.epochs_expected == pytest.approx(400, rel=0.02)  # repeats are answered
    assert cast.seconds_expected == pytest.approx(200, rel=0.1)


def test_asha_takes_what_its_rule_says():
    # The rule by itself: trials one after the other, each as good at every rung as in the end.
    rng, totals = np.random.default_rng(0), []
    for _ in range(300):
        seen, total = {1: [], 3: [], 9: []}, 0
        for quality in rng.random(81):
            for rung, others in seen.items():
                others.append(quality)
                better = sum(other > quality for other in others)
                if better * 3 >= len(others):
                    total += rung
                    break
            else:
                total += 27
        totals.append(total)
    cast = forecast(plan(ASHA()), "asha", 1, [1.0])
    assert np.mean(totals) == pytest.approx(cast.epochs_expected, rel=0.15)
    assert cast.seconds_expected == pytest.approx(
        cast.epochs_expected
    )  # one worker, a second each


def test_long_searches_are_scaled_up():
    short, long = (forecast(plan(ASHA(), trials, 100), "asha", 2, [0.5]) for trials in (100, 1000))
    assert long.full_epochs == 100_000
    assert long.epochs_expected == pytest.approx(10 * short.epochs_expected)


@pytest.mark.parametrize("scheduler", [RunToEnd(), ASHA(), Hyperband(), PBT()])
@pytest.mark.parametrize("trials", [1000, math.inf])
def test_what_is_expected_of_a_search_in_time_is_what_it_does(scheduler, trials):
    """Against one that is played to its end."""
    cast = forecast(timed(scheduler, trials, time=900.0), "", 3, [2.0])
    table = RandomCurves(LARGE, 9, [2.0])
    played = replace(timed(scheduler, 10_000, time=900.0), seed=99)
    simulation = Simulation(played, Cluster(table, 3), Budget(10_000))
    seconds = [moment.since for moment in simulation][-1]
    epochs = sum(len(trial.reports) for trial in simulation.history.trials.values())
    assert cast.epochs_expected == pytest.approx(epochs, rel=0.05)
    assert cast.trials_expected == pytest.approx(simulation.history.trained, rel=0.2)
    assert cast.seconds_expected == pytest.approx(seconds, rel=0.1)
    assert cast.epochs_expected <= cast.full_epochs * 1.01
    assert cast.time == 900.0


def test_gpu_hours_are_time_on_the_gpus_that_are_held():
    held = RunLimits(gpu_hours=0.5)
    cast = forecast(replace(timed(ASHA(), math.inf), limits=held), "asha", 4, [2.0], gpus=0.25)
    assert cast.time == 1800.0
    assert cast.full_epochs == 4 * 900
    assert cast.seconds_expected == pytest.approx(1800, rel=0.01)


def test_a_long_time_is_scaled_up_and_no_further_than_there_is_anything_to_train():
    short, long = (forecast(timed(ASHA(), math.inf, t), "", 2, [1.0]) for t in (3600.0, 36e4))
    assert long.epochs_expected == pytest.approx(100 * short.epochs_expected, rel=0.1)
    assert long.seconds_expected == pytest.approx(36e4, rel=0.01)
    few = Space({"n": Choice(tuple(range(20)))})
    scarce = replace(timed(ASHA(), math.inf, 36e4), space=few)
    assert forecast(scarce, "", 2, [1.0]).epochs_expected <= 20 * 9


def test_the_most_that_is_said_of_a_population_is_what_it_trains():
    for trials in (4, 40, 1000, math.inf):
        cast = forecast(timed(PBT(), trials), "pbt", 2, [1.0])
        assert cast.full_epochs == min(trials, 8) * 9
        assert cast.epochs_expected == pytest.approx(cast.full_epochs)
        assert cast.trials_expected == pytest.approx(16 if trials >= 16 else 4)


def test_a_spread_is_of_what_was_measured():
    assert Spread.of([3, 1, 2, 10]) == Spread(1, 2.5, 10, 4)
