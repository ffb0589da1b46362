"""Whole searches, most on a real Ray of two CPUs that this process has started and leaves running.

What does not depend on Ray is seen without it.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass

import in_process
import pytest
import torch
from user_files import FEW_DIGITS, MOODY_SPACE

import raynas
from raynas import journal
from raynas.errors import ConfigError, ResourceError, RunError, SearcherError
from raynas.space import Architecture
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.trial import Proposal, Report
from search_spaces import mlp

NET = {"layers": 1, "layers.0.width": 16, "activation": "ReLU", "norm": "batch", "dropout": 0.0}


@pytest.fixture
def mine(tmp_path, cluster, monkeypatch):  # noqa: ARG001 - whose runs need it
    """The user's own files, in a folder that is not the one raynas is called in."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_space.py").write_text(MOODY_SPACE.format(folder=str(folder)))
    (folder / "my_tasks.py").write_text(FEW_DIGITS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return folder


class Script:
    """Proposes one kind after the other, twins if it comes twice; raises what cannot be one."""

    def __init__(self, *kinds):
        self.kinds = kinds

    def __repr__(self):
        return "Script"

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        kind = self.kinds[len(history.trials)]
        if isinstance(kind, Exception):
            raise kind
        twin = sum(trial.architecture["kind"] == kind for trial in history.trials.values())
        return Proposal(Architecture({"kind": kind, "twin": twin}))


@dataclass
class At:
    """Does something as soon as an event comes that is looked for."""

    wanted: object
    act: object

    def write(self, event, history):  # noqa: ARG002 - by contract
        if self.wanted(event):
            self.act()


def search(mine, *kinds, watchers=(), **settings):
    return raynas.search(
        watchers,
        space=str(mine / "my_space.py"),
        task=f"{mine}/my_tasks.py:Few",
        searcher=Script(*kinds),
        trials=len(kinds),
        # With a limit on failures no network is looked at before the first trial.
        **{
            "scheduler": "none",
            "epochs": 2,
            "max_failures": 99,
            "output": mine / "run",
            **settings,
        },
    )


def events(folder):
    """Read the journal as it is on the disk."""
    lines = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return [event for event in lines if event["event"] != "run"]


def at_once(folder):
    """Return the largest number of trials that ran at the same time."""
    running = most = 0
    for event in events(folder):
        running += {"started": 1, "finished": -1, "failed": -1}.get(event["event"], 0)
        most = max(most, running)
    return most


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_search_by_names_leaves_a_winner_that_works(tmp_path):
    output = tmp_path / "run"
    result = raynas.search(
        space="mlp",
        task="digits",
        searcher="evolution",
        searcher_options={"population_size": 3, "tournament_size": 2},
        scheduler="asha",
        trials=8,
        epochs=3,
        output=output,
    )
    assert len(result.history.finished) == 8
    assert result.leaderboard()["trial"].tolist()[0] == result.best.number
    assert result.history == journal.read(output).history
    assert at_once(output) == 2
    assert not list((output / "checkpoints").iterdir())

    assert result.winner.number == result.best.number
    data = Digits().load(Source(), 0)
    network = torch.export.load(output / "winner" / "network.pt2").module()
    said = network(torch.from_numpy(data.test.inputs)).argmax(1)
    right = (said == torch.from_numpy(data.test.targets)).float().mean().item()
    assert right == pytest.approx(result.winner.metrics["test_accuracy"])
    card = json.loads((output / "winner" / "architecture.json").read_text())
    assert mlp.SPACE.architecture(card["architecture"]) == result.best.architecture
    before = (output / "journal.jsonl").read_bytes()
    assert raynas.resume(output).history == result.history  # there is nothing left to do
    assert (output / "journal.jsonl").read_bytes() == before


def test_a_winner_that_cannot_be_exported_leaves_its_weights_and_that_is_said(mine, caplog):
    with in_process.without_ray():
        result = search(mine, "looks", epochs=1)
    assert result.winner.metrics["test_accuracy"] > 0
    left = {file.name for file in (mine / "run" / "winner").iterdir()}
    assert {"weights.safetensors", "architecture.json"} <= left
    assert "network.pt2" not in left
    (said,) = [r.getMessage() for r in caplog.records if "network.pt2" in r.getMessage()]
    assert "torch cannot export this network (" in said


@pytest.mark.slow
def test_failures_are_rows_and_two_workers_do_it_all_side_by_side(mine):
    kinds = ("meets", "meets", "refuses", "raises", "misfits", "diverges", "raises", "plain")
    result = search(mine, *kinds, task_options={"count": 200}, space_options={"features": 64})
    reasons = {t.architecture["kind"]: t.outcome.reason for t in result.history.failed}
    assert reasons == {
        "refuses": "the network cannot be built: nothing can be built on (1, 8, 8)",
        "raises": "IndexError: list index out of range",
        "misfits": "a network must return one logit per class for every example, (30, 10): "
        "got (30, 11)",
        "diverges": reasons["diverges"],
    }
    assert reasons["diverges"].startswith("training diverged: train_loss is ")
    frame = result.leaderboard()
    assert Counter(frame["status"]) == {"finished": 3, "failed": 5}
    finished = {trial.architecture["kind"] for trial in result.history.finished}
    assert finished == {"meets", "plain"}  # two met: they were in two processes at one time
    # This process builds networks, too, to draw them.
    built = (mine / "workers").read_text().split()
    workers = [pid for pid in built if int(pid) != os.getpid()]
    again = sum(len(trial.retries) for trial in result.history.trials.values())
    assert again in {1, 2}  # what raises is tried in a new worker; both, if they raise at once
    assert len(workers) == len(kinds) + again + 1
    # The new worker takes the place of the used one; for the next trial, that may start again.
    assert 2 + again <= len(set(workers[:-1])) <= 2 + 2 * again
    assert result.winner.metrics["test_accuracy"] > 0.3


def second_report_of(number):
    return lambda event: isinstance(event, Report) and (event.number, event.epoch) == (number, 2)


@pytest.mark.slow
def test_interrupted_then_stuck_then_mended_nothing_is_lost(mine, monkeypatch):
    monkeypatch.chdir(mine)  # whose modules are found where one stands
    with (mine / "my_space.py").open("a") as file:
        file.write("\nclass OWN: SPACE, build = SPACE, staticmethod(build)\n")
    given = {"space": "my_space:OWN", "task": "my_tasks:Few", "scheduler": "none", "epochs": 3}
    output = mine / "run"

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        raynas.search(
            [At(second_report_of(1), interrupt)],
            **given,
            searcher=Script("plain", "plain", "plain"),
            trials=3,
            output=output,
            cpus_per_trial=2,  # whatever the interrupted search would leave behind is in the way
        )
    interrupted = events(output)
    assert interrupted[-1]["event"] == "report"
    assert (output / "checkpoints" / "trial-0001.pt").exists()

    stuck = Script("plain", "plain", ZeroDivisionError("no kind is left"))
    with pytest.raises(
        SearcherError, match="could not propose trial 2: it raised ZeroDivisionError: no kind"
    ):
        raynas.resume(output, searcher=stuck)
    assert events(output)[: len(interrupted)] == interrupted
    assert [trial.epoch for trial in raynas.load(output).history.finished] == [3, 3]

    mended = raynas.resume(output, searcher=Script("plain", "plain", "refuses"))
    assert len(mended.history.finished) == 2
    assert len(mended.history.failed) == 1
    assert mended.winner.number == mended.best.number
    assert at_once(output) == 1


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_one_that_always_dies_is_lost(mine):
    half_trained = At(second_report_of(0), (mine / "half trained").touch)
    kinds = ("dies once", "dies", "plain")
    result = search(mine, *kinds, watchers=[half_trained], epochs=3)
    assert [trial.architecture["kind"] for trial in result.history.failed] == ["dies"]
    (lost,) = result.history.failed
    assert lost.outcome.cause == "circumstances"
    assert lost.outcome.reason.startswith("its worker was lost: ")
    assert (mine / "dies").read_text() == "xxx"
    assert (mine / "dies once").read_text() == "x"
    assert [report.epoch for report in result.history.trials[0].reports] == [1, 2, 3]


def test_a_run_in_which_nothing_finished_says_why(mine):
    says = r"none of 2 trials finished: .*IndexError: list index"
    with in_process.without_ray(), pytest.raises(RunError, match=says):
        search(mine, "raises", "refuses")
    assert len(raynas.load(mine / "run").history.failed) == 2


@pytest.mark.slow
def test_a_winner_that_cannot_be_trained_again_is_a_failed_run_that_can_be_resumed(mine):
    says = "the winner, trial 0, could not be trained and tested: IndexError: list index"
    with pytest.raises(RunError, match=says):
        search(mine, "once")
    (mine / "once").unlink()
    mended = raynas.resume(mine / "run", searcher=Script("once"))
    assert mended.winner.number == 0
    assert len(mended.history.trials) == 1


def test_an_objective_nobody_reports_is_named_with_those_there_are(mine):
    with pytest.raises(ConfigError, match="no metric 'val_acuracy': did you mean 'val_accuracy'"):
        search(mine, "plain", objective="val_acuracy:max")


def test_what_no_node_can_hold_is_refused_at_once(mine):
    with pytest.raises(
        ResourceError, match=r"asks for 3 CPUs and 0 GPUs .* have 2 CPUs and 0 GPU"
    ):
        search(mine, "plain", cpus_per_trial=3)
    with pytest.raises(
        ResourceError, match=r"asks for 1 CPUs and 1 GPUs .* have 2 CPUs and 0 GPU"
    ):
        search(mine, "plain", gpus_per_trial=1)
    assert not (mine / "run" / "journal.jsonl").exists()
