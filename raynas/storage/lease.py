"""A lease: which process may write a run in an object store, and whether it is still alive.

Each holder has a number, one more than the last one's, and an object of that number, which must be
new when it is written: so only one process gets it. The holder rewrites it every few seconds. A
process that finds a lease watches it by its own clock: clocks of machines are never compared.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final, Protocol
from uuid import uuid4

from filelock import FileLock, Timeout

from raynas.errors import JournalError
from raynas.json_text import parsed
from raynas.storage.address import Address

BEAT: Final = 5.0  # seconds between two signs of life
LIFE: Final = 30.0  # seconds without one, after which a holder counts as dead
_LOOK: Final = 0.5
_GLANCE: Final = 0.2  # seconds for which another process may look at a sign
_TOKEN: Final = re.compile("[0-9a-f]{32}")  # part of a path: nothing else may be
_LOG = logging.getLogger("raynas")


class Objects(Protocol):
    """What a lease needs of an object store."""

    location: Address

    def names(self, folder: str = "") -> list[str]: ...  # noqa: D102 - as in Store
    def read(self, name: str) -> bytes: ...  # noqa: D102 - as in Store
    def put(self, name: str, content: bytes) -> None: ...  # noqa: D102 - as in ObjectStore
    def create(self, name: str, content: bytes) -> bool: ...  # noqa: D102 - as in ObjectStore
    def age(self, name: str) -> float: ...  # noqa: D102 - as in ObjectStore
    def delete(self, *names: str) -> None: ...  # noqa: D102 - as in Store


class Lease:
    """The right to write a run."""

    def __init__(
        self,
        objects: Objects,
        folder: str,
        lost: Callable[[], None],
        beat: float = BEAT,
        life: float = LIFE,
    ) -> None:
        """Hold nothing yet.

        Args:
            objects: The store.
            folder: Where the lease lies in it.
            lost: Called when another process has taken the lease.
            beat: Seconds between two signs of life.
            life: Seconds without one, after which the holder counts as dead.
        """
        self._objects = objects
        self._folder = folder
        self._lost = lost
        self._beat = beat
        self._life = life
        self._number = 0
        self._held: dict[str, Any] = {}
        self._over = Event()
        self._living: Thread | None = None
        self._sign: FileLock | None = None

    def take(self) -> None:
        """Take the lease; wait until its holder, if it has one, counts as dead.

        Raises:
            JournalError: Its holder is alive.
        """
        number, content = self._latest()
        if number and not _is_released(content):
            self._outlive(number, content)
        self._number, token = number + 1, uuid4().hex
        self._sign = FileLock(_sign(token), timeout=0)
        Path(self._sign.lock_file).parent.mkdir(mode=0o777, exist_ok=True)
        self._sign.acquire()
        self._held = {"owner": _me(), "token": token, "beats": 0, "seconds": self._life}
        if not self._objects.create(self._called(self._number), _content(self._held)):
            self._drop_sign()
            raise self._refused(_read(self._latest()[1]))
        earlier = [one for one in self._numbers() if one < self._number]
        self._objects.delete(*map(self._called, earlier))
        self._over = Event()
        self._living = Thread(
            target=self._live, args=(self._over,), name="raynas-lease", daemon=True
        )
        self._living.start()

    def release(self) -> None:
        """Let others take it; its number stays, because numbers must rise."""
        self._over.set()
        if self._living is not None:
            self._living.join(self._beat)  # no longer: the store may not answer
        try:
            if self._number in self._numbers():  # else another process has taken it
                self._write({**self._held, "released": True})
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            _LOG.warning(
                "the lease of %s could not be given back (%s): it runs out in %.0f s",
                *(self._objects.location, error, self._life),
            )
        finally:
            self._drop_sign()

    def is_held(self) -> bool:
        """Return whether a process seems to hold it, by the time of its last sign of life.

        This is for people only: it compares the clocks of this machine and of the store.
        """
        number, content = self._latest()
        if not number or _is_released(content):
            return False
        alive = _is_locked_here(_read(content))
        if alive is not None:
            return alive
        try:
            return self._objects.age(self._called(number)) < self._life
        except FileNotFoundError:  # a newer holder has deleted it
            return True

    def _live(self, over: Event) -> None:
        """Give signs of life until it is over, or until another process has the lease."""
        while not over.wait(self._beat):
            try:
                if self._latest()[0] != self._number:
                    self._lost()
                    return
                if not over.is_set():
                    self._held["beats"] += 1
                    self._write(self._held)
            except Exception as error:  # noqa: BLE001 - a journal that cannot be written says so
                _LOG.debug("no sign of life for %s: %s", self._objects.location, error)

    def _outlive(self, number: int, content: bytes) -> None:
        """Return when the holder counts as dead, or has given the lease back.

        Raises:
            JournalError: It is alive.
        """
        held = _read(content)
        alive = _is_locked_here(held)
        if alive:
            raise self._refused(held)
        if alive is False:
            _sign(str(held["token"])).unlink(missing_ok=True)
            return
        life = float(held.get("seconds", self._life))
        _LOG.info(
            "%s was written by %s, which has not given it back: waiting up to %.0f s for a sign "
            "of life",
            *(self._objects.location, held.get("owner"), life),
        )
        end = time.monotonic() + life
        while time.monotonic() < end:
            time.sleep(_LOOK)
            now = self._latest()
            if now != (number, content):
                if _is_released(now[1]):
                    return
                raise self._refused(_read(now[1]))

    def _refused(self, held: dict[str, Any]) -> JournalError:
        return JournalError(
            f"another process is writing the run in {self._objects.location} "
            f"({held.get('owner')}): wait for it or stop it"
        )

    def _numbers(self) -> list[int]:
        names = self._objects.names(self._folder)
        return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json"))

    def _latest(self) -> tuple[int, bytes]:
        """Return the number and the content of the newest lease; 0 if there has been none."""
        while numbers := self._numbers():
            try:
                return numbers[-1], self._objects.read(self._called(numbers[-1]))
            except FileNotFoundError:  # a newer holder has deleted it since it was listed
                continue
        return 0, b""

    def _write(self, held: dict[str, Any]) -> None:
        self._objects.put(self._called(self._number), _content(held))

    def _called(self, number: int) -> str:
        return f"{self._folder}/{number:08d}.json"

    def _drop_sign(self) -> None:
        if self._sign is not None:
            Path(self._sign.lock_file).unlink(missing_ok=True)
            self._sign.release()
            self._sign = None


def _me() -> str:
    return f"{platform.node()}:{os.getpid()}"


def _sign(token: str) -> Path:
    """Return a file of this machine that is locked as long as the holder lives."""
    return Path(tempfile.gettempdir()) / f"raynas-leases-{os.getuid()}" / f"{token}.lock"


def _is_locked_here(held: dict[str, Any]) -> bool | None:
    """Return whether a process of this machine holds the lease; none if that cannot be seen."""
    token = str(held.get("token", ""))
    if not _TOKEN.fullmatch(token) or not (path := _sign(token)).is_file():
        return None
    lock = FileLock(path, timeout=_GLANCE)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return None
    lock.release()
    return False


def _content(held: dict[str, Any]) -> bytes:
    return json.dumps(held).encode()


def _read(content: bytes) -> dict[str, Any]:
    try:
        held = parsed(content)
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def _is_released(content: bytes) -> bool:
    return bool(_read(content).get("released"))
