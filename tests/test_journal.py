import errno
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray_runs import PATIENCE, wait_until

from raynas import journal
from raynas.errors import JournalError, StorageError
from raynas.journal import Journal
from raynas.space import Architecture
from raynas.trial import (
    Cause,
    Failed,
    Fault,
    Finished,
    History,
    Objective,
    Remedy,
    Report,
    Retried,
    Screening,
    Started,
    Winner,
)

RUN = {"objectives": [{"metric": "val_accuracy", "direction": "max"}], "seed": 3}

texts = st.text(max_size=20)  # with every kind of line break and quote there is
numbers = st.floats(allow_nan=False)
values = st.one_of(texts, st.booleans(), st.integers(-9, 9), st.none(), numbers)
architectures = st.dictionaries(texts, values, max_size=4).map(Architecture)
measured = st.dictionaries(texts, numbers | st.integers(0, 2**40), max_size=3)

screenings = st.builds(
    Screening,
    mode=st.sampled_from(["", "chosen", "blind", "off"]),
    scores=st.dictionaries(texts, numbers, max_size=2),
    dropped=st.integers(0, 9),
    faults=st.dictionaries(texts, texts, max_size=2),
)


failing = st.fixed_dictionaries(
    {
        "reason": texts,
        "detail": texts,
        "cause": st.sampled_from(get_args(Cause)),
        "answered_by": st.none() | st.integers(0, 9),
        "out_of_memory": st.booleans(),
        "at": numbers,
        "seconds": numbers,
        "worker": texts,
    }
)


faults = st.none() | st.builds(Fault, texts, texts)
starting = st.fixed_dictionaries({"at": numbers, "fault": faults})
retrying = st.tuples(st.sampled_from(get_args(Remedy)), numbers, numbers)


@st.composite
def happenings(draw):
    """Draw the events of a run: trials side by side, each way to end, maybe a winner."""
    history, events = History(), []

    def happen(event):
        history.apply(event)
        events.append(event)

    for _ in range(draw(st.integers(0, 12))):
        trials = sorted(trial.number for trial in history.running)
        if not trials or draw(st.booleans()):
            fields = (draw(texts), draw(st.integers(1, 9)), draw(st.integers(0, 2**63)))
            parent, repeat = draw(st.none() | st.integers(0, 9)), draw(st.booleans())
            born = Started(len(history.trials), draw(architectures), *fields, parent, repeat)
            happen(replace(born, screening=draw(screenings), **draw(starting)))
            continue
        trial = history.trials[draw(st.sampled_from(trials))]
        donors = [other.number for other in history.finished]
        match draw(st.sampled_from(["report", "finish", "answer", "fail", "retry"])):
            case "finish" if trial.reports:
                happen(Finished(trial.number, stopped=draw(st.booleans()), at=draw(numbers)))
            case "answer" if donors and not trial.reports:
                happen(Finished(trial.number, answered_by=draw(st.sampled_from(donors))))
            case "fail":
                happen(Failed(trial.number, **draw(failing)))
            case "retry":
                happen(Retried(trial.number, draw(texts), *draw(retrying)))
            case _:
                metrics = {**draw(measured), "val_accuracy": draw(numbers)}
                said = (trial.epoch + 1, metrics, draw(numbers), draw(numbers))
                happen(Report(trial.number, *said, errors=draw(measured)))
    if history.best:
        fields = draw(measured), draw(texts), draw(numbers), draw(texts), (history.best.number,)
        happen(Winner(history.best.number, *fields))
    return events


def written(folder, events, run=RUN):
    writer = Journal(folder)
    writer.begin(run)
    for event in events:
        writer.append(event)
    writer.close()
    return folder / "journal.jsonl"


def folded(events):
    history = History()
    for event in events:
        history.apply(event)
    return history


def a_trial(number=0):
    yield Started(number, Architecture({"op": "conv", "width": 16}), "ab12", epochs=2, seed=7)
    yield Report(number, 1, {"val_accuracy": 0.5, "params": 12}, 0.25, 1.5)
    yield Report(number, 2, {"val_accuracy": 0.75, "params": 12}, 0.25, 2.5)
    yield Finished(number, at=2.5)


