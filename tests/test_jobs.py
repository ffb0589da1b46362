"""Searches as jobs of a cluster that grows from no worker, and shrinks again."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml
from ray_nodes import free_port, head
from ray_runs import PATIENCE, cli, completed, process, wait_until

ROOT = Path(__file__).parents[1]
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "who knows it may do anything here"}
CLIENT = {**TOKEN, "PYTHONPATH": str(ROOT)}
GROWS = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}

# Networks that are built once there is a file "go".
SPACE = """
import os
import time
from pathlib import Path

from torch import nn

from raynas import Choice, Space

SPACE = Space({"n": Choice([1, 2, 3, 4])})
FOLDER = Path(%r)


def build(architecture, input_shape, classes):
    (FOLDER / f"worker-{os.getpid()}").touch()
    while not (FOLDER / "go").exists():
        time.sleep(0.1)
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""


def autoscaling(folder, port):
    """Write a file of the cluster's settings: those of ``cluster.yaml``, on this machine."""
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    config["provider"] = {
        "type": "fake_multinode",
        "gcs_address": f"127.0.0.1:{port}",
        "use_node_id_as_ip": True,  # all nodes have one
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    }
    config["available_node_types"]["gpu_worker"]["resources"] = {"CPU": 1}  # no GPU here
    config["idle_timeout_minutes"] = 0.1
    for kind in config["available_node_types"].values():
        kind["node_config"] = {}
    # What follows is for machines that are reached by SSH, and must be there all the same.
    steps = ("setup", "initialization", "head_setup", "worker_setup")
    steps += ("head_start_ray", "worker_start_ray")
    config |= {f"{step}_commands": [] for step in steps}
    config |= {"file_mounts": {}, "cluster_synced_files": [], "rsync_exclude": []}
    config |= {"file_mounts_sync_continuously": False, "upscaling_speed": 1.0}
    (folder / "autoscaling.json").write_text(json.dumps(config))
    return folder / "autoscaling.json"


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """The address of the dashboard of a cluster, its other one, and the home of its node."""
    home = tmp_path_factory.mktemp("home")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251 - for `python`
    place = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}
    port, dashboard = free_port(), free_port()
    options = [f"--autoscaling-config={autoscaling(home, port)}", "--num-cpus=0"]
    options += [f"--dashboard-port={dashboard}"]
    with head(*options, port=port, dashboard=True, **place, **GROWS, **TOKEN) as address:
        yield f"http://127.0.0.1:{dashboard}", address, home


@pytest.fixture
def folder(tmp_path):
    """A folder of the user's."""
    mine = tmp_path / "mine"
    (mine / "runs" / "old").mkdir(parents=True)
    (mine / "runs" / "old" / "journal.jsonl").touch()
    (mine / "space.py").write_text(SPACE % str(tmp_path))
    return mine


def raynas(folder, *words, **environment):
    return completed(*cli(*words), cwd=folder, **{**CLIENT, **environment})


