"""Seeing in seconds whether a named cluster can be joined, and with which token.

``ray.init`` would try for twenty seconds or more, and not quietly. It also sends the token that
lies on this machine to ``auto`` only, and not to a cluster that is named by its address. Here a
cluster that asks for a token gets it, unless ``RAY_AUTH_MODE`` says otherwise.
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

_PATIENCE: Final = 2.0  # seconds until a cluster must answer, each of three times
_MODE: Final = "RAY_AUTH_MODE"
_QUESTION: Final = "/ray.rpc.NodeInfoGcsService/GetClusterId"  # the first that Ray itself asks
_TO_DO: Final = (
    "copy ~/.ray/auth_token of the cluster's head node here, or give its token with "
    "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
)
_RAY: Final[Any] = import_module("ray._raylet")  # whose types are not known


def check_joinable(address: str) -> None:
    """See that a Ray cluster answers at an address and lets us in.

    Where the cluster asks for a token and one lies on this machine, Ray is told to send it.

    Args:
        address: ``auto`` or ``HOST:PORT``.

    Raises:
        ResourceError: It is Ray Client's; what answers is no Ray cluster, or refuses us.
        OSError: Nobody answers.
        ValueError: It is no address.
    """
    if address.startswith("ray://"):
        raise ResourceError(
            f"{address!r} is an address of Ray Client, with which Ray Tune cannot be led: run "
            "raynas on a machine of the cluster, with --address auto"
        )
    found = canonicalize_bootstrap_address(address)
    if found is None:  # Ray starts a cluster of its own
        return
    host, _, port = found.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("an address is HOST:PORT or auto")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    if _environment("RAY_USE_TLS") not in ("", "0"):
        return  # it speaks another protocol
    answer = _ask(found, _token())
    if answer is grpc.StatusCode.UNAUTHENTICATED and not _environment(_MODE):
        answer = _ask(found, _token_enabled())
    if answer is grpc.StatusCode.UNAUTHENTICATED:
        raise ResourceError(f"the Ray cluster at {address!r} {_refused()}")
    if answer is not grpc.StatusCode.OK:
        raise ResourceError(
            f"what answers at {address!r} is no Ray cluster: give the address that "
            "'ray start --head' has printed"
        )


def _ask(address: str, token: Mapping[str, str]) -> grpc.StatusCode:
    """Return how a cluster answers the first question that Ray asks it."""
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
    """Say whether a token lies on this machine, whether or not Ray would send it."""
    try:
        return bool(_RAY.AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True))
    except RayError as error:
        raise ResourceError(f"Ray's token cannot be read: {str(error).split('. ')[0]}") from error


def _token() -> Mapping[str, str]:
    """Return the token as Ray would send it; nothing where it would send none."""
    if _RAY.get_authentication_mode() == _RAY.AuthenticationMode.DISABLED or not _has_token():
        return {}
    token: Mapping[str, str] = (
        _RAY.AuthenticationTokenLoader.instance().get_token_for_http_header()
    )
    return token


def _token_enabled() -> Mapping[str, str]:
    """Tell Ray to send the token that lies on this machine, if one does; return it."""
    if _has_token():
        os.environ[_MODE] = "token"  # noqa: TID251 - Ray's own way to be told
        _RAY.Config.initialize("")  # which reads it again
    return _token()


def _refused() -> str:
    """Say why a cluster that asks for a token has not let us in, and what to do."""
    if _token():
        return f"refuses the token of this machine: {_TO_DO}"
    if not _has_token():
        return f"asks for a token, and there is none on this machine: {_TO_DO}"
    return f"asks for a token, and {_MODE}={_environment(_MODE)} sends none: unset {_MODE}"
