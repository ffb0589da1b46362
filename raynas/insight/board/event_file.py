"""Event files, which TensorBoard reads."""

from __future__ import annotations

import time
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event as Record
from tensorboard.summary.writer.record_writer import RecordWriter

from raynas.storage import Store


class EventFile:
    """A new event file; in a folder, TensorBoard can read each record at once."""

    def __init__(self, store: Store, name: str) -> None:
        """Begin a file in the folder ``name`` of a store."""
        # TensorBoard reads a folder's files in the order of their names.
        path = f"{name}/events.out.tfevents.{time.time_ns()}.raynas"
        self._records = RecordWriter(store.grow(path))
        self._append(Record(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, summary: Any, at: float, step: int = 0) -> None:
        """Write a summary."""
        self._append(Record(wall_time=at, step=step, summary=summary))

    def close(self) -> None:
        """Close the file."""
        self._records.close()

    def _append(self, record: Any) -> None:
        self._records.write(record.SerializeToString())
        self._records.flush()
