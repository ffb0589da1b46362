"""What is done with runs in an S3 server after the search: by the command, and in Python."""

import json

import in_process
import numpy as np
import pytest
import torch
from insight_history import report, started
from recorded_runs import written
from s3_server import environment, s3_server

import raynas
from raynas import journal
from raynas.errors import ConfigError
from raynas.experiment.run import search as module
from raynas.experiment.run.compare import compared
from raynas.experiment.run.event_files import bring_event_files
from raynas.experiment.run.runs import runs_in
from raynas.journal import Journal
from raynas.storage import Address, bucket_or_location, store_of
from raynas.trial import Finished

RUN = Address("s3", "bucket/runs/first")
SETTINGS = {"space": "mlp", "task": "digits", "task_options": {"train": 60}, "epochs": 2}


@pytest.fixture(scope="module")
def s3():
    with s3_server() as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(proxy.port).items():
            patch.setenv(name, value)
        patch.setattr(module, "_execute", in_process.execute)
        yield proxy


@pytest.fixture(scope="module")
def run(s3):  # noqa: ARG001 - where it lies
    """A search with a winner."""
    raynas.search(**SETTINGS, scheduler="none", trials=3, output=str(RUN))
    return RUN


@pytest.fixture
def call(request):
    """Call the command: the fixture whose name is that of the package."""
    return request.getfixturevalue("raynas")


def test_a_report_is_written_here_or_to_an_address(run, call, tmp_path):
    assert call("report", run) == (0, "the report:    first/report.html\n", "")
    page = (tmp_path / "first" / "report.html").read_text()
    assert f"{RUN}-again" in page, "the command that repeats the run"
    there = "s3://bucket/pages/first.html"
    assert call("report", run, "--output", there) == (0, f"the report:    {there}\n", "")
    assert page.encode()[:99] in store_of(Address("s3", "bucket/pages")).read("first.html")


def test_the_best_are_trained_again_exported_and_predict(run, call, tmp_path, monkeypatch):
    monkeypatch.setattr("raynas.training.onnx_file.find_spec", lambda _: None)
    history = journal.read(run).history
    other = next(number for number in history.trials if number != history.winner.number)
    status, said, _ = call("retrain", run, "--trial", other, "--seeds", 1, "--epochs", 1)
    assert (status, f"raynas export {run} --trial {other}" in said) == (0, True)
    assert "trial-0000.pt" in store_of(run / "retrained").names("checkpoints")
    status, said, _ = call("show", run)
    assert (status, "final trainings, tested:" in said) == (0, True)

    here = raynas.export(str(run))
    assert (
        here.folder.resolve() == tmp_path / "first" / "export" / f"trial-{history.winner.number}"
    )
    there = f"s3://bucket/exports/{other}"
    for _ in range(2):  # the second one replaces the first
        status, said, _ = call("export", run, "--trial", other, "--output", there)
        assert (status, f"raynas predict {there} FILES" in said) == (0, True)
    assert {*store_of(Address("s3", f"bucket/exports/{other}")).names()} == {*here.files}
    np.save("some.npy", np.zeros((2, 1, 8, 8), np.float32))
    status, said, _ = call("predict", there, "some.npy", "--json")
    assert (status, len(json.loads(said))) == (0, 2)
    inputs = torch.zeros(2, 1, 8, 8)
    expected = raynas.load_winner(str(run))(inputs)
    torch.testing.assert_close(raynas.load_winner(here.folder)(inputs), expected)
    status, _, said = call("export", run, "--output", run)
    assert (status, "a new folder, an empty one or an earlier export" in said) == (2, True)


def test_runs_are_listed_and_compared_by_address(run, call, tmp_path):
    shared = {"space": "mlp", "trials": 9}
    groups = [f"group/{name}-0" for name in ("evolution", "random")]
    for name in groups:
        written(run.parent / name, scored(0.5), **shared)
    held = Journal(run.parent / "group" / "random-0")
    found = {one.folder: one for one in runs_in(run.parent)}
    held.close()
    assert [*found] == ["first", *groups]
    states = {name: one.state for name, one in found.items()}
    assert (states["first"], states[groups[0]], states["group/random-0"]) == (
        *("ended", "interrupted", "running"),
    )
    there = store_of(run).sizes()
    assert found["first"].size == sum(len(store_of(run).read(name)) for name in there) > 0
    assert [one.folder for one in runs_in(run)] == ["first"]
    everything = runs_in(bucket_or_location("the folder", "s3://bucket"))
    assert "runs/first" in {one.folder for one in everything}
    patterns = [f"{run.parent}/group/{name}-*" for name in ("random", "evolution")]
    status, said, _ = call("compare", *patterns, "--json")
    names = [f"{run.parent}/{name}" for name in groups]
    assert (status, all(name in said for name in names)) == (0, True)
    local = [tmp_path / name for name in ("random", "evolution")]
    for place in local:
        written(place, scored(0.5), **shared)
    assert len(compared([patterns[0], str(local[1])]).arms) == 2


def scored(score):
    return [started(0), report(0, 1, score), Finished(0)]


@pytest.mark.parametrize("command", ["show", "report", "retrain", "export", "predict", "compare"])
@pytest.mark.usefixtures("s3")
def test_an_address_without_a_run_is_refused_in_one_sentence(call, command):
    files = ["file.npy"] if command == "predict" else []
    for place in ("s3://bucket/nothing", "s3://absent/run"):
        status, out, said = call(command, place, *files)
        assert (status, out, said.count("raynas: ")) == (2, "", 1), said
        assert place in said.replace("\n", "")


@pytest.mark.usefixtures("s3")
def test_a_folder_of_runs_that_is_not_there_is_refused(call):
    for place in ("s3://bucket/nothing", "s3://absent"):
        status, _, said = call("list", place)
        assert (status, "a folder that holds run folders must be given" in said) == (2, True)


def test_files_for_tensorboard_are_copied_as_they_grow(tmp_path):
    store = store_of(Address("memory", f"bucket/{tmp_path.name}"))
    names = [
        "search/events.out.tfevents.1.raynas",
        "supernets/search/events.out.tfevents.2.raynas",
    ]
    bad = f"../../{tmp_path.name}-bad/events.out.tfevents.3.raynas"
    store.write({**dict.fromkeys(names, b"one "), "journal/0.jsonl": b"no", bad: b"no"})
    here = tmp_path / "here"
    bring_event_files(store.location, here)
    store.write({names[0]: b"one two"})
    bring_event_files(store.location, here)
    found = {str(path.relative_to(here)): path for path in here.rglob("*") if path.is_file()}
    assert {*found} == {*names}
    assert [found[name].read_bytes() for name in names] == [b"one two", b"one "]
    assert [*tmp_path.parent.glob("*-bad")] == []


def test_a_reader_without_permission_is_told_at_once(s3, call):
    s3.forbids = True
    try:
        for command in ("show", "list", "report"):
            status, _, said = call(command, "s3://bucket/runs/second")
            assert (status, "Check the address" in said.replace("\n", " ")) == (2, True), said
    finally:
        s3.forbids = False


def test_a_library_that_only_looks_before_it_writes_is_refused():
    with pytest.raises(ConfigError, match="local:// cannot write an object only if it is new"):
        store_of(Address("local", "somewhere/run")).check()
