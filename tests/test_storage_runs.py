"""Runs in an S3 server: from the search to the winner, and after drivers that were killed."""

import json
import os
import signal
from threading import Timer

import in_process
import pytest
import s3fs
import torch
from command import called
from ray_runs import cli, completed, process, wait_until
from s3_server import environment, s3_server

import raynas
from raynas import journal
from raynas.execution.checkpoint_file import CheckpointFile
from raynas.storage import Address, store_of
from raynas.trial import Report

TIMED = {"at", "seconds", "worker"}
SETTINGS = {
    "space": "mlp",
    "task": "digits",
    "searcher": "evolution",
    "searcher_options": {"population_size": 3, "tournament_size": 2},
    "scheduler": "asha",
    "trials": 5,
    "epochs": 3,
    "seed": 3,
}
SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import in_process, raynas
from raynas.experiment.run import search as module
module._execute = in_process.execute
raynas.search(output={output!r}, **{settings!r})
"""


@pytest.fixture(scope="module")
def s3():
    with s3_server() as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(proxy.port).items():
            patch.setenv(name, value)
        yield proxy


@pytest.fixture
def here():
    with in_process.without_ray():
        yield


def events(place):
    """Return what a journal says happened, without when, how fast and by whom."""
    if not journal.exists(place):
        return []
    told = map(json.loads, store_of(place).log("journal").lines(2**20))
    return [
        {name: value for name, value in event.items() if name not in TIMED}
        for event in told
        if event["event"] not in {"run", "opened"}
    ]


def _of_trials(happened):
    return [event for event in happened if event["event"] != "winnerepoch"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run that nobody disturbs."""
    with in_process.without_ray():
        folder = tmp_path_factory.mktemp("undisturbed") / "run"
        raynas.search(output=folder, **SETTINGS)
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder):
    """The events of that run."""
    return events(folder)


@pytest.mark.usefixtures("s3", "here")
def test_a_run_in_an_object_store_is_the_run_in_a_folder(undisturbed):
    place = Address("s3", "bucket/whole")
    result = raynas.search(output=str(place), **SETTINGS)
    assert events(place) == undisturbed
    store = store_of(place)
    assert store.names("checkpoints") == []
    assert {"journal", "journal.lease", "winner", "trial-0000"} <= {*store.names()}
    assert store.names("trial-0000")[0].startswith("events.out.tfevents.")
    files = {"architecture.json", "network.pt2", "weights.safetensors"}
    assert files < {*store.names("winner")}
    winner = raynas.load_winner(str(place))
    assert winner(torch.zeros(1, 8, 8)).shape[0] == 1
    assert raynas.load(str(place)).winner == result.winner
    assert raynas.resume(str(place)).history == result.history  # nothing is left to do
    status, said, _ = called("show", place)
    assert (status, "winner: trial" in said) == (0, True)


@pytest.mark.usefixtures("s3", "here")
def test_a_run_folder_that_was_copied_by_hand_is_shown_reported_and_continued(folder, tmp_path):
    place = Address("s3", "bucket/copied")
    s3fs.S3FileSystem().put(f"{folder}/", f"{place.path}/", recursive=True)
    status, said, _ = called("show", place)
    assert (status, "winner: trial" in said) == (0, True)
    status, _, said = called("report", place, "--output", tmp_path / "report.html")
    assert (status, (tmp_path / "report.html").exists()) == (0, True), said
    assert called("list", "s3://bucket")[1].count("copied") == 1
    result = raynas.resume(str(place), trials=6)
    assert len(result.history.trials) == 6
    assert raynas.load_winner(str(place))(torch.zeros(1, 8, 8)).shape[0] == 1


@pytest.mark.usefixtures("here")
def test_a_store_that_refuses_in_mid_run_loses_nothing(s3, undisturbed):
    place = Address("s3", "bucket/refusing")

    class Refusing:
        def write(self, event, history):  # noqa: ARG002 - by contract
            if isinstance(event, Report) and (event.number, event.epoch) == (1, 1):
                s3.refuses = True
                Timer(1.5, setattr, (s3, "refuses", False)).start()

    raynas.search(output=str(place), watchers=[Refusing()], **SETTINGS)
    assert not s3.refuses
    assert events(place) == undisturbed
    assert store_of(place).names("checkpoints") == []


@pytest.mark.usefixtures("s3", "here")
def test_a_driver_that_is_killed_loses_nothing(undisturbed, tmp_path):
    place = Address("s3", "bucket/killed")
    tests = os.path.dirname(__file__)  # noqa: PTH120
    script = SCRIPT.format(tests=tests, output=str(place), settings=SETTINGS)
    with process("-c", script, TMPDIR=str(tmp_path), **s3_environment()) as driver:
        assert wait_until(lambda: len(events(place)) >= 7, driver)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    safe = events(place)
    assert undisturbed[: len(safe)] == safe
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))  # the driver's: it is seen to be dead
        raynas.resume(str(place))
    assert events(place) == undisturbed


@pytest.mark.slow
@pytest.mark.usefixtures("s3")
def test_a_driver_on_ray_that_is_killed_loses_nothing(undisturbed, tmp_path):
    place = Address("s3", "bucket/ray")
    settings = tmp_path / "settings.yaml"
    settings.write_text(json.dumps({**SETTINGS, "max_concurrent": 1}))
    search = cli("search", "--config", settings, "--output", place)
    signs = {"TMPDIR": str(tmp_path), **s3_environment()}
    with process(*search, **signs) as driver:
        assert wait_until(lambda: len(events(place)) >= 9, driver)
        driver.send_signal(signal.SIGSTOP)  # it must not end before it is looked at
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tempfile.tempdir", str(tmp_path))  # the driver's: it is seen to live
            status, _, said = called("resume", place)
        assert (status, "another process is writing the run" in said) == (2, True)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    status, _, said = completed(*cli("resume", place), **signs)
    assert status == 0, said
    assert "begins again" not in said
    # If the driver had come to the winner, its first epochs may be in its checkpoint only.
    assert _of_trials(events(place)) == _of_trials(undisturbed)


def s3_environment():
    return {name: os.environ[name] for name in environment(0)}  # noqa: TID251


# Checkpoints


@pytest.mark.usefixtures("s3")
def test_the_last_checkpoint_that_was_sent_is_the_one_that_is_read():
    place = Address("s3", "bucket/slow")
    file = CheckpointFile.at(f"{place}/checkpoints/trial-0000.pt")
    file.save({"training": {}, "epoch": 1})
    file.save({"training": {}, "epoch": 2})
    file.settle()
    saved, lacking = file.read(torch.device("cpu"))
    assert (saved["epoch"], lacking) == (2, "")


@pytest.mark.parametrize("harm", [lambda file: file[: len(file) // 2], lambda _: b""])
@pytest.mark.usefixtures("s3")
def test_a_torn_checkpoint_is_said(harm):
    file = CheckpointFile.at("s3://bucket/torn/trial-0000.pt")
    file.save({"training": {}})
    file.settle()
    file.store.write({file.name: harm(file.store.read(file.name))})
    saved, lacking = file.read(torch.device("cpu"))
    assert saved == {}
    assert "its checkpoint s3://bucket/torn/trial-0000.pt cannot be read: " in lacking
