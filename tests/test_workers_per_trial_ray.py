"""Searches whose trials have two workers, on a real Ray: one of them is lost, or fails."""

import os
import signal

import pytest
from ray_runs import descendants, wait_until

import raynas
from raynas.errors import RunError
from raynas.journal import read
from raynas.trial import Report, WinnerEpoch

pytestmark = pytest.mark.slow


class Killer:
    """Kills the only process that accompanies a trial: once in the search, once in the end."""

    def __init__(self):
        self.left = [(Report, 2), (WinnerEpoch, 1)]

    def write(self, event, history):
        del history
        if self.left and isinstance(event, self.left[0][0]) and event.epoch == self.left[0][1]:
            self.left.pop(0)
            assert wait_until(lambda: len(companions()) == 1)  # that of the last trial ends
            os.kill(*companions(), signal.SIGKILL)


def companions():
    """Return the numbers of the processes that accompany a trial of this process."""
    known = descendants(os.getpid()).items()
    return [pid for pid, name in known if name.startswith("ray::PeerProces")]


@pytest.mark.usefixtures("cluster")
def test_a_search_ends_though_it_loses_a_process_of_a_trial_and_of_the_winner(tmp_path):
    killer = Killer()
    found = raynas.search(
        [killer],
        space="mlp",
        scheduler="asha",
        trials=2,
        epochs=4,
        workers_per_trial=2,
        output=tmp_path / "run",
    )
    history, first = found.history, found.history.trials[0]
    assert not killer.left
    (retried,) = first.retries
    assert (retried.remedy, retried.epoch) == ("worker", 2)
    assert "process 1 of its training failed" in retried.reason
    assert [report.epoch for report in first.reports] == [1, 2, 3, 4]
    assert not history.failed
    assert not any(one.retries for one in history.trials.values() if one is not first)
    assert history.winner.metrics["test_accuracy"] > 0.5
    assert history.winner.folder


RAISES = """
from torch import distributed, nn

from raynas.space import Int, Space

SPACE = Space({"width": Int(8, 64)})


class Picky(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.layer = nn.Linear(features, outputs)

    def forward(self, inputs):
        if distributed.is_initialized() and distributed.get_rank() == 1:
            raise ValueError("these rows are not to my taste")
        return self.layer(inputs.flatten(1))


def build(architecture, input_shape, outputs):
    return Picky(64, outputs)
"""


BUSY = RAISES.replace("self.layer(inputs", "self.busy(inputs").replace(
    "def build(",
    """    def busy(self, inputs):
        if distributed.is_initialized():
            time.sleep(3600)
        return self.layer(inputs)


def build(""",
)
BUSY = BUSY.replace("return Picky", "peer_processes._GRACE = 1.0\n    return Picky").replace(
    "from torch import", "import time\n\nfrom torch import"
)
BUSY = BUSY.replace("SPACE =", "from raynas.execution.ray_tune import peer_processes\n\nSPACE =")


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("text", [RAISES, BUSY], ids=["at once", "while process 0 is busy"])
def test_an_error_in_another_process_is_that_of_the_network(text, tmp_path):
    (tmp_path / "picky.py").write_text(text)
    space = str(tmp_path / "picky.py")
    with pytest.raises(RunError, match="process 1 of its training failed: ValueError: these rows"):
        raynas.search(space=space, trials=1, workers_per_trial=2, output=tmp_path / "run")
    (trial,) = read(tmp_path / "run").history.trials.values()
    assert not trial.retries
    assert trial.outcome.cause == "architecture"
    assert "picky.py" in trial.outcome.detail
