"""Runs that are killed, again and again, against the same run left in peace."""

import os
import signal
from contextlib import ExitStack

import in_process
import numpy as np
import pytest
from command import called
from ray_runs import PATIENCE, cli, completed, events, members, process, wait_until

TRIALS, EPOCHS, GRACE = 10, 6, 2
SETTINGS = (
    *("--trials", TRIALS, "--epochs", EPOCHS, "--seed", 3, "--max-concurrent", 1),
    *("--searcher", "evolution", "--set", "searcher.population_size=4"),
    *("--scheduler", "asha", "--set", f"scheduler.grace_epochs={GRACE}"),
)

# Writes down every epoch that is trained, by whomever. Runs that are disturbed are slow: on a busy
# machine, too, they are seen before they end.
SPACE_FILE = """
import time
from pathlib import Path

from torch import nn

from search_spaces import mlp

SPACE = mlp.SPACE


class Noted(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def train(self, mode=True):
        if mode:
            with Path({log!r}).open("a") as file:
                file.write("x")
            time.sleep({pause})
        return super().train(mode)

    def forward(self, inputs):
        return self.network(inputs)


def build(architecture, input_shape, classes):
    return Noted(mlp.build(architecture, input_shape, classes))
"""


def search(folder, pause=0.0):
    folder.mkdir(exist_ok=True)
    text = SPACE_FILE.format(log=str(folder / "epochs"), pause=pause)
    (folder / "space.py").write_text(text)
    space = ("--space", folder / "space.py", "--max-failures", TRIALS)  # no network is tried first
    return ("search", *space, *SETTINGS, "--output", folder / "run")


def epochs_trained(folder):
    return len((folder / "epochs").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody disturbs, and that needs no Ray."""
    folder = tmp_path_factory.mktemp("whole")
    with in_process.without_ray():
        status, _, errors = called(*search(folder))
    assert status == 0, errors
    return folder


def half_trained(run, count):
    """Say when, with so many events in its journal, a run has a trial that will go on."""

    def condition():
        happened = events(run)
        last = happened[-1] if len(happened) >= count else {"event": "nothing"}
        return last["event"] == "report" and last["epoch"] not in {GRACE, EPOCHS}

    return condition


def working(started):
    """Say what of a killed process's Ray still works or holds on to something."""
    idle = {"ray::DashboardA", "ray::RuntimeEnv"}  # they look once a minute whether Ray is there
    return set(members(started.pid).values()) - idle


def at_once(run):
    """Return the largest number of trials that ran at the same time."""
    running = most = 0
    for event in events(run):
        running += {"started": 1, "finished": -1, "failed": -1}.get(event["event"], 0)
        most = max(most, running)
    return most


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_left_in_peace(whole, tmp_path):
    run, expected = tmp_path / "run", events(whole / "run")
    moments = np.sort(np.random.default_rng(7).integers(2, len(expected) - 2 * EPOCHS, size=3))
    command, before = cli(*search(tmp_path, pause=0.3)), []
    with ExitStack() as stack:
        for moment in moments[:2]:
            started = stack.enter_context(process(*command))
            half_way = half_trained(run, max(int(moment), len(before) + 1))
            assert wait_until(half_way, started), started.stderr.read()
            os.kill(started.pid, signal.SIGKILL)
            before = events(run)
            assert before == expected[: len(before)]
            command = cli("resume", run)  # at once, beside what is left of the killed one
            last = started

        started = stack.enter_context(process(*command))
        half_way = half_trained(run, max(int(moments[2]), len(before) + 1))
        assert wait_until(half_way, started), started.stderr.read()
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does
        _, errors = started.communicate(timeout=PATIENCE)
        assert started.returncode == 130
        assert errors.startswith("at most 10 trials of 6 epochs")
        assert errors.count("\n") <= 4  # with what is to come, and that trials end their epoch
        assert errors.endswith(
            f"raynas: stopped by SIGINT; nothing is lost\nTo continue: raynas resume {run}\n"
        )

        assert wait_until(lambda: not working(last))
        with (run / "journal.jsonl").open("ab") as file:
            file.write(b'{"event":"repo')
        status, _, errors = completed(*command)
    assert status == 0, errors
    assert "the last line of the journal was torn (14 bytes" in " ".join(errors.split())
    assert events(run) == expected
    assert at_once(run) == 1
    # Trained twice is what was not yet in the journal when a process died: an epoch each time.
    assert epochs_trained(tmp_path) <= epochs_trained(whole) + len(moments)


def test_a_finished_run_can_be_given_more_trials(whole):
    run, before = whole / "run", events(whole / "run")
    with in_process.without_ray():
        status, _, errors = called("resume", run, "--trials", TRIALS + 2)
    assert status == 0, errors
    after = events(run)
    assert after[: len(before)] == before
    started = [event["number"] for event in after if event["event"] == "started"]
    assert started == list(range(TRIALS + 2))
