"""A run in a folder of this machine, or of a file system that is mounted on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from raynas.errors import ConfigError
from raynas.storage.disk import flush, writing
from raynas.storage.folder_log import PARTIAL, FolderLog
from raynas.storage.store import Fill


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder.

    Attributes:
        path: The folder, which is made when something is written.
    """

    path: Path

    @property
    def location(self) -> Path:
        """The absolute path."""
        return self.path.resolve()

    def check(self) -> None:
        """Check that it is no file; the lock of the journal, which comes next, is written."""
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"output must be a folder, got {self.path}, which is a file")

    def guard(self, *folders: str) -> None:
        """Check that no link in these folders leads out of this one."""
        home = self.path.resolve()
        for folder in (self.path / name for name in folders):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.is_symlink() and not path.resolve().is_relative_to(home):
                    raise ConfigError(
                        f"the files of a run must lie in its folder, and {path} is a link to "
                        f"{path.resolve()}: replace it by a copy (the folder itself may be a link)"
                    )

    def trust(self) -> None:
        """Do nothing: a folder answers at once."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names in a folder, sorted."""
        path = self.path / folder
        return sorted(one.name for one in path.iterdir()) if path.is_dir() else []

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted, without links and hidden ones."""
        with os.scandir(self.path / folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            )

    def matching(self, pattern: str) -> list[str]:
        """Return what a pattern describes; links are followed."""
        return sorted(str(one.relative_to(self.path)) for one in self.path.glob(pattern))

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of all files; one that is deleted meanwhile is left out."""
        found: dict[str, int] = {}
        folders = [self.path]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                        continue
                    with suppress(FileNotFoundError):
                        name = Path(entry.path).relative_to(self.path).as_posix()
                        found[name] = entry.stat(follow_symlinks=False).st_size
        return found

    def read(self, name: str, start: int = 0) -> bytes:
        """Return the content of a file."""
        with (self.path / name).open("rb") as file:
            file.seek(start)
            return file.read()

    def open(self, name: str) -> BinaryIO:
        """Return the file."""
        return (self.path / name).open("rb")

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write files; they survive a power cut, and so do the folders that lead to them."""
        paths = [self.path / name for name in contents]
        for name, content in contents.items():
            self.send(name, partial(_fill, content))
        above = {one for path in paths for one in path.parents if one.is_relative_to(self.path)}
        for path in (*paths, *sorted(above, reverse=True)):  # folders after what is in them
            flush(path)

    def replace(self, contents: Mapping[str, bytes]) -> None:
        """Write files; until all are there, the folder stays as it is."""
        path = self.path.absolute()  # "." has no name
        half = path.with_name(f"{path.name}{PARTIAL}")
        with writing(path):
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            for name, content in contents.items():
                (half / name).write_bytes(content)
            if path.exists():
                shutil.rmtree(path)
            half.rename(path)

    def send(self, name: str, fill: Fill) -> None:
        """Write a file; it is in its place at once, and survives the end of the process."""
        path = self.path / name
        # A unique name, because the worker of a killed run may still write the same file.
        half = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL}")
        try:
            with writing(path, RuntimeError):  # torch raises it if the disk is full
                path.parent.mkdir(parents=True, exist_ok=True)
                with half.open("xb") as file:
                    fill(file)
                half.replace(path)
        finally:  # after ``writing`` has seen whether the disk is full
            with suppress(OSError):
                half.unlink(missing_ok=True)

    def grow(self, name: str) -> BinaryIO:
        """Return a new file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    def copy(self, source: str, target: str) -> None:
        """Link a file, or copy it."""
        old, new = self.path / source, self.path / target
        if not old.exists():
            return
        try:
            os.link(old, new)  # safe, because files are replaced by new ones
        except OSError:  # not every file system has links
            half = new.with_suffix(PARTIAL)
            shutil.copyfile(old, half)
            half.replace(new)

    def delete(self, *names: str) -> None:
        """Delete files."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def settle(self) -> None:
        """Do nothing: everything is in its place."""

    def tidy(self, *folders: str) -> None:
        """Delete the partial files of processes that were killed."""
        for path in (path for name in folders for path in (self.path / name).glob(f"*{PARTIAL}")):
            path.unlink(missing_ok=True)

    def log(self, name: str) -> FolderLog:
        """Return a log, which is one file."""
        return FolderLog(self.path, name)


def _fill(content: bytes, file: BinaryIO) -> None:
    file.write(content)
