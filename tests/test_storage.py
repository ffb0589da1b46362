"""One contract of storage, kept by a folder, a store in memory and an S3 server; no Ray."""

import json
import logging
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from ray_runs import PATIENCE, completed, wait_until
from s3_server import environment, s3_server

from raynas import journal
from raynas.errors import ConfigError, JournalError, StorageError
from raynas.journal import Journal
from raynas.space import Architecture
from raynas.storage import Address, location, store_of
from raynas.storage.group_commit import GroupCommit
from raynas.storage.lease import Lease
from raynas.storage.patience import Patience
from raynas.trial import Finished, Report, Started

RUN = {"objectives": [{"metric": "val_accuracy", "direction": "max"}]}


@pytest.fixture(scope="module")
def s3():
    with s3_server() as proxy, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(proxy.port).items():
            patch.setenv(name, value)
        yield proxy


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        return tmp_path / "run"
    if request.param == "s3":
        request.getfixturevalue("s3")
    return Address(request.param, f"bucket/{tmp_path.name}/run")


@pytest.fixture(params=["memory", "s3"])
def remote(request, tmp_path):
    if request.param == "s3":
        request.getfixturevalue("s3")
    return Address(request.param, f"bucket/{tmp_path.name}/run")


def happenings(count):
    for number in range(count):
        yield Started(number, Architecture({"op": number}), str(number), epochs=1, seed=7)
        yield Report(number, 1, {"val_accuracy": 0.5})
        yield Finished(number)


def written(place, events):
    writer = Journal(place)
    writer.begin(RUN)
    for event in events:
        writer.append(event)
    writer.close()


# The contract


def test_files_are_written_listed_copied_and_deleted(place):
    store = store_of(place)
    store.check()
    assert store.names() == store.names("nothing") == []
    store.write({"winner/a": b"1", "winner/b": b"2"})
    assert (store.names(), store.names("winner")) == (["winner"], ["a", "b"])
    store.send("checkpoints/c", lambda file: file.write(b"3"))
    store.send("checkpoints/c", lambda file: file.write(b"4"))
    store.settle()
    store.copy("checkpoints/c", "checkpoints/d")
    store.copy("checkpoints/nothing", "checkpoints/e")
    assert store.names("checkpoints") == ["c", "d"]
    assert store.read("checkpoints/d") == b"4"
    store.delete("winner/a", "winner/nothing", "winner/b")
    assert store.names("winner") == []
    with pytest.raises(FileNotFoundError):
        store.read("winner/a")
    with pytest.raises(FileNotFoundError):
        store.open("winner/a")


def test_a_growing_file_is_there_when_it_is_closed(place):
    file = store_of(place).grow("trial-0000/events")
    file.write(b"one ")
    file.flush()
    file.write(b"two")
    file.close()
    store_of(place).settle()
    assert store_of(place).read("trial-0000/events") == b"one two"


def test_a_growing_object_is_there_seconds_after_it_was_flushed(remote, monkeypatch):
    monkeypatch.setattr("raynas.storage.outbox._SECONDS", 0.05)
    store = store_of(remote)
    file = store.grow("trial-0000/events")
    file.write(b"one")
    file.flush()
    assert wait_until(lambda: "events" in store.names("trial-0000"))
    assert store.read("trial-0000/events") == b"one"
    file.close()  # while there is a server
    store.settle()


def test_what_is_replayed_is_what_happened(place):
    assert not journal.exists(place)
    written(place, [*happenings(3)])
    assert journal.exists(place)
    replay = journal.read(place)
    assert [trial.number for trial in replay.history.finished] == [0, 1, 2]
    again = Journal(place)
    for event in [*happenings(5)][9:]:
        again.append(event)
    again.settle()
    assert len(journal.read(place).history.finished) == 5  # while it is written
    again.close()


def test_a_second_writer_is_refused_and_may_write_later(place):
    first = Journal(place)
    with pytest.raises(JournalError, match="another process is writing the run in"):
        Journal(place)
    first.begin(RUN)
    first.close()
    Journal(place).close()
    assert journal.exists(place)


def test_a_run_in_which_nothing_happened_is_withdrawn(place):
    writer = Journal(place)
    writer.begin(RUN)
    writer.withdraw()
    assert not journal.exists(place)
    writer.begin(RUN)
    writer.close()
    assert journal.read(place).run["objectives"] == RUN["objectives"]


# Segments


