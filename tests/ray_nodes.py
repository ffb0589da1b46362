"""Nodes of Ray clusters on this machine, each a process that ends with its context."""

import secrets
import socket
from contextlib import contextmanager, suppress

from ray_runs import process

# Linux gives these to nobody who does not ask for one of them, nor do other parts of Ray use them.
# A port that Linux has chosen may be another's before it is used.
PORTS = range(20_000, 30_000)


def free_port():
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError), socket.socket() as one:
            one.bind(("", port))
            return port


@contextmanager
def node(*options, **environment):
    """Start a node, as ``ray start`` does; it leaves when the context ends."""
    usual = ("--block", "--disable-usage-stats", "--object-store-memory=100000000")
    usual += (f"--dashboard-agent-listen-port={free_port()}",)  # not that of another node here
    usual += ("--min-worker-port=0", "--max-worker-port=0")  # nodes here would choose the same
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
    apart = (f"--include-dashboard={dashboard}", f"--ray-client-server-port={free_port()}")
    with node(*here, *apart, *options, **environment):
        yield f"127.0.0.1:{port}"
