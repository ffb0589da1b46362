"""The token that a Ray cluster may ask for, as Ray itself finds it on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from ray.exceptions import RayError

from raynas.errors import ResourceError

_MODE: Final = "RAY_AUTH_MODE"
_TO_DO: Final = (
    "copy ~/.ray/auth_token of the cluster's head node here, or give its token with "
    "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
)
_RAY: Final[Any] = import_module("ray._raylet")  # it has no type hints


def token() -> Mapping[str, str]:
    """Return the headers with the token that Ray would send; empty if it would send none."""
    # Ray before 2.52 has no tokens.
    mode = getattr(_RAY, "get_authentication_mode", None)
    if mode is None or mode() == _RAY.AuthenticationMode.DISABLED or not _has_token():
        return {}
    headers: Mapping[str, str] = (
        _RAY.AuthenticationTokenLoader.instance().get_token_for_http_header()
    )
    return headers


def token_enabled() -> Mapping[str, str]:
    """Configure Ray to send this machine's token, if it has one; return the headers."""
    if _has_token():
        os.environ[_MODE] = "token"  # noqa: TID251 - Ray's own way to be told
        _RAY.Config.initialize("")  # Ray reads the environment variable again
    return token()


def refused() -> str:
    """Return in words why a cluster that asks for a token refused, and what to do."""
    if token():
        return f"refuses the token of this machine: {_TO_DO}"
    if not _has_token():
        return f"asks for a token, and this machine has none: {_TO_DO}"
    forbids = os.environ.get(_MODE)  # noqa: TID251 - Ray's own way to be told
    return f"asks for a token, but {_MODE}={forbids} forbids it: unset {_MODE}"


def _has_token() -> bool:
    """Return whether this machine has a token, even if Ray would not send it."""
    if not hasattr(_RAY, "AuthenticationTokenLoader"):
        return False
    try:
        return bool(_RAY.AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True))
    except RayError as error:
        raise ResourceError(f"Ray's token cannot be read: {str(error).split('. ')[0]}") from error
