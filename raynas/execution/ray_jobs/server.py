"""Find the server of a cluster that takes jobs, and say within seconds why there is none."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import requests

from raynas.errors import ConfigError, ResourceError
from raynas.execution.ray_tune.token import refused, token, token_enabled

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_PATIENCE: Final = (2.0, 60.0)  # seconds to connect, and to answer on a busy machine
_USUAL: Final = "http://127.0.0.1:8265"
_VARIABLE: Final = "RAY_API_SERVER_ADDRESS"
_TALKATIVE: Final = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
    "ray._private.runtime_env.working_dir",
)
_NO_TOKEN: Final = frozenset({401, 403})
_HINT: Final = "give the address of the dashboard, such as http://HOST:8265"


def client_of(address: str | None) -> JobSubmissionClient:
    """Return a client of the server that takes a cluster's jobs.

    Args:
        address: ``http://HOST:PORT`` or ``HOST:PORT`` of the cluster's dashboard; none for what
            ``RAY_API_SERVER_ADDRESS`` says, or for this machine.

    Raises:
        ConfigError: The address has another form, or a library is missing here.
        ResourceError: No cluster answers there, or it refuses the token of this machine.
    """
    if find_spec("aiohttp") is None:
        raise ConfigError("jobs need Ray's client for them: pip install 'raynas[cluster]'")
    url = url_of(address)
    check_answers(url)
    os.environ[_VARIABLE] = url  # noqa: TID251 - or the client takes RAY_ADDRESS instead
    from ray.job_submission import JobSubmissionClient  # noqa: PLC0415 - slow to load

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    return JobSubmissionClient(url)


def url_of(address: str | None) -> str:
    """Return the URL of a dashboard, from what the user gave or from the environment.

    Raises:
        ConfigError: The address has another form.
    """
    given = address or os.environ.get(_VARIABLE) or _USUAL  # noqa: TID251 - Ray's own way to be told
    url = given if "://" in given else f"http://{given}"
    scheme, _, place = url.rstrip("/").partition("://")
    if scheme not in {"http", "https"} or not place or given == "auto":
        raise ConfigError(f"{given!r} is not an address that takes jobs: {_HINT}")
    return url.rstrip("/")


def check_answers(url: str) -> None:
    """Check that a cluster takes jobs at a URL, and accepts the token of this machine.

    Raises:
        ResourceError: It does not.
    """
    answer = _asked(url, token())
    if answer.status_code in _NO_TOKEN and not os.environ.get("RAY_AUTH_MODE"):  # noqa: TID251
        answer = _asked(url, token_enabled())
    if answer.status_code in _NO_TOKEN:
        raise ResourceError(f"the Ray cluster at {url!r} {refused()}")
    try:
        known = "ray_version" in answer.json()
    except ValueError:
        known = False
    if not known:
        raise ResourceError(f"the server at {url!r} is not the dashboard of a cluster: {_HINT}")


def _asked(url: str, headers: Mapping[str, str]) -> requests.Response:
    try:
        return requests.get(f"{url}/api/version", headers=dict(headers), timeout=_PATIENCE)
    except requests.RequestException as error:
        raise ResourceError(
            f"no Ray cluster takes jobs at {url!r}: {_HINT}, as 'ray start --head' prints it; it "
            "has a dashboard if ray[default] is installed there"
        ) from error
