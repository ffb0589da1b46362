"""Whose Ray a search runs on, and what it may take of it."""

import socketserver
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler
from tempfile import TemporaryDirectory
from threading import Event, Thread

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray._private import utils
from ray._private.node import Node
from ray_runs import PATIENCE, cli, completed, members, process, wait_until

from raynas.errors import ResourceError
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.cluster import Share, connected, settle
from raynas.execution.ray_tune.lean_start import DASHBOARD, HELPERS, lean, loading
from raynas.execution.ray_tune.named_cluster import check_joinable

TENTHS = st.integers(0, 40).map(lambda tenths: tenths / 10)


def named(nodes):
    """Return the resources of nodes by name, from what Ray calls them."""
    return {
        str(at): Resources(node.get("CPU", 0.0), node.get("GPU", 0.0))
        for at, node in enumerate(nodes)
    }


def packed(node, cpus, gpus):
    """Count trials by placing one after the other, in thousandths, on a node's own devices."""
    free_cpus, wanted_cpus = round(1000 * node.get("CPU", 0)), round(1000 * cpus)
    devices, wanted = [1000] * int(node.get("GPU", 0)), round(1000 * gpus)
    for count in range(1000):
        if free_cpus < wanted_cpus:
            return count
        free_cpus -= wanted_cpus
        for _ in range(max(1, wanted // 1000) if wanted else 0):
            fitting = [at for at, left in enumerate(devices) if left >= min(wanted, 1000)]
            if not fitting:
                return count
            devices[fitting[0]] -= min(wanted, 1000)
    raise AssertionError("endless")


@given(
    st.lists(st.tuples(TENTHS, st.integers(0, 4)), max_size=4),
    TENTHS,
    st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0]),
    st.none() | st.integers(1, 9),
)
def test_as_many_trials_run_as_can_be_placed_and_no_more_than_asked_for(nodes, cpus, gpus, most):
    nodes = [{"CPU": cpu, **({"GPU": gpu} if gpu else {})} for cpu, gpu in nodes]
    if not cpus and not gpus:
        return
    share = Share(cpus=cpus, gpus=gpus, concurrent=most)
    fitting, nodes = sum(packed(node, cpus, gpus) for node in nodes), named(nodes)
    if fitting:
        assert settle(share, nodes).count == min(fitting, most or fitting)
        for workers in (2, 3):
            together = replace(share, workers=workers)
            if groups := fitting // workers:
                assert settle(together, nodes).count == min(groups, most or groups)
            else:
                with pytest.raises(ResourceError, match="fewer workers with --workers-per-trial"):
                    settle(together, nodes)
    else:
        with pytest.raises(ResourceError, match="ask for less with --cpus-per-trial"):
            settle(share, nodes)


@pytest.mark.parametrize(
    ("gpus", "given"),
    [([], 0), ([0], 0), ([4], 4), ([0, 2], 2)],
)
def test_a_trial_gets_a_part_of_a_gpu_where_there_is_any(gpus, given):
    slots = settle(
        Share(), named([{"CPU": 8.0, "GPU": float(count)} for count in gpus] or [{"CPU": 8}])
    )
    assert slots.predicted == bool(given)
    assert bool(slots.usual.gpus) == slots.usual.shared == bool(given)
    assert slots.count * slots.gpus_held == given  # the search holds all GPUs


def test_each_of_several_processes_has_a_gpu_to_itself_where_there_is_any():
    slots = settle(Share(workers=2), named([{"CPU": 8.0, "GPU": 4.0}]))
    assert (slots.usual.gpus, slots.count, slots.gpus_held) == (1.0, 2, 2.0)
    assert not slots.predicted
    assert settle(Share(workers=2), named([{"CPU": 8.0}])).usual.gpus == 0
    with pytest.raises(ResourceError, match="1 CPUs and 1 GPUs for each of 2 processes, and the"):
        settle(Share(workers=2), named([{"CPU": 8.0, "GPU": 1.0}]))


def test_what_is_there_and_what_was_asked_is_said():
    nodes = [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 64.0}]
    with pytest.raises(ResourceError) as error:
        settle(Share(cpus=8, gpus=0.5), named(nodes))
    assert str(error.value) == (
        "a trial asks for 8 CPUs and 0.5 GPUs on one node, and the nodes have 4 CPUs and 1 GPUs; "
        "64 CPUs and 0 GPUs: ask for less with --cpus-per-trial and --gpus-per-trial; if the "
        "cluster adds nodes when they are needed, say for how many trials with --max-concurrent"
    )
    with pytest.raises(ResourceError, match="the nodes have nothing"):
        settle(Share(), {})
    assert settle(Share(concurrent=3), {}, grows=True).count == 0


# Children that write down in whose session they live, and cannot be built.
SPACE_FILE = """
from pathlib import Path

import ray

from raynas import Choice, Space

SPACE = Space({{"op": Choice(["a", "b", "c"])}})


def build(architecture, input_shape, classes):
    with Path({log!r}).open("a") as file:
        file.write(ray.get_runtime_context().gcs_address + "\\n")
    raise ValueError("only looking")
"""

HOLDER = """
import ray
from ray.experimental.internal_kv import _internal_kv_put

ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
print(ray.get_runtime_context().gcs_address, flush=True)
input()
# As if it had been started with other versions.
versions = b'{"ray_version": "2.9.3", "python_version": "3.9.18"}'
_internal_kv_put(b"CLUSTER_METADATA", versions, overwrite=True, namespace=b"cluster")
print("other", flush=True)
input()
print(sum(node["Alive"] for node in ray.nodes()), flush=True)
"""