def test_a_reader_sees_whole_lines_in_order_while_segments_are_merged(remote, monkeypatch):
    monkeypatch.setattr("raynas.storage.segments._MERGED", 4)
    writer = Journal(remote)
    writer.begin(RUN)
    seen, over = [], threading.Event()

    def watch():
        while not over.is_set():
            seen.append(len(journal.read(remote).history.trials))

    watching = threading.Thread(target=watch)
    watching.start()
    for event in happenings(8):
        writer.append(event)
        writer.settle()  # a segment each
    over.set()
    watching.join()
    writer.close()
    assert seen == sorted(seen)
    assert len(journal.read(remote).history.finished) == 8
    assert len(store_of(remote).names("journal")) <= 25 // 4 + 4


def test_a_reader_goes_on_where_it_was_when_segments_were_merged_meanwhile(remote, monkeypatch):
    monkeypatch.setattr("raynas.storage.segments._MERGED", 16)
    monkeypatch.setattr("raynas.storage.segments._AT_ONCE", 2)
    writer = Journal(remote)
    writer.begin(RUN)
    first, *others, last = happenings(5)
    for event in (first, *others):
        writer.append(event)
        writer.settle()  # a segment each
    reading = store_of(remote).log("journal").lines(2**20)
    seen = [next(reading) for _ in range(3)]
    writer.append(last)  # of the segments that were listed, only the first is left
    writer.close()
    assert wait_until(lambda: len(store_of(remote).names("journal")) == 1)
    assert [*seen, *reading] == [*store_of(remote).log("journal").lines(2**20)]
    assert len(journal.read(remote).history.finished) == 5


@pytest.mark.parametrize("torn", [b"", b'{"event":"started","nu'])
def test_a_folder_that_was_copied_into_a_store_is_read_and_continued(torn, remote, tmp_path):
    written(tmp_path / "run", happenings(3))
    whole = (tmp_path / "run" / "journal.jsonl").read_bytes()
    store_of(remote).write({"journal.jsonl": whole + torn, "journal.lock": b""})
    assert journal.exists(remote)
    assert not journal.is_being_written(remote)
    replay = journal.read(remote)
    assert (len(replay.history.finished), replay.torn) == (3, len(torn))
    written_again = Journal(remote)
    for event in [*happenings(4)][9:]:
        written_again.append(event)
    written_again.close()
    assert [one.number for one in journal.read(remote).history.finished] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda store, names: store.delete(f"journal/{names[1]}"), "{1} is missing or cut short"),
        (lambda store, names: store.write({f"journal/{names[1]}": b'{"ev'}), "{1} is damaged"),
        (lambda store, names: store.write({f"journal/{names[-1]}": b'{"ev'}), "{-1} is damaged"),
    ],
)
def test_a_torn_or_missing_segment_is_named(tmp_path, harm, said):
    place = Address("memory", f"bucket/{tmp_path.name}")
    writer = Journal(place)
    writer.begin(RUN)
    for event in happenings(2):
        writer.append(event)
        writer.settle()
    writer.close()
    names = store_of(place).names("journal")
    harm(store_of(place), names)
    for at in (1, -1):
        said = said.replace(f"{{{at}}}", names[at])
    with pytest.raises(JournalError, match=said):
        journal.read(place)


def test_a_writer_that_was_taken_for_dead_cannot_write_what_another_one_writes(remote):
    """Each in its own process, as it were: they know nothing of each other but the objects."""
    first = Journal(remote)
    first.begin(RUN)
    stale = first._log
    first._log._lease._over.set()  # no signs of life
    first._log._lease._drop_sign()
    store_of(remote)._logs.clear()
    content = json.dumps({**stale._lease._held, "seconds": 0.0}).encode()
    store_of(remote).write({stale._lease._called(1): content})  # and its time is over
    second = Journal(remote)
    events = [*happenings(2)]
    second.append(events[0])
    second.settle()
    first.append(events[1])
    with pytest.raises(StorageError, match="another process has taken over the run"):
        first.settle()
    second.append(events[1])
    second.close()
    assert journal.read(remote).history.trials[0].epoch == 1


# The lease


class Lives:
    """A lease that is looked at from another machine, which has another folder for signs."""

    def __init__(self, place, monkeypatch, folder):
        self.store, self.patch, self.folder = store_of(place), monkeypatch, folder
        self.made = []

    def at(self, machine, beat=0.1, life=60.0):
        self.lost = []
        self.patch.setattr("tempfile.tempdir", str(self.folder / machine))
        (self.folder / machine).mkdir(exist_ok=True)
        self.made.append(Lease(self.store, "lease", lambda: self.lost.append(1), beat, life))
        return self.made[-1]


@pytest.fixture
def lives(remote, monkeypatch, tmp_path):
    monkeypatch.setattr("raynas.storage.lease._LOOK", 0.05)
    lives = Lives(remote, monkeypatch, tmp_path)
    yield lives
    for lease in lives.made:
        lease._over.set()
        if lease._living is not None:
            lease._living.join()


