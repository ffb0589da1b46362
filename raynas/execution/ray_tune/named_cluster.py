"""Check whether raynas can join the cluster at an address; a refusal is said within seconds.

``ray.init`` would try for twenty seconds or more and print many lines. It sends the token of this
machine only with the address ``auto``, and not with ``HOST:PORT``. raynas sends the token to every
cluster that asks for one, unless ``RAY_AUTH_MODE`` forbids it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

import grpc
from ray._private.services import canonicalize_bootstrap_address

from raynas.errors import ResourceError
from raynas.execution.ray_tune.token import refused, token, token_enabled

_CONNECTION: Final = 2.0  # seconds in which the address must accept a connection
_ANSWER: Final = 30.0  # seconds that a cluster on a busy machine has to answer
_MODE: Final = "RAY_AUTH_MODE"
_QUESTION: Final = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # Ray's own first request


def check_joinable(address: str) -> None:
    """Check that a Ray cluster answers at an address and accepts this machine's token.

    If the cluster asks for a token and this machine has one, Ray is configured to send it.

    Args:
        address: ``auto`` or ``HOST:PORT``.

    Raises:
        ResourceError: The address is for Ray Client, the server at the address is not a Ray
            cluster, or the cluster refuses the connection.
        OSError: No server answers at the address.
        ValueError: The address has another form.
    """
    if address.startswith("ray://"):
        raise ResourceError(
            f"{address!r} is an address of Ray Client, which does not support Ray Tune: run "
            "raynas on a machine of the cluster, with --address auto"
        )
    found = canonicalize_bootstrap_address(address)
    if found is None:  # no cluster was found: Ray starts a new one
        return
    host, _, port = found.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("an address must be HOST:PORT or auto")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECTION).close()
    if _environment("RAY_USE_TLS") not in ("", "0"):
        return  # the request below does not support TLS
    answer = _ask(found, token())
    if answer is grpc.StatusCode.UNAUTHENTICATED and not _environment(_MODE):
        answer = _ask(found, token_enabled())
    if answer is grpc.StatusCode.UNAUTHENTICATED:
        raise ResourceError(f"the Ray cluster at {address!r} {refused()}")
    if answer is not grpc.StatusCode.OK:
        raise ResourceError(
            f"the server at {address!r} is not a Ray cluster: give the address that "
            "'ray start --head' printed"
        )


def _ask(address: str, headers: Mapping[str, str]) -> grpc.StatusCode:
    """Return the status of a cluster's answer to Ray's first request."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        question = channel.unary_unary(_QUESTION)
        try:
            question(b"", timeout=_ANSWER, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


def _environment(name: str) -> str:
    return os.environ.get(name, "")  # noqa: TID251 - Ray's own way to be told
