"""Check in a few seconds whether raynas can join the cluster at an address.

``ray.init`` would try for twenty seconds or more and print many lines. It sends the token of this
machine only with the address ``auto``, and not with ``HOST:PORT``. raynas sends the token to every
cluster that asks for one, unless ``RAY_AUTH_MODE`` forbids it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import grpc
from ray._private.services import canonicalize_bootstrap_address
from ray.exceptions import RayError

from raynas.errors import ResourceError

_PATIENCE: Final = 2.0  # seconds that a cluster has to answer; it is asked up to three times
_MODE: Final = "RAY_AUTH_MODE"
_QUESTION: Final = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # Ray's own first request
_TO_DO: Final = (
    "copy ~/.ray/auth_token of the cluster's head node here, or give its token with "
    "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
)
_RAY: Final[Any] = import_module("ray._raylet")  # it has no type hints


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
    socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    if _environment("RAY_USE_TLS") not in ("", "0"):
        return  # the request below does not support TLS
    answer = _ask(found, _token())
    if answer is grpc.StatusCode.UNAUTHENTICATED and not _environment(_MODE):
        answer = _ask(found, _token_enabled())
    if answer is grpc.StatusCode.UNAUTHENTICATED:
        raise ResourceError(f"the Ray cluster at {address!r} {_refused()}")
    if answer is not grpc.StatusCode.OK:
        raise ResourceError(
            f"the server at {address!r} is not a Ray cluster: give the address that "
            "'ray start --head' printed"
        )


def _ask(address: str, token: Mapping[str, str]) -> grpc.StatusCode:
    """Return the status of a cluster's answer to Ray's first request."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        question = channel.unary_unary(_QUESTION)
        try:
            question(b"", timeout=_PATIENCE, metadata=tuple(token.items()))
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


def _environment(name: str) -> str:
    return os.environ.get(name, "")  # noqa: TID251 - Ray's own way to be told


def _has_token() -> bool:
    """Return whether this machine has a token, even if Ray would not send it."""
    if not hasattr(_RAY, "AuthenticationTokenLoader"):
        return False
    try:
        return bool(_RAY.AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True))
    except RayError as error:
        raise ResourceError(f"Ray's token cannot be read: {str(error).split('. ')[0]}") from error


def _token() -> Mapping[str, str]:
    """Return the headers with the token that Ray would send; empty if it would send none."""
    # Ray before 2.52 has no tokens.
    mode = getattr(_RAY, "get_authentication_mode", None)
    if mode is None or mode() == _RAY.AuthenticationMode.DISABLED or not _has_token():
        return {}
    token: Mapping[str, str] = (
        _RAY.AuthenticationTokenLoader.instance().get_token_for_http_header()
    )
    return token


def _token_enabled() -> Mapping[str, str]:
    """Configure Ray to send this machine's token, if it has one; return the headers."""
    if _has_token():
        os.environ[_MODE] = "token"  # noqa: TID251 - Ray's own way to be told
        _RAY.Config.initialize("")  # Ray reads the environment variable again
    return _token()


def _refused() -> str:
    """Return in words why a cluster that asks for a token refused, and what to do."""
    if _token():
        return f"refuses the token of this machine: {_TO_DO}"
    if not _has_token():
        return f"asks for a token, and this machine has none: {_TO_DO}"
    return f"asks for a token, but {_MODE}={_environment(_MODE)} forbids it: unset {_MODE}"
