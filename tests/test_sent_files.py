"""Files of a space's options reach the workers."""

import pickle  # noqa: TID251 - what sends values to workers
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import raynas
from raynas.errors import ConfigError
from raynas.execution.ray_tune.packing_code import Packed
from raynas.execution.sent_file import SentFile, put
from raynas.experiment.resolve.briefs import builder
from raynas.space import Architecture, Choice, Space

ONE = Architecture({})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Let copies go to another folder than the files, as on another machine."""
    (tmp_path / "machine").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "machine"))


def by_type(architecture, *, weights: Path):  # noqa: ARG001
    return weights


def by_text(architecture, *, weights: "Path | None" = None):  # noqa: ARG001
    return weights


def by_str(architecture, *, weights: str):  # noqa: ARG001
    return weights


@pytest.mark.parametrize("build", [by_type, by_text])
def test_a_file_is_sent_and_found_where_it_is_unpacked(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w.bin").write_bytes(b"weights" * 1000)
    made = builder(build, {"weights": "w.bin"}, {})
    assert made(ONE) == tmp_path / "w.bin"
    packed = Packed.of(made)
    assert len(packed.content) < 2000  # the file itself is in a buffer, which workers share
    Path("w.bin").unlink()
    there = packed.unpacked()(ONE)
    assert there.is_relative_to(tmp_path / "machine")
    assert there.name == "w.bin"
    assert there.read_bytes() == b"weights" * 1000


def test_only_paths_that_build_asks_for_are_sent(tmp_path):
    file = tmp_path / "w.bin"
    file.write_bytes(b"weights")
    assert builder(by_str, {"weights": str(file)}, {})(ONE) == str(file)
    assert builder(by_text, {"weights": None}, {})(ONE) is None
    folder = builder(by_type, {"weights": tmp_path}, {})(ONE)
    assert (folder, isinstance(folder, SentFile)) == (tmp_path, False)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"weights of the space must be the path .*/none\.bin"):
        builder(by_type, {"weights": "none.bin"}, {})


def test_a_torn_copy_is_written_again_and_many_may_write_at_once():
    content = np.arange(100_000, dtype=np.uint8)
    first = put("w.bin", content)
    first.write_bytes(b"torn" * 25_000)
    with ThreadPoolExecutor(8) as pool:
        found = {*pool.map(lambda _: put("w.bin", content), range(32))}
    assert found == {first}
    assert first.read_bytes() == content.tobytes()
    assert [*first.parent.iterdir()] == [first]
    other = put("w.bin", content + 1)
    assert other != first
    assert other.read_bytes() == (content + 1).tobytes()


def test_a_loaded_path_is_a_plain_one_and_can_be_sent_on(tmp_path):
    file = tmp_path / "w.bin"
    file.write_bytes(b"weights")
    there = pickle.loads(pickle.dumps(SentFile(file)))
    assert type(there) is type(Path())
    assert pickle.loads(pickle.dumps(there)) == there


def from_file(architecture, input_shape, classes, *, weights: Path):  # noqa: ARG001
    assert "machine" in str(weights) or weights.parent.name == "given", weights
    child = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))
    child.load_state_dict(torch.load(weights, weights_only=True))
    return child


def test_a_search_begins_with_the_weights_of_a_file(tmp_path, monkeypatch):
    machine = str(tmp_path / "machine")
    monkeypatch.setenv("TMPDIR", machine)  # of the workers
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # a socket's path must be short
    (tmp_path / "given").mkdir()
    file = tmp_path / "given" / "body.pt"
    child = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    torch.save(child.state_dict(), file)
    result = raynas.search(
        space=SimpleNamespace(SPACE=Space({"a": Choice([1, 2])}), build=from_file),
        space_options={"weights": file},
        trials=2,
        epochs=1,
        output=tmp_path / "run",
        max_concurrent=1,
    )
    assert result.winner is not None
    copies = [*Path(machine).glob("raynas-files-*/*/body.pt")]
    assert [copy.read_bytes() for copy in copies] == [file.read_bytes()]
