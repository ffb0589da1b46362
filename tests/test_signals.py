"""What a signal does to a run: it ends in good order, and nobody is blamed."""

import os
import signal
import time

import pytest
from ray_runs import PATIENCE, cli, events, process, wait_until

SLOW = """
import time
from torch import nn
from raynas import Choice, Space

SPACE = Space({"width": Choice(list(range(8)))})


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images):
        time.sleep(0.01)
        return self.layer(images.flatten(1))


def build(architecture, input_shape, classes):
    return Slow()
"""


@pytest.fixture
def search(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    options = {"space": tmp_path / "slow.py", "output": tmp_path / "run", "searcher": "random"}
    options |= {"scheduler": "none", "trials": 20, "epochs": 1000, "max-concurrent": 1}
    options |= {"max-failures": 20}  # no network is tried before the first trial
    return cli(
        "search", *(text for name, value in options.items() for text in (f"--{name}", value))
    )


def stopped(started, number):
    output, errors = started.communicate(timeout=PATIENCE)
    assert started.returncode == 128 + number, errors
    assert f"stopped by {signal.Signals(number).name}" in errors
    assert "Traceback" not in output + errors
    assert "***" not in output + errors
    return output, errors


@pytest.mark.slow
def test_a_trial_comes_to_a_checkpoint_and_goes_on_from_there(search, tmp_path):
    with process(*search) as started:
        assert wait_until(lambda: "report" in kinds(tmp_path), started), started.stderr.read()
        os.kill(started.pid, signal.SIGTERM)
        _, errors = stopped(started, signal.SIGTERM)
    assert f"To continue: raynas resume {tmp_path / 'run'}" in errors
    assert "SIGTERM: trials end after their current epoch" in errors
    before = events(tmp_path / "run")
    assert before[-1]["event"] == "report"  # the trial has not ended
    with process(*cli("resume", tmp_path / "run")) as again:
        assert wait_until(lambda: len(events(tmp_path / "run")) > len(before) + 1, again)
        for _ in range(3):  # as somebody does who is in a hurry
            os.kill(again.pid, signal.SIGINT)
            time.sleep(0.1)
        stopped(again, signal.SIGINT)
    after = events(tmp_path / "run")[len(before) :]
    assert after[0]["event"] == "report"
    assert after[0]["epoch"] == before[-1]["epoch"] + 1


def test_before_the_run_begins_it_ends_at_once(search, tmp_path):
    waits = "from pathlib import Path\nPath(__file__).with_name('read').touch()\ntime.sleep(600)\n"
    (tmp_path / "slow.py").write_text(SLOW + waits)
    with process(*search) as started:
        assert wait_until((tmp_path / "read").exists, started), started.stderr.read()
        os.kill(started.pid, signal.SIGHUP)
        started.communicate(timeout=PATIENCE)
        assert started.returncode in {128 + signal.SIGHUP, -signal.SIGHUP}
    assert not (tmp_path / "run" / "journal.jsonl").exists()


def kinds(folder):
    try:
        return [event["event"] for event in events(folder / "run")]
    except FileNotFoundError:
        return []