def nodes(url):
    """Return how many nodes a cluster has, 0 while it does not say so."""
    token = {"Authorization": f"Bearer {TOKEN['RAY_AUTH_TOKEN']}"}
    answer = requests.get(f"{url}/api/v0/nodes", headers=token, timeout=PATIENCE)
    known = answer.json()["data"]["result"]["result"] if answer.ok else ()
    return sum(node["state"] == "ALIVE" for node in known)


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_a_job_is_begun_left_followed_again_and_fetched(growing, folder):
    url, _, home = growing
    amounts = ("--trials", 3, "--epochs", 1, "--max-concurrent", 2, "--max-failures", 9)
    submit = ("submit", "--address", url, "search", "--space", "space.py", *amounts)
    assert wait_until(lambda: nodes(url) == 1)
    with process(*cli(*submit), cwd=folder, **CLIENT) as started:
        both = lambda: len([*folder.parent.glob("worker-*")]) >= 2  # noqa: E731
        assert wait_until(both, started), started.communicate()
        started.send_signal(signal.SIGINT)
        output, errors = started.communicate(timeout=PATIENCE)
    job = errors.split()[1]
    assert (started.returncode, errors.splitlines()[0]) == (
        0,
        f"job {job} runs in ~/raynas/mine of the head node",
    )
    assert f"the job goes on. To follow it: raynas logs {job}" in errors
    assert nodes(url) >= 3  # from zero; one more may have been asked for meanwhile

    (folder.parent / "go").touch()
    status, output, errors = raynas(folder, "logs", "--address", url)
    assert status == 0, errors
    assert "trial 2 " in output
    _check_fetched(url, home, folder)
    status, output, _ = raynas(folder, "status", "--address", url, COLUMNS="200")
    assert (status, output.splitlines()[1].split()[:2]) == (0, [job, "succeeded"])
    status, output, _ = raynas(folder, "stop", "--address", url)
    assert (status, output) == (0, f"job {job} has ended before\n")
    until = time.monotonic() + PATIENCE
    while nodes(url) != 1:  # and back
        assert time.monotonic() < until
        time.sleep(0.2)


def _check_fetched(url, home, folder):
    status, output, errors = raynas(folder, "fetch", "--address", url)
    assert status == 0, errors
    assert output.endswith("files in runs/first: raynas show runs/first\n")
    there, here = home / "raynas" / "mine" / "runs", folder / "runs" / "first"
    assert files(here) == files(there / "first")
    assert (here / "journal.jsonl").exists()
    assert not (there / "old").exists()  # what comes from here could be older than what is there


@pytest.mark.slow
def test_bad_input_is_one_sentence(growing, folder):
    url, gcs, _ = growing
    (folder / "data").mkdir()
    with (folder / "data" / "huge.bin").open("wb") as file:
        file.truncate(2_000_000_000)  # a hole, which takes no room
    without = {"RAY_AUTH_MODE": "", "RAY_AUTH_TOKEN": "", "HOME": str(folder)}
    cases = [
        (["submit", "--address", url, "search"], {}, "must be smaller than 537 MB, and"),
        (["status", "--address", "127.0.0.1:1"], {}, "no Ray cluster takes jobs at"),
        (["status", "--address", gcs], {}, "no Ray cluster takes jobs at"),
        (["status", "--address", "auto"], {}, "'auto' is not an address that takes jobs"),
        (["status", "--address", url], without, "asks for a token, and this machine has none"),
        (["fetch", "runs/none", "--address", url], {}, "there is no folder"),
        (["submit", "--address", url, "show"], {}, "submit runs search, resume, check"),
        (["logs", "none", "--address", url], {}, "on this cluster"),
    ]
    for words, environment, says in cases:
        status, output, errors = raynas(folder, *words, **environment)
        assert (status, output, errors.count("\n")) == (2, "", 1), (words, errors)
        assert says in errors


@pytest.mark.slow
def test_a_head_node_without_raynas_is_named(growing, folder):
    url, _, _ = growing
    (folder / "raynas.py").write_text("raise ImportError('as if there was none')")
    submit = ("submit", "--address", url, "--working-dir", folder, "search")
    status, _, errors = raynas(folder.parent, *submit)
    last = errors.splitlines()[-1]
    assert status == 2
    assert last.startswith("raynas: the head node of the cluster must have raynas, and it has not")


@pytest.mark.slow
def test_tensorboard_shows_a_run_of_this_machine(tmp_path):
    port = free_port()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.jsonl").touch()
    command = cli("tensorboard", "run", "--port", port)
    with process(*command, cwd=tmp_path, PYTHONPATH=str(ROOT)) as started:
        assert wait_until(lambda: answers(f"http://127.0.0.1:{port}"), started)
        started.send_signal(signal.SIGINT)
        assert started.wait(PATIENCE) == 0
    status, _, errors = raynas(tmp_path, "tensorboard", "none")
    assert (status, errors) == (2, "raynas: there is no run folder none\n")


def answers(url):
    try:
        return requests.get(url, timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False
