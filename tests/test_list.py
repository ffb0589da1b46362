"""What `raynas list` says of a folder of runs, and of what is no run."""

import json
import os
import time

import pytest
from insight_history import events, report, started, winner
from recorded_runs import written

from raynas.experiment.run.runs import runs_in
from raynas.insight.text.runs import NoRun, runs_lines
from raynas.insight.wording import age, size
from raynas.journal import Journal, is_being_written
from raynas.trial import Failed, Finished, Objective, Opened


@pytest.fixture
def folder(tmp_path):
    """Runs of each state at two depths, and folders that are none."""
    base = tmp_path / "runs"
    ended = written(base / "ended", [*events(), winner()], space="mlp", trials=9)
    written(ended / "supernets", [Opened(0.0)])  # a part of the run
    written(base / "deep" / "seed-0", events(), searcher="random")
    written(base / "failed", [started(0), Failed(0, "no")])
    (base / "foreign").mkdir()
    (base / "foreign" / "notes.txt").write_text("mine")
    (base / ".hidden").mkdir()
    (base / "damaged").mkdir()
    (base / "damaged" / "journal.jsonl").write_text('{"event": "run"}\n')
    (base / "link").symlink_to(ended)
    return base


def test_every_run_is_listed_once_with_its_state(folder):
    with_lock = Journal(folder / "deep" / "seed-0")
    found = {one.folder: one for one in runs_in(folder)}
    with_lock.close()
    assert [*found] == ["damaged", "deep/seed-0", "ended", "failed", "foreign"]
    assert isinstance(found["damaged"], NoRun)
    assert "must describe a run" in found["damaged"].reason
    assert found["foreign"].reason == "it holds no run"
    states = {name: found[name].state for name in ("deep/seed-0", "ended", "failed")}
    assert states == {"deep/seed-0": "running", "ended": "ended", "failed": "failed"}
    ended = found["ended"]
    assert (ended.space, ended.searcher, ended.trials, ended.limit) == ("mlp", "auto", 5, 9)
    assert (ended.best, ended.best_trial) == (pytest.approx(0.92), 4)
    assert (ended.winner, ended.test) == (4, 0.8875)
    files = [path for path in (folder / "ended").rglob("*") if path.is_file()]
    assert ended.size == sum(path.stat().st_size for path in files)
    assert runs_in(folder / "deep")[0].state == "interrupted", "nobody holds its lock any more"


def test_asking_for_the_lock_disturbs_nobody(tmp_path):
    run = written(tmp_path / "run", [])
    assert not is_being_written(run)
    held = Journal(run)
    assert is_being_written(run)
    held.append(Opened(0.0))
    held.close()
    assert not is_being_written(run)
    assert not is_being_written(tmp_path / "nothing")


def test_the_lines_fit_a_terminal_and_say_the_same_as_the_data(folder, raynas):
    status, said, errors = raynas("list", folder)
    assert (status, errors) == (0, "")
    data = json.loads(raynas("list", folder, "--json")[1])
    runs = [one for one in data if "state" in one]
    head, *lines = said.splitlines()
    assert head.split()[:6] == ["folder", "space", "task", "searcher", "trials", "val_accuracy"]
    assert [line.split()[0] for line in lines[:3]] == [run["folder"] for run in runs]
    assert all(line.endswith(run["state"]) for line, run in zip(lines, runs, strict=False))
    assert lines[4].startswith("damaged: ")
    assert lines[5] == "foreign: it holds no run"
    for width in (70, 80, 120):
        narrow = [
            *runs_lines([one for one in runs_in(folder) if not isinstance(one, NoRun)], width)
        ]
        assert max(map(len, narrow)) <= width
        assert all(
            line.split()[-1] in {"state", "ended", "failed", "interrupted"} for line in narrow
        )


def test_the_objectives_of_runs_are_told_apart(tmp_path):
    for name, objective in (("a", Objective()), ("b", Objective("val_loss", "min"))):
        written(tmp_path / name, [started(0), report(0, 1, 0.75), Finished(0)], (objective,))
    _, first, second = runs_lines(runs_in(tmp_path), 200)
    assert "val_accuracy 75.00 %" in first
    assert "val_loss 0.25" in second


def test_what_cannot_be_listed_is_said(tmp_path, raynas):
    status, output, errors = raynas("list", tmp_path / "none")
    assert (status, output) == (2, "")
    assert "a folder that holds run folders must be given" in errors
    (tmp_path / "empty").mkdir()
    assert raynas("list", tmp_path / "empty") == (0, "there is no run\n", "")
    assert raynas("list", tmp_path / "empty", "--json") == (0, "[]\n", "")


def test_a_name_cannot_write_to_the_terminal(tmp_path, raynas):
    written(tmp_path / "runs" / "\x1b[2J", events(), task="\x1b]0;mine\x07")
    (tmp_path / "runs" / "\x9b2J").mkdir()
    said = raynas("list", tmp_path / "runs")[1]
    assert r"\x1b[2J" in said
    assert not {*said} & {"\x1b", "\x07", "\x9b"}


def test_the_time_since_the_last_event_counts(tmp_path):
    now = time.time()
    written(tmp_path / "run", [started(0, at=now - 7200)])
    assert 7200 <= runs_in(tmp_path)[0].seconds_ago < 7500
    assert [age(seconds) for seconds in (3, 59.9, 60, 7200, 90000)] == [
        *("3 s", "60 s", "1 min", "2 h", "1 d")
    ]
    assert [size(number) for number in (0, 999, 1000, 12_345, 999_950, 3e12)] == [
        *("0 B", "999 B", "1 kB", "12.3 kB", "1 MB", "3e+03 GB")
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_listed_as_such(folder):
    (folder / "foreign").chmod(0)
    found = {one.folder: one for one in runs_in(folder)}
    assert "cannot be read" in found["foreign"].reason