def test_a_living_holder_elsewhere_is_seen_by_its_signs_and_a_dead_ones_lease_runs_out(lives):
    holder = lives.at("here")
    holder.take()
    other = lives.at("there")
    with pytest.raises(JournalError, match="another process is writing"):
        other.take()
    holder._over.set()  # it dies
    holder._living.join()
    holder._write(holder._held | {"seconds": 2.0})
    begun = time.monotonic()
    other.take()
    assert time.monotonic() - begun >= 2.0
    assert other._number == holder._number + 1
    other.release()
    lives.at("elsewhere").take()  # at once


def test_a_dead_holder_on_this_machine_is_known_to_be_dead_at_once(lives):
    holder = lives.at("here", life=1000.0)
    holder.take()
    with pytest.raises(JournalError, match="another process is writing"):
        lives.at("here", life=1000.0).take()
    holder._over.set()
    holder._sign.release()  # as the system does when a process ends
    lives.at("here", life=1000.0).take()


def test_of_two_that_want_the_lease_one_gets_it(lives):
    got = []

    def try_to(lease):
        try:
            lease.take()
        except JournalError:
            got.append(False)
        else:
            got.append(True)

    threads = [threading.Thread(target=try_to, args=(lives.at("here"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


def test_a_holder_that_lost_its_lease_learns_it(lives):
    holder = lives.at("here")
    holder.take()
    lives.store.write({"lease/00000099.json": b"{}"})
    assert wait_until(lambda: lives.lost)
    with pytest.raises(StorageError, match="another process has taken over the run"):
        holder.check()


def test_a_holder_whose_connections_hang_is_not_taken_for_dead(s3, tmp_path, monkeypatch):
    lives = Lives(Address("s3", f"bucket/{tmp_path.name}"), monkeypatch, tmp_path)
    holder = lives.at("here", life=18.0)
    holder.take()
    s3.hang()
    with pytest.raises(JournalError, match="another process is writing"):
        lives.at("there", life=18.0).take()
    holder.check()
    holder.release()


@pytest.fixture
def cut_off(s3, tmp_path):
    """A writer that does not reach the store any more, and knows it; it has an event to write."""
    place = Address("s3", f"bucket/{tmp_path.name}/run")
    log = store_of(place).log("journal")
    log._lease = Lease(store_of(place), "journal.lease", log._fenced, beat=0.1, life=6.0)
    writer = Journal(place)
    writer.begin(RUN)
    started, report, _ = happenings(1)
    writer.append(started)
    writer.settle()
    s3.stalls = True
    try:
        assert wait_until(lambda: _is_unsure(log))
        writer.append(report)
        yield writer, place
    finally:
        s3.stalls = False
        writer.close()


def _is_unsure(log):
    try:
        log.check()
    except TimeoutError:
        return True
    return False


def test_a_writer_that_is_cut_off_goes_on_if_nobody_came(cut_off, s3):
    writer, place = cut_off
    s3.stalls = False
    writer.settle()
    assert journal.read(place).history.trials[0].epoch == 1
    with pytest.raises(JournalError, match="another process is writing"):
        Journal(place)


TAKES_OVER = """
from raynas.journal import Journal
from raynas.storage import Address
from raynas.trial import Failed

writer = Journal(Address("s3", {path!r}))
writer.append(Failed(0, "no sign of it"))
writer.close()
"""


def test_a_writer_that_is_cut_off_writes_nothing_after_another_one_came(cut_off, s3, tmp_path):
    writer, place = cut_off
    elsewhere = {**environment(s3.target), "TMPDIR": str(tmp_path)}
    status, _, said = completed("-c", TAKES_OVER.format(path=place.path), **elsewhere)
    assert status == 0, said
    s3.stalls = False
    taken_over = "another process has taken over the run"
    with pytest.raises(StorageError, match=taken_over):
        writer.settle()
    with pytest.raises(StorageError, match=taken_over):
        store_of(place).write({"winner/a": b"1"})
    assert store_of(place).names("winner") == []
    (trial,) = journal.read(place).history.trials.values()
    assert trial.outcome.reason == "no sign of it"


def test_a_lease_that_names_files_of_this_machine_harms_none(lives, tmp_path):
    (tmp_path / "mine.lock").write_text("")
    lives.store.write({"lease/00000001.json": b'{"token": "../../mine", "seconds": 0}'})
    lives.at("here").take()
    assert (tmp_path / "mine.lock").exists()


# Group commit


def test_lines_are_put_in_order_and_in_few_groups():
    groups = []
    commit = GroupCommit(groups.append, interval=PATIENCE, longest=PATIENCE)
    lines = [b"%d\n" % number for number in range(1000)]
    for line in lines:
        commit.add(line)
    commit.close()
    assert b"".join(line for group in groups for line in group) == b"".join(lines)
    assert len(groups) <= 2  # the first line at once, and the others when it is closed


def test_nothing_more_happens_while_a_line_is_late():
    release = threading.Event()
    commit = GroupCommit(lambda _: release.wait(PATIENCE), longest=1.0)
    commit.add(b"1\n")
    time.sleep(1.5)
    adding = threading.Thread(target=commit.add, args=(b"2\n",), daemon=True)
    adding.start()
    adding.join(0.3)
    assert adding.is_alive()
    release.set()
    adding.join(PATIENCE)
    assert not adding.is_alive()
    commit.close()


def test_what_cannot_be_put_is_said_where_the_next_line_is_added():
    def put(_):
        raise StorageError("full")

    commit = GroupCommit(put)
    commit.add(b"1\n")
    with pytest.raises(StorageError, match="full"):
        commit.settle()
    with pytest.raises(StorageError, match="full"):
        commit.add(b"2\n")
    commit.close()  # it was said


# A store that refuses


def relent(s3, requests):
    """Let the server take what is written, after so many requests."""
    wait_until(lambda: s3.requests["PUT"] >= requests)
    s3.refuses = False


def test_a_store_that_refuses_for_a_while_costs_nothing(s3, tmp_path):
    place = Address("s3", f"bucket/{tmp_path.name}")
    writer = Journal(place)
    writer.begin(RUN)
    before = s3.requests["PUT"]
    s3.refuses = True
    relents = threading.Thread(target=relent, args=(s3, before + 4))
    relents.start()
    for event in happenings(2):
        writer.append(event)
    store_of(place).send("checkpoints/a", lambda file: file.write(b"1"))
    store_of(place).settle()
    writer.close()
    relents.join()
    assert s3.requests["PUT"] > before + 4
    assert len(journal.read(place).history.finished) == 2
    assert store_of(place).read("checkpoints/a") == b"1"


def test_patience_ends_in_one_sentence_and_then_nothing_is_tried_twice(caplog, monkeypatch):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr("raynas.storage.patience.time", clock)
    caplog.set_level(logging.WARNING, "raynas")
    patience = Patience("s3://bucket/run", 10.0)
    patience.trust()
    tries = []

    def refused():
        tries.append(1)
        raise PermissionError("no")

    with pytest.raises(
        StorageError, match=r"s3://bucket/run cannot be .*: no\. Nothing .* resume"
    ):
        patience(refused)
    assert len(tries) == 6  # after 0.2, 0.4, 0.8, 1.6 and 3.2 seconds; the next wait is too long
    assert [record.getMessage() for record in caplog.records] == [
        "s3://bucket/run refuses (no): trying again, for up to 10 s"
    ]
    tries.clear()
    with pytest.raises(StorageError):
        patience(refused)
    assert len(tries) == 1


# Addresses


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "output must name a folder"),
        ("s3:/typo/run", "did you mean 's3://typo/run'"),
        ("s4://bucket/run", "no protocol of storage 's4': .*known names are .* s3, "),
        ("s3://", "must name a bucket and a folder in it, as in s3://bucket/run"),
        ("s3://bucket", "must name a bucket and a folder in it"),
    ],
)
def test_a_bad_address_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        location("output", given)


def test_an_address_is_like_a_path():
    place = location("output", "s3://bucket//runs/first/")
    assert str(place) == "s3://bucket/runs/first"
    assert str(place / "winner") == "s3://bucket/runs/first/winner"
    assert (str(place.parent), place.name) == ("s3://bucket/runs", "first")
    assert str(location("output", "file:///tmp/run")) == "/tmp/run"


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_does_not_exist_is_said():
    with pytest.raises(StorageError, match="there must be a bucket 'nowhere'; create it"):
        store_of(Address("s3", "nowhere/run")).check()
    with pytest.raises(JournalError, match="holds no run"):
        journal.read(Address("s3", "nowhere/run"))


def test_a_store_that_may_not_be_written_is_said_at_the_first_contact(s3, tmp_path):
    """For that it is tried for seconds only, and the address may be wrong."""
    s3.refuses = True
    store = store_of(Address("s3", f"bucket/{tmp_path.name}"))
    assert store.patience.seconds < 10
    try:
        with pytest.raises(StorageError, match=r"cannot be .* written.*Check the address"):
            store.check()
    finally:
        s3.refuses = False


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ConfigError, match=r"pip install 'raynas\[gs\]'"):
        store_of(Address("gs", "bucket/run")).check()
