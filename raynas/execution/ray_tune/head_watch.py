"""Say in time that the head of a cluster does not answer.

A minute after the head of a Ray cluster is lost, Ray ends every process that is connected to it,
without an exception. Trials that run meanwhile report as before. So a thread looks every few
seconds whether the head still accepts connections.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

_EVERY: Final = 5.0  # seconds between two looks
_WAIT: Final = 5.0  # seconds for an answer
_LOG = logging.getLogger("raynas")


@contextmanager
def head_watched(address: str) -> Iterator[None]:
    """While the context is open, log it when the head is lost, and when it answers again.

    Args:
        address: Host and port of the head.
    """
    over = Event()
    Thread(target=_watch, args=(address, over), name="head watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(address: str, over: Event) -> None:
    lost = False
    while not over.wait(_EVERY):
        answers = _answers(address)
        if lost and answers:
            _LOG.warning("the head of the Ray cluster at %s answers again", address)
        elif not lost and not answers and not over.is_set():
            _LOG.warning(
                "the head of the Ray cluster at %s does not answer. If it stays away for a "
                "minute, Ray ends this search. What was trained is in the journal: start the "
                "cluster again, then continue with raynas resume",
                address,
            )
        lost = not answers


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_WAIT):
            return True
    except OSError:
        return False
