"""Latency and energy that are measured: what a probe returns, and when it returns nothing."""

import json
import shlex
import sys

import numpy as np
import pytest
import torch
from torch import nn

import raynas
from raynas.costs.probe import check_name, energy, make
from raynas.costs.probe.command_probe import CommandProbe
from raynas.costs.probe.reading import settled
from raynas.costs.timing import milliseconds
from raynas.errors import ConfigError, ProbeError, ResourceError, RunError
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.cluster import Share, settle, without
from raynas.execution.work import ProbeWork
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.known_costs import before_training, probe_of
from raynas.journal import read
from raynas.tasks.digits import Digits

NET, INPUTS = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)), torch.zeros(1, 8)


def test_the_median_of_readings_counts():
    assert settled(lambda: np.array([1.0, 1.1, 1.2, 50.0, 1.1])) == 1.1


def test_readings_are_taken_again_if_they_spread_and_refused_if_they_always_do():
    wild, calm = np.array([1.0, 5.0, 9.0, 3.0]), np.full(4, 2.0)
    turns = iter([wild, calm])
    assert settled(lambda: next(turns)) == 2.0
    with pytest.raises(ProbeError, match=r"spread by at most half .* 88 % of the median of 4 ms"):
        settled(lambda: wild)
    with pytest.raises(ProbeError, match="let nothing else run"):
        settled(lambda: np.zeros(4))


