"""Raynas in processes of its own, for tests: started, watched, killed, and nothing left over."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 1200.0  # seconds; the machine may be busy


@contextmanager
def process(*command, cwd=None, terminal=subprocess.PIPE, **environment):
    """Start Python in a session of its own, whose members are gone when the context ends.

    All its streams are the terminal (a file descriptor), or pipes.
    Its temporary files, and Ray's, lie apart: it sees no other Ray that the machine may run.
    """
    mine = os.environ.items()  # noqa: TID251 - to be handed on
    inherited = {name: value for name, value in mine if not name.startswith(("RAY_", "TUNE_"))}
    with TemporaryDirectory(prefix="raynas") as scratch:  # Ray wants its path to be short
        apart = {"TMPDIR": scratch, "RAY_TMPDIR": scratch, "OMP_NUM_THREADS": "1"}
        started = subprocess.Popen(
            [sys.executable, *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            text=True,
            start_new_session=True,
            cwd=cwd,
            env={**inherited, **apart, **environment},
        )
        try:
            yield started
        finally:
            end(started)


def end(started):
    """Kill every member of a process's session, and wait until all are gone."""
    deadline = time.monotonic() + PATIENCE
    while left := members(started.pid):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"{left} would not die"
        time.sleep(0.05)
        started.poll()
    for pipe in filter(None, (started.stdin, started.stdout, started.stderr)):
        pipe.close()
    started.wait()


def members(session):
    """Return the names, by process number, of what is alive of a session."""
    return {pid: name for pid, (name, _, sid) in alive().items() if sid == session}


def descendants(process):
    """Return the names, by process number, of what a process has started, and what that has.

    The session of a test holds the other processes of the test run, too, and their Rays.
    """
    known = alive()
    found, left = {}, [process]
    while left:
        parent = left.pop()
        own = {pid: name for pid, (name, ppid, _) in known.items() if ppid == parent}
        found |= own
        left += own
    return found


def alive():
    """Return name, parent and session of all processes, by their numbers."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent, _, session = rest.split()[:4]
            if state not in "ZX":
                found[int(folder.name)] = name, int(parent), int(session)
    return found


def cli(*arguments):
    """Return the command that calls raynas with these arguments."""
    return ("-m", "raynas", *map(str, arguments))


def completed(*command, **options):
    """Run a process to its end; return its status, output and errors."""
    with process(*command, **options) as started:
        output, errors = started.communicate(timeout=PATIENCE)
        return started.returncode, output, errors


def run_twice(script, folder):
    """Run a script of the tests in two processes, which get the numbers 0 and 1 and a folder."""
    here = Path(__file__)
    told = {"PYTHONPATH": str(here.parents[1])}
    path = str(here.with_name(script))
    with (
        process(path, "0", str(folder), **told) as one,
        process(path, "1", str(folder), **told) as two,
    ):
        for started in (one, two):
            _, errors = started.communicate(timeout=PATIENCE)
            assert started.returncode == 0, errors


def wait_until(condition, started=None):
    """Wait for a condition; return whether it came true: before a process ended, if given."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if started is not None and started.poll() is not None:
            return condition()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return True


def events(folder):
    """Return what a journal says happened, without when, how fast and by whom."""
    path = Path(folder) / "journal.jsonl"
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]  # the last line may be being written
    read = (json.loads(line) for line in whole.splitlines())
    timed = ("at", "seconds", "worker")
    return [
        {name: value for name, value in event.items() if name not in timed}
        for event in read
        if event["event"] not in {"run", "opened", "resized"}
    ]
