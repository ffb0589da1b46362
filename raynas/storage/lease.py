"""A lease: which process may write a run in an object store, and whether it is still alive.

Each holder has a number, one more than the last one's, and an object of that number, which must be
new when it is written: so only one process gets it. The holder rewrites it every few seconds. A
process that finds a lease watches it by its own clock: clocks of machines are never compared.

A holder whose signs of life do not reach the store stops writing before others may take the lease.
It goes on if it gets the next number before them.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

from filelock import FileLock

from raynas.errors import JournalError, StorageError
from raynas.json_text import parsed
from raynas.storage.address import Address
from raynas.storage.lease_sign import is_locked_here, sign
from raynas.storage.requests import Objects

BEAT: Final = 5.0  # seconds between two signs of life
LIFE: Final = 30.0  # seconds without one, after which a holder counts as dead
# Parts of these seconds: a request may take _ANSWER, and a holder may write for _SURE after a sign
# of life. What it begins to write then ends before others may take the lease.
_ANSWER: Final = 1 / 6
_SURE: Final = 2 / 3
_LOOK: Final = 0.5
_LOG = logging.getLogger("raynas")


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
        self._objects = objects.once(life * _ANSWER)
        self._patience = objects.patience
        self._folder = folder
        self._lost = lost
        self._beat = beat
        self._life = life
        self._number = 0
        self._sure = math.inf  # when others may begin to take it; never, if it is not held
        self._taken = False
        self._held: dict[str, Any] = {}
        self._over = Event()
        self._living: Thread | None = None
        self._sign: FileLock | None = None

    def take(self) -> None:
        """Take the lease; wait until its holder, if it has one, counts as dead.

        Raises:
            JournalError: Its holder is alive.
        """
        number, content = self._patience(self._latest)
        if number and not _is_released(content):
            self._outlive(number, content)
        token = uuid4().hex
        self._sign = FileLock(sign(token), timeout=0)
        Path(self._sign.lock_file).parent.mkdir(mode=0o777, exist_ok=True)
        self._sign.acquire()
        self._held = {"owner": _me(), "token": token, "beats": 0, "seconds": self._life}
        if not self._patience(lambda: self._create(number + 1)):
            self._drop_sign()
            raise self._refused(_read(self._patience(self._latest)[1]))
        self._patience(self._delete_earlier)
        self._over, self._taken = Event(), False
        self._living = Thread(
            target=self._live, args=(self._over,), name="raynas-lease", daemon=True
        )
        self._living.start()

    def check(self) -> None:
        """Check that no other process can have taken it from this one, if this one holds it.

        Raises:
            StorageError: Another one has.
            TimeoutError: The last sign of life is too old to know it; the next one will tell.
        """
        if self._taken:
            raise taken_over(self._objects.location)
        if _now() > self._sure:
            raise TimeoutError("no sign of life of this process has reached it for too long")

    def release(self) -> None:
        """Let others take it; its number stays, because numbers must rise."""
        self._over.set()
        if self._living is not None:
            self._living.join(self._life)  # no longer: the store may not answer
        self._sure = math.inf
        try:
            if not self._taken:
                self._patience(self._give_back)
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
        number, content = self._patience(self._latest)
        if not number or _is_released(content):
            return False
        alive = is_locked_here(_read(content))
        if alive is not None:
            return alive
        try:
            return self._patience(lambda: self._objects.age(self._called(number))) < self._life
        except FileNotFoundError:  # a newer holder has deleted it
            return True

    def _live(self, over: Event) -> None:
        """Give signs of life until it is over, or until another process has the lease."""
        pause = self._beat
        while not over.wait(pause):
            pause = self._beat
            try:
                if not self._renew():
                    self._taken = True
                    self._lost()
                    return
            except Exception as error:  # noqa: BLE001 - what must be written says so, if it lasts
                _LOG.debug("no sign of life for %s: %s", self._objects.location, error)
                pause = min(_LOOK, self._beat)

    def _renew(self) -> bool:
        """Give a sign of life, or take the next number; return whether this process holds it."""
        begun = _now()
        if begun <= self._sure:
            if self._numbers()[-1:] != [self._number]:
                return False
            self._held["beats"] += 1
            self._write(self._held)
            self._sure = begun + self._life * _SURE
            return True
        # Another process may be about to take it: one of both gets the next number.
        return self._create(self._number + 1)

    def _create(self, number: int) -> bool:
        """Take a number; return whether this process got it, perhaps by an earlier try."""
        begun = _now()
        if not self._objects.create(self._called(number), _content(self._held)):
            return False
        self._number, self._sure = number, begun + self._life * _SURE
        return True

    def _outlive(self, number: int, content: bytes) -> None:
        """Return when the holder counts as dead, or has given the lease back.

        Raises:
            JournalError: It is alive.
        """
        held = _read(content)
        alive = is_locked_here(held)
        if alive:
            raise self._refused(held)
        if alive is False:
            sign(str(held["token"])).unlink(missing_ok=True)
            return
        life = float(held.get("seconds", self._life))
        _LOG.info(
            "%s was written by %s, which has not given it back: waiting up to %.0f s for a sign "
            "of life",
            *(self._objects.location, held.get("owner"), life),
        )
        end, asked = _now() + life, -math.inf
        while asked < end:  # not when it was answered: an answer may tell of a time long ago
            time.sleep(_LOOK)
            asked, now = self._patience(self._look)
            if now != (number, content):
                if _is_released(now[1]):
                    return
                raise self._refused(_read(now[1]))

    def _look(self) -> tuple[float, tuple[int, bytes]]:
        """Return when the newest lease was asked for, and what ``_latest`` returns."""
        return _now(), self._latest()

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

    def _delete_earlier(self) -> None:
        earlier = [one for one in self._numbers() if one < self._number]
        self._objects.delete(*map(self._called, earlier))

    def _give_back(self) -> None:
        if self._number in self._numbers():  # else another process has taken it
            self._write({**self._held, "released": True})

    def _write(self, held: dict[str, Any]) -> None:
        self._objects.put(self._called(self._number), _content(held))

    def _called(self, number: int) -> str:
        return f"{self._folder}/{number:08d}.json"

    def _drop_sign(self) -> None:
        if self._sign is not None:
            Path(self._sign.lock_file).unlink(missing_ok=True)
            self._sign.release()
            self._sign = None


def taken_over(location: Address) -> StorageError:
    """Return the error of a process that has lost its lease."""
    return StorageError(
        f"another process has taken over the run in {location}, because this one gave no sign of "
        "life: it ends here"
    )


def _now() -> float:
    """Return a time in seconds that passes also while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _me() -> str:
    return f"{platform.node()}:{os.getpid()}"


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
