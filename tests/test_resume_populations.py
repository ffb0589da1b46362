"""Populations and brackets on two workers: killed or not, they become the same."""

import os
import signal

import numpy as np
import pytest
from ray_runs import cli, completed, events, process, wait_until

SETTINGS = {
    "pbt": ("--trials", 30, "--epochs", 6, "--set", "scheduler.population_size=4", "--tune", "lr"),
    "hyperband": ("--trials", 17, "--epochs", 9),
}


def search(scheduler, run):
    return cli(
        *("search", "--space", "mlp", "--searcher", "random", "--max-concurrent", 2),
        *("--scheduler", scheduler, *SETTINGS[scheduler], "--seed", 5, "--output", run),
    )


def settled(run):
    """Return what does not depend on which worker was faster: every trial, and all it said."""
    trials = {}
    for event in events(run):
        if event["event"] == "started":
            begun = ("architecture", "epochs", "seed", "parent", "inherits", "begin")
            trials[event["number"]] = [{name: event[name] for name in begun}]
        elif event["event"] == "report":
            metrics = {k: v for k, v in event["metrics"].items() if "seconds" not in k}
            trials[event["number"]].append((event["epoch"], metrics))
    return trials


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SETTINGS)
def test_killed_at_random_moments_it_becomes_the_same(scheduler, tmp_path):
    status, _, errors = completed(*search(scheduler, tmp_path / "whole"))
    assert status == 0, errors
    expected, length = settled(tmp_path / "whole"), len(events(tmp_path / "whole"))
    assert any(event["event"] == "resumed" for event in events(tmp_path / "whole"))
    run = tmp_path / "run"
    command, before = search(scheduler, run), 0
    for moment in np.sort(np.random.default_rng(1).integers(4, length - 4, size=2)):
        with process(*command) as started:
            goal = max(int(moment), before + 1)
            assert wait_until(lambda goal=goal: len(events(run)) >= goal, started)
            os.kill(started.pid, signal.SIGKILL)
        before = len(events(run))
        command = cli("resume", run)
    status, _, errors = completed(*command)
    assert status == 0, errors
    assert settled(run) == expected
    if scheduler == "pbt":
        heirs = [trial[0] for trial in expected.values() if trial[0]["inherits"]]
        assert heirs
        assert {heir["begin"] for heir in heirs} <= {2, 4}
    left = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert len(left) <= len(expected)
