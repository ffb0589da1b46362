"""Files and names from others: nothing in them is executed, and nothing outside is touched."""

import json
import pickle  # noqa: TID251 - an attack
import zipfile
from contextlib import suppress
from ipaddress import ip_address

import psutil
import pytest
import torch
from ray_runs import PATIENCE, cli, members, process, wait_until

from raynas.errors import (
    ConfigError,
    DataError,
    JournalError,
    RaynasError,
    RunError,
    SpaceError,
    TrialError,
)
from raynas.execution.checkpoint_file import CheckpointFile
from raynas.experiment.run.places import check_output
from raynas.goals.metric import new_metrics
from raynas.journal import read
from raynas.oneshot.latency import LatencyTable
from raynas.space import Choice, Space
from raynas.tasks.reading import read_table
from raynas.training.loop import _numbers
from raynas.training.predictor import load_winner
from raynas.training.program import load_program
from raynas.yaml12 import parse, parse_file

DEEP = "[" * 100_000 + "]" * 100_000


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "x"))


@pytest.fixture
def trace(tmp_path):
    """Return the file that would be there if something was executed."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def test_a_checkpoint_is_not_unpickled(tmp_path, trace):
    path = tmp_path / "trial-0000.ckpt"
    torch.save({"training": Bomb(trace)}, path)
    saved, reason = CheckpointFile.at(str(path)).read(torch.device("cpu"))
    assert saved == {}
    assert str(path) in reason


def exported(folder):
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        torch.nn.Linear(3, 2).eval(), (torch.zeros(2, 3),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(program, folder / "network.pt2")
    return folder / "network.pt2"


def changed(path, ending, content):
    """Replace the file in an archive whose name has this ending."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in files if name.endswith(ending)]
    files[name] = content(files[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files.items():
            archive.writestr(name, file)


def test_a_network_that_torch_exported_is_loaded(tmp_path):
    network = load_program(exported(tmp_path)).module()
    assert network(torch.zeros(5, 3)).shape == (5, 2)


def pickled_weight(config):
    told = json.loads(config)
    next(iter(told["config"].values()))["use_pickle"] = True
    return json.dumps(told).encode()


def pickled_constant(_config):
    return json.dumps({"config": {"mine": {"path_name": "custom_obj_0"}}}).encode()


def evaluated(text):
    def content(graph):
        symbol = next(part for part in graph.decode().split('"') if part.startswith("Symbol("))
        return graph.replace(symbol.encode(), text.encode())

    return content


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("weights_config.json", pickled_weight),
        ("constants_config.json", pickled_constant),
        ("model.json", evaluated("__import__('os').getcwd()")),
        ("model.json", evaluated("eval('1')")),
        ("model.json", evaluated("sympify.func_globals")),
        ("model.json", evaluated("(lambda: 1)()")),
    ],
)
def test_a_network_that_would_run_code_is_refused(tmp_path, ending, content):
    path = exported(tmp_path)
    changed(path, ending, content)
    (tmp_path / "architecture.json").write_text(json.dumps({"input": {}}))
    with pytest.raises(RunError, match="can run any code, so raynas does not load it"):
        load_winner(tmp_path)


def test_a_network_with_pickled_examples_is_refused(tmp_path, trace):
    path = exported(tmp_path)
    changed(path, "sample_inputs/model.pt", lambda _: pickle.dumps(Bomb(trace)))
    with pytest.raises(RunError, match="pickled objects that are no tensors"):
        load_program(path)


@pytest.mark.parametrize("content", [b"", b"no archive", DEEP.encode()])
def test_a_damaged_network_is_refused(tmp_path, content):
    (tmp_path / "network.pt2").write_bytes(content)
    with pytest.raises(RunError, match="must be a network that torch exported"):
        load_program(tmp_path / "network.pt2")