@given(happenings())
def test_what_is_replayed_is_what_happened(events):
    with TemporaryDirectory() as folder:
        written(Path(folder) / "run", events)
        replay = journal.read(Path(folder) / "run")
    assert replay.history == folded(events)
    assert replay.run["seed"] == 3
    assert replay.torn == 0


def test_what_an_older_journal_does_not_say_is_nothing(tmp_path):
    born = Started(0, Architecture({"op": "conv"}), "ab12", epochs=2, seed=7, replaces=3)
    end = Failed(0, "no", seconds=2.5, worker="a:1")
    winner = Winner(0, {}, "winner", reason="better", front=(0,))
    told = Report(0, 1, {"val_accuracy": 0.5}, errors={"val_accuracy": 0.1})
    path = written(tmp_path, [born, Retried(0, "full"), told, end, winner])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        names = ("reason", "front") if line["event"] == "winner" else ()
        for name in ("replaces", "seconds", "worker", "errors", *names):
            line.pop(name, None)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    history = journal.read(tmp_path).history
    trial = history.trials[0]
    assert (trial.started.replaces, trial.seconds) == (None, 0.0)
    assert (trial.reports[-1].errors, history.winner) == ({}, Winner(0, {}, "winner"))


def test_a_number_that_is_none_survives_too(tmp_path):
    start = next(a_trial())
    written(tmp_path, [start, Report(0, 1, {"val_accuracy": math.nan, "loss": math.inf})])
    metrics = journal.read(tmp_path).history.trials[0].metrics
    assert math.isnan(metrics["val_accuracy"])
    assert metrics["loss"] == math.inf


def test_the_objectives_of_the_run_rank_its_trials(tmp_path):
    objectives = [{"metric": "params", "direction": "min"}]
    written(tmp_path, a_trial(), {"objectives": objectives})
    history = journal.read(tmp_path).history
    assert history.objectives == (Objective("params", "min"),)
    assert history.best.loss == 12


ENDS = {
    "started": [*a_trial(), *[next(a_trial(1))]],
    "report": list(a_trial())[:3],
    "finished": list(a_trial()),
    "failed": [*list(a_trial())[:2], Failed(0, "a line\nand 'another'", "trace\nback")],
    "winner": [*a_trial(), Winner(0, {"test_accuracy": 0.5}, "winner")],
}


@pytest.mark.parametrize("events", ENDS.values(), ids=ENDS)
def test_a_last_line_torn_at_any_byte_is_repaired(tmp_path, events):
    path = written(tmp_path, events)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        replay = journal.read(tmp_path)
        assert replay.history == folded(events[:-1])
        assert replay.torn == cut - last
        writer = Journal(tmp_path)
        writer.repair(replay)
        writer.append(events[-1])
        writer.close()
        assert path.read_bytes() == whole


DAMAGES = {
    "no JSON": b'{"event":"report","numb',
    "no UTF-8": b'\xff\xfe{"event":"winner"}',
    "no object": b"[1, 2]",
    "no event": b'{"number":0}',
    "unknown event": b'{"event":"paused","number":0}',
    "missing field": b'{"event":"report","number":0}',
    "unknown field": b'{"event":"finished","number":0,"mood":"good"}',
    "wrong kind": b'{"event":"report","number":0,"epoch":1,"metrics":7}',
    "no architecture": b'{"event":"started","number":9,"architecture":4,"identity":"a"}',
    "metric missing": b'{"event":"report","number":0,"epoch":2,"metrics":{"loss":1}}',
    "twice": b'{"event":"started","number":0,"architecture":{},"identity":"","epochs":1,"seed":0}',
    "never started": b'{"event":"finished","number":5}',
    "answer from nowhere": b'{"event":"finished","number":0,"answered_by":5}',
    "back in time": b'{"event":"report","number":0,"epoch":1,"metrics":{"val_accuracy":1}}',
    "blank": b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_before_the_last_line_is_refused_with_its_line(tmp_path, damage):
    path = written(tmp_path, a_trial())
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:3], damage, *lines[3:]]) + b"\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 4, "):
        journal.read(tmp_path)


FIRST = [
    b"",
    b"{",
    b"7",
    b'{"event":"report"}',
    b'{"event":"run","format":0,"objectives":[]}',
    b'{"event":"run","format":1}',
]


