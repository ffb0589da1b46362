"""A run in an object store, by fsspec: objects are written whole, and never appended to."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, BinaryIO, Final, cast
from uuid import uuid4

from raynas.errors import ConfigError, StorageError
from raynas.storage.address import Address
from raynas.storage.outbox import Growing, Outbox
from raynas.storage.patience import ANSWER, Patience, reason
from raynas.storage.segments import SegmentLog
from raynas.storage.store import Fill

# The extra of raynas that brings what fsspec needs for a protocol.
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
_LOG = logging.getLogger("raynas")


class ObjectStore:
    """The objects below an address.

    Attributes:
        location: The address.
        patience: How long a request may fail.
    """

    def __init__(self, location: Address) -> None:
        """Connect to nothing yet."""
        self.location = location
        self.patience = Patience(str(location))
        self._outbox = Outbox(self.put)
        self._logs: dict[str, SegmentLog] = {}

    @cached_property
    def _files(self) -> Any:
        import fsspec  # noqa: PLC0415 - only where it is used

        protocol = self.location.protocol
        try:
            # Listings must not be remembered: other processes write here, too.
            files = fsspec.filesystem(protocol, use_listings_cache=False)
        except ImportError as error:
            extra = _EXTRAS.get(protocol)
            install = f"pip install 'raynas[{extra}]'" if extra else "pip install what it names"
            raise ConfigError(
                f"{protocol}:// needs a library that is not installed ({reason(error)}): {install}"
            ) from error
        if files.async_impl:
            files.loop.call_soon_threadsafe(files.loop.set_exception_handler, _note)
        return files

    def _path(self, name: str) -> str:
        return f"{self.location.path}/{name}".rstrip("/")

    def _name(self, path: str) -> str:
        return path.strip("/").removeprefix(self.location.path).strip("/")

    def _soon(self) -> dict[str, Any]:
        """Return what limits the time of a small request, where the library can limit it."""
        return {"timeout": ANSWER} if self._files.async_impl else {}

    def check(self) -> None:
        """Write a small object twice, and delete it.

        Raises:
            StorageError: It cannot be written, or the store would write an object anew that must
                not be there yet: then it cannot keep a second process away.
        """
        probe = f".probe-{uuid4().hex}"
        self.create(probe, b"1")
        exclusive = not self.create(probe, b"2")
        self.delete(probe)
        if not exclusive:
            raise StorageError(
                f"{self.location} writes over objects that must be new (If-None-Match), so it "
                "cannot keep a second process away: use another store, or a folder"
            )

    def names(self, folder: str = "") -> list[str]:
        """Return the names in a folder, sorted."""
        try:
            return [*self._listed(folder)]
        except FileNotFoundError:
            return []

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted, without hidden ones."""
        found = self._listed(folder).items()
        return [name for name, kind in found if kind == "directory" and not name.startswith(".")]

    def _listed(self, folder: str) -> dict[str, str]:
        """Return what kind of thing each name in a folder is, sorted."""

        def listed() -> Sequence[Mapping[str, Any]]:
            there: Sequence[Mapping[str, Any]] = self._files.ls(
                self._path(folder), detail=True, **self._soon()
            )
            return there

        here, found = self._path(folder), {}
        for one in self.patience(listed):
            above, _, name = one["name"].rstrip("/").rpartition("/")
            if name and above.strip("/") == here:
                found[name] = str(one["type"])
        return dict(sorted(found.items()))

    def matching(self, pattern: str) -> list[str]:
        """Return what a pattern describes."""
        try:
            found: list[str] = self.patience(lambda: self._files.glob(self._path(pattern)))
        except FileNotFoundError:  # there is no such bucket
            return []
        return sorted(map(self._name, found))

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of all objects."""
        found = self.patience(lambda: self._files.find(self._path(""), detail=True))
        return {self._name(path): int(told["size"]) for path, told in found.items()}

    def age(self, name: str) -> float:
        """Return the seconds since an object was written, by the clocks of both machines."""
        at: datetime = self.patience(lambda: self._files.modified(self._path(name)))
        return (datetime.now(UTC) - at).total_seconds()

    def read(self, name: str, start: int = 0) -> bytes:
        """Return the content of an object."""
        path = self._path(name)
        content: bytes = self.patience(lambda: self._files.cat_file(path, start=start or None))
        return content

    def open(self, name: str) -> BinaryIO:
        """Return the object as a file in memory."""
        return io.BytesIO(self.read(name))

    def read_all(self, names: Sequence[str]) -> list[bytes]:
        """Return the contents of several objects, which are fetched side by side.

        Raises:
            FileNotFoundError: One of them is not there.
        """
        paths = [self._path(name) for name in names]
        found = self.patience(lambda: self._files.cat(paths, on_error="raise"))
        if isinstance(found, bytes):  # of one path
            return [found]
        by_path = {path.lstrip("/"): content for path, content in found.items()}
        return [by_path[path] for path in paths]

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write objects, side by side."""
        self._outbox.each(lambda name: self.put(name, contents[name]), contents)

    def replace(self, contents: Mapping[str, bytes]) -> None:
        """Write objects, then delete the others."""
        others = [name for name in self.names() if name not in contents]
        self.write(contents)
        self.delete(*others)

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        try:
            self.patience(lambda: self._files.pipe_file(self._path(name), content))
        except FileNotFoundError as error:
            raise self._no_bucket(error) from error

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that is not there yet; return whether the content there is this one.

        A request whose answer was lost is repeated, and then finds its own object.
        """
        self._check_exclusive()

        def put() -> None:
            self._files.pipe_file(self._path(name), content, mode="create", **self._soon())

        try:
            self.patience(put)
        except FileExistsError:
            return self.read(name) == content
        except FileNotFoundError as error:
            raise self._no_bucket(error) from error
        return True

    def _check_exclusive(self) -> None:
        """Check that the library does more than to look whether an object is there, then write.

        Raises:
            ConfigError: It does not.
        """
        from fsspec import AbstractFileSystem  # noqa: PLC0415 - only where it is used

        imitated = type(self._files).pipe_file is AbstractFileSystem.pipe_file
        if imitated and not self._files.async_impl:
            raise ConfigError(
                f"{self.location} cannot be written by raynas: {self.location.protocol}:// cannot "
                "write an object only if it is new, so it cannot keep a second process away; use "
                "a bucket (s3://, gs://) or a folder"
            )

    def send(self, name: str, fill: Fill) -> None:
        """Begin to write an object; if an earlier one of that name waits, it is left out."""
        self._outbox.check()
        content = io.BytesIO()
        fill(content)
        self._outbox.send(name, content.getvalue)

    def grow(self, name: str) -> BinaryIO:
        """Return a file in memory that is written as a whole every few seconds."""
        return cast("BinaryIO", Growing(self._outbox, name))

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store."""
        try:
            self.patience(lambda: self._files.cp_file(self._path(source), self._path(target)))
        except FileNotFoundError:
            return

    def delete(self, *names: str) -> None:
        """Delete objects, side by side."""
        self._outbox.each(self._delete, names)

    def _delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self.patience(lambda: self._files.rm_file(self._path(name)))

    def settle(self) -> None:
        """Wait until everything that was sent is in its place."""
        self._outbox.settle()

    def guard(self, *folders: str) -> None:
        """Do nothing: there are no links."""

    def trust(self) -> None:
        """Be patient from the first request on."""
        self.patience.trust()

    def tidy(self, *folders: str) -> None:
        """Do nothing: no object is ever half-written."""

    def log(self, name: str) -> SegmentLog:
        """Return a log of several objects."""
        return self._logs.setdefault(name, SegmentLog(self, name))

    def _no_bucket(self, error: Exception) -> StorageError:
        bucket = self.location.path.partition("/")[0]
        return StorageError(
            f"{self.location} cannot be written ({reason(error)}): there must be a bucket "
            f"{bucket!r}; create it, or give another address"
        )


def _note(_: object, told: Mapping[str, Any]) -> None:
    """Note what went wrong beside a request; asyncio would print a traceback for each of them.

    The request itself fails, too, and is tried again.
    """
    _LOG.debug("beside a request: %s", told.get("exception") or told.get("message"))