REFUSALS = (
    ({"RAY_AUTH_TOKEN": "of another cluster"}, "refuses the token of this machine: copy"),
    ({"RAY_AUTH_MODE": "disabled"}, "asks for a token, but RAY_AUTH_MODE=disabled forbids it"),
)


def answered(started):
    """Return the line with which a process answers a line."""
    started.stdin.write("\n")
    started.stdin.flush()
    return started.stdout.readline()


def refusal(command, **environment):
    """Return the one line of a command that is refused."""
    status, _, errors = completed(*command, **environment)
    assert (status, errors.count("\n")) == (2, 1)
    return errors


@pytest.mark.slow
def test_a_cluster_is_joined_where_it_is_named_and_only_there(tmp_path):
    (tmp_path / "space.py").write_text(SPACE_FILE.format(log=str(tmp_path / "addresses")))
    search = ["search", "--space", tmp_path / "space.py", "--searcher", "random", "--trials", 2]
    search += [
        "--max-concurrent",
        1,
        "--max-failures",
        9,
    ]  # or a network is looked at before there is a cluster

    def joined(name, *arguments, **environment):
        """Search until it fails; return the addresses of the clusters its trials ran on."""
        command = cli(*search, "--output", tmp_path / name, *arguments)
        with process(*command, **environment) as started:
            _, errors = started.communicate(timeout=PATIENCE)
            failed = "none of 2 trials finished: the network cannot be built: only looking"
            assert errors.endswith(f"raynas: {failed}\n")
            assert started.returncode == 1
            until = time.monotonic() + PATIENCE
            while members(started.pid):  # on a busy machine dying takes its time
                assert time.monotonic() < until, "what it started outlives it"
                time.sleep(0.1)
            written = (tmp_path / "addresses").read_text()
            (tmp_path / "addresses").unlink()
            return set(written.split())

    with (
        TemporaryDirectory(prefix="raynas") as shared,  # where Ray notes which clusters there are
        process("-c", HOLDER, RAY_TMPDIR=shared) as holder,
    ):
        held = holder.stdout.readline().strip()
        # Which asks for a token: that of this machine is sent.
        assert joined("named", "--address", held, RAY_TMPDIR=shared) == {held}
        # Not "auto": with that, Ray takes any cluster it sees among the machine's processes.
        assert joined("told", RAY_ADDRESS=held, RAY_TMPDIR=shared) == {held}
        command = cli(*search, "--output", tmp_path / "refused", "--address", held)
        for refused, says in REFUSALS:
            assert f"raynas: the Ray cluster at {held!r} {says}" in refusal(command, **refused)
        (alone,) = joined("alone", RAY_TMPDIR=shared)
        assert alone != held
        assert answered(holder) == "other\n"
        assert "has Ray 2.9.3 and Python 3.9.18, and here are Ray" in refusal(command)
        output, _ = holder.communicate("\n", timeout=PATIENCE)
        assert output == "1\n"  # it is still there, and still by itself


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", r"'127.0.0.1:1': .*refused. Give the address that 'ray start --head'"),
        ("nonsense", "'nonsense': Invalid address"),
        ("a:b", "'a:b': an address must be HOST:PORT or auto"),
        ("ray://127.0.0.1:10001", "an address of Ray Client.*: run raynas on a machine of"),
    ],
)
def test_a_cluster_that_does_not_answer_is_refused_at_once(address, says):
    with pytest.raises(ResourceError, match=says), connected(Share(address=address)):
        pass


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RAY_TMPDIR", "/proc/none", "No such file or directory: '/proc/none'"),
        # The raylet refuses such a threshold and ends. Ray waits for it, then raises Exception.
        pytest.param("RAY_memory_usage_threshold", "5", "timed out", marks=pytest.mark.slow),
    ],
)
def test_a_ray_that_does_not_start_ends_the_search_with_one_line(tmp_path, name, value, says):
    command = cli("search", "--task", "digits", "--trials", 1, "--output", tmp_path / "run")
    status, _, errors = completed(*command, **{name: value})
    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith("raynas: Ray must start on this machine, and it did not: ")
    assert says in errors
    assert errors.endswith(
        "Try again when the machine has more free memory, disk space and "
        "processor time; --verbose shows Ray's output\n"
    )


def test_what_listens_and_is_no_cluster_is_refused_at_once():
    with socketserver.TCPServer(("", 0), SimpleHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        with (
            pytest.raises(ResourceError, match=f"the server at {address!r} is not a Ray cluster"),
            connected(Share(address=address)),
        ):
            pass
        server.shutdown()


def test_another_server_of_the_same_protocol_is_no_cluster():
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('0.0.0.0:0')}"
    server.start()
    try:
        with pytest.raises(ResourceError, match=f"the server at {address!r} is not a Ray cluster"):
            check_joinable(address)
    finally:
        server.stop(None).wait()


def test_only_a_lean_ray_does_without_its_helpers():
    known = [*((Node, name) for name in HELPERS), (utils, DASHBOARD)]
    own = [getattr(*one) for one in known]  # which this Ray still calls by these names
    with lean():
        assert not any(getattr(*one) in own for one in known)
    assert [getattr(*one) for one in known] == own


def test_an_import_that_fails_beside_ray_says_its_reason(tmp_path, monkeypatch):
    looked_for = Event()
    monkeypatch.setattr(sys, "looked_for", looked_for, raising=False)
    (tmp_path / "unfit.py").write_text(
        "import sys; sys.looked_for.wait(); raise ImportError('the reason')", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with loading("unfit"):
        wait_until(lambda: "unfit" in sys.modules)
        looked_for.set()
    with pytest.raises(ImportError, match="the reason"):
        from unfit import something  # noqa: F401, PLC0415
