"""Nodes of Ray clusters on this machine, each a process that ends with its context."""

import socket
from contextlib import contextmanager

from ray_runs import process


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def node(*options, **environment):
    """Start a node, as ``ray start`` does; it leaves when the context ends."""
    usual = ("--block", "--disable-usage-stats", "--object-store-memory=100000000")
    usual += (f"--dashboard-agent-listen-port={free_port()}",)  # not that of another node here
    command = ("-m", "ray.scripts.scripts", "start", *usual, *map(str, options))
    with process(*command, **{"RAY_AUTH_MODE": "disabled", **environment}) as started:
        said = []
        while "Ray runtime started" not in (line := started.stdout.readline()):
            said.append(line)
            assert line, "".join(said) + started.stderr.read()
        yield started


@contextmanager
def head(*options, port=None, dashboard=False, **environment):
    """Start a head node; yield its address."""
    port = port or free_port()
    here = ("--head", "--node-ip-address=127.0.0.1", f"--port={port}")
    shown = f"--include-dashboard={dashboard}"
    with node(*here, shown, *options, **environment):
        yield f"127.0.0.1:{port}"