def test_json_that_is_nested_deeply_is_refused_by_every_reader(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(DEEP + "\n")
    with pytest.raises(RaynasError, match="is not valid JSON"):
        read(tmp_path)
    for name in ("architecture.json", "table.jsonl"):
        (tmp_path / name).write_text(DEEP)
    with pytest.raises(RunError, match="nested too deeply"):
        load_winner(tmp_path)
    with pytest.raises(ConfigError, match="nested too deeply"):
        LatencyTable.load(tmp_path / "architecture.json")
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse_file(tmp_path / "architecture.json", "the configuration")
    with pytest.raises(DataError, match="nested too deeply"):
        read_table(tmp_path / "table.jsonl")
    with pytest.raises(SpaceError, match="must be a JSON object"):
        Space({"a": Choice([1, 2])}).from_json(DEEP)


def test_a_journal_line_of_any_length_is_refused(tmp_path):
    (tmp_path / "journal.jsonl").write_bytes(b'"' + b"a" * 2**26 + b'"\n')
    with pytest.raises(JournalError, match="line 1, must have at most 67,108,864 bytes"):
        read(tmp_path)


def bomb():
    lines, before = ["a: &a [x, x, x, x, x, x, x, x, x]"], "a"
    for name in "bcdefghijklmn":
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
        before = name
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb(), "at most 100,000 values"),
        ("a: &a [*a]", "contains itself"),
        ("[" * 3000 + "]" * 3000, "nested too deeply"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("a: !!python/name:os.system", "not valid YAML"),
    ],
)
def test_yaml_is_data_and_of_bounded_size(text, said):
    with pytest.raises(ConfigError, match=said):
        parse(text, "the configuration")


def test_yaml_may_repeat_a_part():
    assert parse("a: &a {x: 1}\nb: *a", "it") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize("name", ["journal.jsonl", "checkpoints", "winner/network.pt2"])
def test_a_run_folder_with_links_that_lead_out_of_it_is_refused(tmp_path, name):
    run, outside = tmp_path / "run", tmp_path / "outside"
    (run / "winner").mkdir(parents=True)
    outside.write_text("mine")
    (run / "journal.jsonl").touch()
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(outside)
    with pytest.raises(ConfigError, match=r"is a link to .*outside"):
        check_output(run)
    assert outside.read_text() == "mine"


def test_the_folder_of_a_run_may_be_a_link_and_have_links_in_it(tmp_path):
    (tmp_path / "run" / "winner").mkdir(parents=True)
    (tmp_path / "run" / "journal.jsonl").touch()
    (tmp_path / "run" / "winner" / "same").symlink_to(tmp_path / "run" / "journal.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    check_output(tmp_path / "link")


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "a\nb", "\x9b2J", 3])
def test_metrics_have_printable_names(name):
    with pytest.raises(ConfigError, match="the name of a metric must be printable"):
        new_metrics({name: lambda predictions, targets: 0.0})  # noqa: ARG005
    with pytest.raises(TrialError, match="the name of a metric must be printable"):
        _numbers({name: 0.5})


def listening(pids):
    """Return the addresses at which processes accept connections."""
    for pid in pids:
        with suppress(psutil.Error):
            for one in psutil.Process(pid).net_connections("tcp"):
                if one.status == psutil.CONN_LISTEN:
                    yield ip_address(one.laddr.ip)


def is_loopback(address):
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@pytest.mark.slow
def test_a_local_search_listens_on_loopback_only_and_writes_no_secrets(tmp_path):
    secret = "s3cr3t-t0k3n"
    small = ("--space", "mlp", "--trials", 1, "--epochs", 100, "--output", tmp_path / "run")
    with process(*cli("search", *small), MY_TOKEN=secret, cwd=tmp_path) as started:
        journal = tmp_path / "run" / "journal.jsonl"
        assert wait_until(lambda: journal.exists() and b"report" in journal.read_bytes(), started)
        found = [*listening(members(started.pid))]
        assert len(found) > 2
        assert all(map(is_loopback, found)), found
        output, errors = started.communicate(timeout=PATIENCE)
        assert started.returncode == 0, errors
    assert secret not in output + errors
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path
