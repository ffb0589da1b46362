"""What would end a run, or never let it end: a full disk, a network that hangs."""

import json
import subprocess
from contextlib import contextmanager

import in_process
import pytest
from command import called
from ray_runs import cli, completed, events

from raynas import journal

pytestmark = pytest.mark.slow

HANGS = """
import time

from torch import nn

from raynas import Choice, Space

SPACE = Space({"kind": Choice(["good", "hangs"])})


class Hangs(nn.Linear):
    def forward(self, x):
        if self.training:
            time.sleep(10_000)
        return super().forward(x.flatten(1))


def build(architecture, input_shape, classes):
    if architecture["kind"] == "hangs":
        return Hangs(64, classes)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
"""


@contextmanager
def disk(folder, size):
    """Mount a disk of a size; yield what gives it another one."""

    def mount(*options):
        command = ["mount", *options, str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        pytest.skip("this user may mount nothing")
    try:
        yield lambda larger: mount("-o", f"remount,size={larger}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("size", ["100k", "300k"])  # the first checkpoint, a later one or an event
def test_a_full_disk_is_no_trials_fault_and_resume_trains_what_was_cut(tmp_path, size):
    with disk(tmp_path / "full", size) as resized:
        output = tmp_path / "full" / "run"
        search = ("search", "--space", "mlp", "--trials", 4, "--epochs", 3, "--max-concurrent", 1)
        status, _, errors = completed(*cli(*search, "--output", output))
        assert (status, errors.count("Traceback")) == (2, 0)
        last = errors.splitlines()[-1]
        assert last.startswith(f"raynas: {output}")
        assert "cannot be written: No space left on device. Nothing that was trained is" in last
        assert not [event for event in events(output) if event["event"] == "failed"]
        assert resized("60m")
        with in_process.without_ray():
            status, _, errors = called("resume", output)
        assert status == 0, errors
        assert len(journal.read(output).history.finished) == 4


def test_a_network_that_hangs_fails_and_the_search_goes_on(tmp_path):
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "first.json").write_text(json.dumps([{"kind": "hangs"}, {"kind": "good"}]))
    search = ("search", "--space", "hangs.py", "--start-from", "first.json", "--trials", 2)
    limits = ("--epochs", 1, "--max-concurrent", 1, "--trial-timeout", "60s", "--max-failures", 2)
    status, said, errors = completed(*cli(*search, *limits, "--output", "run"), cwd=tmp_path)
    assert status == 0, errors
    reason = "it ran for more than 60 s, which is the limit (--trial-timeout)"
    assert f"trial 0  failed: {reason}" in said
    assert "winner: trial 1, " in said
