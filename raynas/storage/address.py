"""The address of a run folder: a path, or a URI such as ``s3://bucket/run``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raynas.errors import ConfigError, unknown

ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a single letter is a drive
_FILE: Final = "file://"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an object, or of a folder of objects.

    Attributes:
        protocol: The name of the kind of store, such as ``s3``.
        path: The bucket and the names below it, without slashes at the ends.
    """

    protocol: str
    path: str

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.protocol}://{self.path}"

    def __truediv__(self, name: str) -> Address:
        """Return the address of something in this folder, as with paths."""
        return Address(self.protocol, f"{self.path}/{name}")

    def absolute(self) -> Address:
        """Return it, as with paths."""
        return self

    def relative_to(self, folder: str) -> str:
        """Return what follows the address of a folder, which is given as text."""
        return str(self).removeprefix(folder).strip("/")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> Address:
        """The folder of this object."""
        return Address(self.protocol, self.path.rpartition("/")[0])


Location = Path | Address


def location(what: str, given: Location | str | None) -> Location:
    """Return the path or the address that a user names; ``~`` is the home folder.

    Args:
        what: Its name in messages, such as ``"output"``.
        given: What was written.

    Raises:
        ConfigError: It is empty, malformed, or of a protocol that does not exist.
    """
    found = _location(what, given)
    if isinstance(found, Address) and "/" not in found.path:
        raise ConfigError(
            f"{what} must name a bucket and a folder in it, as in {found.protocol}://bucket/run, "
            f"got {given!r}"
        )
    return found


def bucket_or_location(what: str, given: Location | str | None) -> Location:
    """Return what ``location`` does; the address may be that of a whole bucket."""
    found = _location(what, given)
    if isinstance(found, Address) and not found.path:
        raise ConfigError(
            f"{what} must name a bucket, as in {found.protocol}://bucket, got {given!r}"
        )
    return found


def _location(what: str, given: Location | str | None) -> Location:
    if isinstance(given, Address):
        return given
    text = "" if given is None else str(given)
    if not text.strip():
        raise ConfigError(f"{what} must name a folder, got {given!r}")
    if not ADDRESS.match(text):
        return Path(text).expanduser()
    protocol, slashes, rest = text.partition("://")
    if not slashes:
        meant = text.replace(":/", "://", 1)
        raise ConfigError(
            f"{what} must be a path or an address PROTOCOL://BUCKET/NAME, got {text!r}: "
            f"did you mean {meant!r}?"
        )
    _check_protocol(protocol)
    if protocol == "file":
        return Path(text.removeprefix(_FILE))
    return Address(protocol, "/".join(part for part in rest.split("/") if part))


def located(text: str) -> Location:
    """Return the location of which ``text`` is the string; for what raynas has written itself."""
    protocol, slashes, path = text.partition("://")
    return Address(protocol, path) if slashes else Path(text)


def _check_protocol(protocol: str) -> None:
    import fsspec  # noqa: PLC0415 - only for addresses

    known = fsspec.available_protocols()
    if protocol not in known:
        raise ConfigError(unknown("protocol of storage", protocol, known))