@pytest.mark.parametrize("first", FIRST)
def test_a_file_that_begins_otherwise_is_no_journal(tmp_path, first):
    (tmp_path / "journal.jsonl").write_bytes(first + b"\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl"):
        journal.read(tmp_path)


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(JournalError, match="holds no run"):
        journal.read(tmp_path)


def test_a_run_that_was_killed_while_it_began_can_begin_anew(tmp_path):
    whole = written(tmp_path / "whole", ()).read_bytes()
    for cut in range(len(whole)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.partial").write_bytes(whole[:cut])
        assert not journal.exists(folder)
        written(folder, ())
        assert journal.read(folder).run == json.loads(whole)


def test_a_later_description_wins_and_disturbs_nothing(tmp_path):
    written(tmp_path, list(a_trial())[:2])
    writer = Journal(tmp_path)
    writer.change({**RUN, "seed": 4})
    for event in list(a_trial())[2:]:
        writer.append(event)
    writer.close()
    replay = journal.read(tmp_path)
    assert replay.run["seed"] == 4
    assert replay.history == folded(a_trial())


OTHER_PROCESS = """
import sys
from pathlib import Path
from raynas import journal
folder = Path(sys.argv[1])
print(len(journal.read(folder).history.trials))
journal.Journal(folder)
"""


def test_one_writer_at_a_time_and_any_number_of_readers(tmp_path):
    writer = Journal(tmp_path)
    writer.begin(RUN)
    events = iter(a_trial())
    writer.append(next(events))
    with pytest.raises(JournalError, match="another process is writing"):
        Journal(tmp_path)
    command = [sys.executable, "-c", OTHER_PROCESS, str(tmp_path)]
    refused = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert refused.stdout == "1\n"
    assert "another process is writing" in refused.stderr
    writer.append(next(events))
    writer.close()
    assert journal.read(tmp_path).history.trials[0].epoch == 1
    allowed = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert allowed.returncode == 0, allowed.stderr


def test_a_folder_that_cannot_be_written_into_says_so(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(JournalError, match=r"needs a folder .*file"):
        Journal(tmp_path / "file")
    with pytest.raises(JournalError, match="needs a folder"):
        Journal(tmp_path / "file" / "below")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_says_so_and_costs_no_earlier_event(tmp_path):
    path = written(tmp_path, a_trial())
    before = path.read_bytes()
    writer = Journal(tmp_path)
    path.rename(tmp_path / "kept")
    path.symlink_to("/dev/full")
    with pytest.raises(JournalError, match=r"cannot be written: No space"):
        writer.append(Winner(0, {}, "winner"))
    writer.close()
    assert (tmp_path / "kept").read_bytes() == before


def test_events_reach_the_disk_within_a_second_and_at_the_end(tmp_path, monkeypatch):
    """What is flushed is seen, not how long it takes: a power cut cannot be tried here."""
    flushed = []

    def fsync(descriptor):
        flushed.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr("os.fsync", fsync)
    writer = Journal(tmp_path)
    writer.begin(RUN)
    path = tmp_path / "journal.jsonl"
    assert path.stat().st_size in flushed, "before it is a run"
    events = [*a_trial()]
    for event in events[:-1]:
        writer.append(event)
    wait_until(lambda: path.stat().st_size in flushed)  # by the thread, while nobody writes
    writer.append(events[-1])
    writer.close()
    assert flushed[-1] == path.stat().st_size


def test_a_disk_that_takes_no_more_ends_the_run_at_the_next_event(tmp_path, monkeypatch):
    writer, failed = Journal(tmp_path), Event()
    writer.begin(RUN)

    def fsync(_):
        failed.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", fsync)
    first, *others = a_trial()
    writer.append(first)
    assert failed.wait(PATIENCE)
    with pytest.raises(StorageError, match="cannot be written: Input/output error"):
        _append_for_ever(writer, others[0])  # the thread has still to note it
    monkeypatch.undo()
    writer.close()


def _append_for_ever(writer, event):
    while True:
        writer.append(event)


def test_a_file_system_that_flushes_nothing_is_used_all_the_same(tmp_path, monkeypatch):
    def fsync(_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr("os.fsync", fsync)
    written(tmp_path, a_trial())
    assert journal.read(tmp_path).history == folded(a_trial())