@pytest.fixture
def threads():
    """The probes compute with one thread; other tests want theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_short_calls_are_repeated_in_a_reading():
    calls = []
    assert milliseconds([lambda: calls.append(1)], 4, torch.device("cpu")).shape == (4, 1)
    assert len(calls) > 4 * 4


@pytest.mark.usefixtures("threads")
def test_torch_and_onnx_measure_on_this_machine():
    for name in ("torch", "onnx"):
        if name == "onnx":
            pytest.importorskip("onnxruntime")
            pytest.importorskip("onnxscript")
        probe = make(name, ("latency_ms",))
        assert 0 < probe.measure(NET, INPUTS)["latency_ms"] < 1000
        assert name in probe.device


@pytest.mark.usefixtures("threads")
def test_a_network_that_fails_is_not_measured():
    with pytest.raises(ProbeError, match="could not be run by the probe"):
        make("torch", ("latency_ms",)).measure(nn.Linear(3, 3), INPUTS)


def printing(code, file="{pt2}"):
    return CommandProbe(shlex.join([sys.executable, "-c", code, file]))


def test_a_command_gets_the_network_as_a_file():
    code = "import sys; open(sys.argv[1], 'rb').read(2) == b'PK' and print('2.5\\n2.0\\n3')"
    assert printing(code).measure(NET, INPUTS) == {"latency_ms": 2.5}


@pytest.mark.parametrize("said", ["", "2.5 ms", "nan", "-1", "0", "latency: 3", "1 2", "inf"])
def test_a_command_must_print_milliseconds_alone(said):
    with pytest.raises(ProbeError, match="must print milliseconds, one positive number"):
        printing(f"print({said!r})").measure(NET, INPUTS)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "import sys; sys.exit('no board')",
            r"status 0, it ended with 1 .* no board",
        ),
        ("print(1); print(9); print(4); print(2)", "readings of the latency must spread"),
    ],
)
def test_a_command_that_fails_gives_no_number(code, message):
    with pytest.raises(ProbeError, match=message):
        printing(code).measure(NET, INPUTS)


def test_a_command_that_does_not_end_gives_no_number():
    probe = CommandProbe(
        f"{sys.executable} -c 'import time; time.sleep(60)' {{pt2}}", timeout_s=0.5
    )
    with pytest.raises(ProbeError, match=r"must end within 0\.5 s"):
        probe.measure(NET, INPUTS)
    with pytest.raises(ProbeError, match="cannot be run"):
        CommandProbe("/no/such/program {pt2}").measure(NET, INPUTS)


def test_unknown_probes_are_refused():
    check_name("ssh board run {model}")
    with pytest.raises(ConfigError, match="a probe must be torch, torch:cuda, onnx, or a command"):
        check_name("tensorrt")
    with pytest.raises(ConfigError, match="energy_mj must be measured by the probe 'torch'"):
        make("ssh board run {model}", ("energy_mj",))


def test_energy_is_read_where_the_processor_says_it(tmp_path):
    with pytest.raises(ConfigError, match="there is none here"):
        energy._cpu(tmp_path)
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (package / "max_energy_range_uj").write_text("10000000\n")
    (package / "energy_uj").write_text("9000000\n")
    joules = energy._cpu(tmp_path)
    (package / "energy_uj").write_text("500000\n")  # the counter has begun again
    assert joules() == pytest.approx(1.5)
    (package / "energy_uj").unlink()
    with pytest.raises(ConfigError, match="often only root may read"):
        energy._cpu(tmp_path)


def test_what_is_asked_for_decides_what_is_measured():
    wanted = Experiment(objective=("val_accuracy", "latency_ms:min"), constraint="params<=1k")
    task = Digits()
    assert probe_of(wanted, task).metrics == ("latency_ms",)
    assert probe_of(wanted, task).share == Resources(1.0, 0.0)
    assert [one.metric for one in before_training(wanted, task)] == ["params"]
    both = Experiment(constraint=("latency_ms<=5", "val_accuracy>=0.9"))
    assert [one.metric for one in before_training(both, task)] == ["latency_ms"]
    assert probe_of(Experiment(), task) is None
    with pytest.raises(ConfigError, match="neither is an objective, a constraint or the target"):
        probe_of(Experiment(probe="torch"), task)


def test_a_probe_holds_a_core_beside_the_trials():
    held = ProbeWork("torch", ("latency_ms",), "").share
    nodes = {"a": Resources(3.0, 0.0)}
    assert settle(Share(), without(nodes, held)).count == 2
    with pytest.raises(ResourceError, match="a probe needs a device of its own"):
        without(nodes, ProbeWork("torch:cuda", (), "").share)
    assert not ProbeWork("ssh board run {model}", (), "").share.cpus


def searched(output, **settings):
    return raynas.search(
        **{
            "space": "mlp",
            "searcher": "random",
            "scheduler": "none",
            "epochs": 1,
            "trials": 3,
            "output": output,
            **settings,
        }
    )


@pytest.mark.usefixtures("cluster")
def test_a_search_refuses_by_costs_and_measures_the_rest(tmp_path):
    result = searched(
        tmp_path / "run",
        objective=("val_accuracy", "latency_ms:min"),
        constraint=("params<=12k", "latency_ms<=1000"),
    )
    history = result.history
    trained = [one for one in history.trials.values() if one.trained]
    assert len(trained) == 3
    assert all(one.metrics["params"] <= 12_000 for one in trained)
    assert all(one.metrics["latency_ms"] > 0 for one in trained)
    assert all("params must be at most 12000" in one.outcome.reason for one in history.failed)
    lines = (tmp_path / "run" / "measurements.jsonl").read_text().splitlines()
    assert len(lines) == len({one.architecture for one in trained})
    assert json.loads(lines[0])["metrics"]["latency_ms"] > 0
    assert read(tmp_path / "run").history.constraints == history.constraints


@pytest.mark.usefixtures("cluster")
def test_without_a_trial_that_keeps_the_constraints_there_is_no_winner(tmp_path):
    with pytest.raises(RunError, match=r"none of 1 finished trials keeps the constraints: .*got"):
        searched(tmp_path / "run", trials=1, constraint="val_accuracy>=1.01")


@pytest.mark.usefixtures("cluster")
def test_a_trial_that_could_not_be_measured_has_failed_with_the_reason(tmp_path):
    command = shlex.join([sys.executable, "-c", "print('slow')", "{pt2}"])
    with pytest.raises(RunError, match="must print milliseconds"):
        searched(tmp_path / "other", trials=1, objective="latency_ms:min", probe=command)
