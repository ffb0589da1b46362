"""Populations and brackets on two workers: killed or not, they become the same as on one."""

import in_process
import pytest
from command import called
from ray_runs import cli, completed, events, process, wait_until

SETTINGS = {
    "pbt": ("--trials", 30, "--epochs", 6, "--set", "scheduler.population_size=4", "--tune", "lr"),
    "hyperband": ("--trials", 17, "--epochs", 9),
}
SHARE = {"pbt": 0.4, "hyperband": 0.6}  # of the events, after which a run is killed


def search(scheduler, run):
    return (
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
def test_killed_in_the_middle_it_becomes_the_same(scheduler, tmp_path):
    with in_process.without_ray():  # and on one worker
        status, _, errors = called(*search(scheduler, tmp_path / "whole"))
    assert status == 0, errors
    expected, length = settled(tmp_path / "whole"), len(events(tmp_path / "whole"))
    assert any(event["event"] == "resumed" for event in events(tmp_path / "whole"))
    run = tmp_path / "run"
    with process(*cli(*search(scheduler, run))) as started:
        moment = int(SHARE[scheduler] * length)
        assert wait_until(lambda: len(events(run)) >= moment, started), started.stderr.read()
        started.kill()
    status, _, errors = completed(*cli("resume", run))
    assert status == 0, errors
    assert settled(run) == expected
    if scheduler == "pbt":
        heirs = [trial[0] for trial in expected.values() if trial[0]["inherits"]]
        assert heirs
        assert {heir["begin"] for heir in heirs} <= {2, 4}
    left = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert len(left) <= len(expected)
