"""A node whose network is cut for a while: a real one, in a network namespace of its own."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType

import pytest
from ray._raylet import GcsClient
from ray.exceptions import RayError
from ray_nodes import free_port
from ray_runs import PATIENCE, cli, process, wait_until
from soak_judgement import judge
from soak_torment import EPOCHS, FILE, Soak

TRIALS, CUT = 8, 20.0
SPACE = f"raynas{os.getpid()}"
# A network of four addresses, which is not that of another process that runs this test.
THIRD, FOURTH = divmod(os.getpid() % 2**14 * 4, 256)
HOST, NODE = (f"10.213.{THIRD}.{FOURTH + at}" for at in (1, 2))
OPEN = {"RAY_AUTH_MODE": "disabled"}  # without a token
RAY = ("-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1")
RAY += ("--min-worker-port=0", "--max-worker-port=0")  # not those of another Ray here


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    return done.returncode == 0


@contextmanager
def namespace():
    """Make a network namespace that is connected to this one; yield the link's name here."""
    link = f"rn{os.getpid() % 10**6}"
    if not shutil.which("ip") or not ip("netns", "add", SPACE):
        pytest.skip("network namespaces cannot be made here: that needs Linux, ip and root")
    try:
        assert ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", SPACE)
        assert ip("addr", "add", f"{HOST}/30", "dev", link)
        assert ip("link", "set", link, "up")
        for words in (("addr", "add", f"{NODE}/30", "dev", "eth0"), ("link", "set", "eth0", "up")):
            assert ip("-n", SPACE, *words)
        assert ip("-n", SPACE, "link", "set", "lo", "up")
        yield link
    finally:
        ip("link", "del", link)
        ip("netns", "del", SPACE)


def inside(*command):
    """Return the command that runs Python in the namespace."""
    run = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    return ("-c", run, "ip", "netns", "exec", SPACE, sys.executable, *command)


def nodes(address):
    """Return how many nodes a cluster has, 0 while there is none."""
    with suppress(RayError):
        return len(GcsClient(address=address).get_all_node_info())
    return 0


@pytest.mark.slow
def test_a_node_that_is_cut_off_for_a_while_costs_no_trial(tmp_path):
    mine = tmp_path / "mine.py"
    text = FILE.format(log=str(tmp_path / "log"), seconds=0.5)
    mine.write_text(text)
    module = ModuleType("mine")
    exec(text, module.__dict__)
    with ExitStack() as stack:
        link = stack.enter_context(namespace())
        port, agent, client = (str(free_port()) for _ in range(3))
        head = ("--head", "--port", port, "--node-ip-address", HOST)
        head += ("--dashboard-agent-listen-port", agent, "--ray-client-server-port", client)
        address = f"{HOST}:{port}"
        node = ("--address", address, "--node-ip-address", NODE)
        first = stack.enter_context(process(*RAY, *head, **OPEN))
        assert wait_until(lambda: nodes(address) == 1, first)
        second = stack.enter_context(process(*inside(*RAY, *node), **OPEN))
        assert wait_until(lambda: nodes(address) == 2, second)
        command = cli(
            *("search", "--space", mine, "--task", f"{mine}:Task", "--scheduler", "none"),
            *("--searcher", "evolution", "--set", "searcher.population_size=20", "--seed", 0),
            *("--epochs", EPOCHS, "--trials", TRIALS, "--max-concurrent", 2),
            *("--output", tmp_path / "run", "--address", address, "--max-failures", TRIALS),
        )
        told = Soak(tmp_path, TRIALS, None)
        started = stack.enter_context(process(*command, **OPEN))
        assert wait_until(lambda: len(told.events()) > 8, started)
        assert ip("link", "set", link, "down")
        time.sleep(CUT)
        assert ip("link", "set", link, "up")
        _, errors = started.communicate(timeout=PATIENCE)
        assert started.returncode == 0, errors
    assert judge(told, module) == []
