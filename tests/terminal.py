"""A terminal for tests: what a person sees of a program, and a program that believes in it."""

import codecs
import contextlib
import fcntl
import io
import os
import pty
import select
import struct
import termios
import time
from contextlib import contextmanager
from threading import RLock

import pyte
from ray_runs import PATIENCE, process


class Terminal(io.TextIOBase):
    """A file that shows what is written to it as a terminal does; a thread may write meanwhile."""

    def __init__(self, columns, lines=24):
        super().__init__()
        self._screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._screen.set_mode(pyte.modes.LNM)  # what a terminal's driver makes of a line feed
        self._stream = pyte.Stream(self._screen)
        self._lock = RLock()  # what is seen is never half of what is written at once

    def isatty(self):
        return True

    def write(self, text):
        with self._lock:
            self._stream.feed(text)
        return len(text)

    @property
    def columns(self):
        return self._screen.columns

    @property
    def seen(self):
        """The lines from the first one on, those that were scrolled away as well."""
        with self._lock:
            rows = self._screen.history.top
            gone = ["".join(row[x].data for x in range(len(row))) for row in rows]
            return [line.rstrip() for line in (*gone, *self._screen.display)]

    def resize(self, columns, lines=24):
        self._screen.resize(lines, columns)


class Program:
    """A program on a terminal."""

    def __init__(self, started, terminal, master):
        self._started = started
        self.terminal = terminal
        self._master = master
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end in a character

    def watch(self):
        """Yield the lines that are seen after each change, until the program ends."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, self.terminal.seen
            ended = self._started.poll() is not None  # then nothing is written after the look
            if not select.select([self._master], [], [], 0.1)[0]:
                if ended:
                    return
                continue
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # as Linux tells that nobody has the terminal open any more
                return
            self.terminal.write(self._decoder.decode(data))
            yield self.terminal.seen

    def wait(self):
        return self._started.wait(PATIENCE)

    def resize(self, columns, lines=24):
        self.terminal.resize(columns, lines)
        _tell_size(self._master, columns, lines)


@contextmanager
def program(*command, columns, lines=24, **environment):
    """Start Python on a terminal."""
    master, slave = pty.openpty()
    with contextlib.closing(os.fdopen(master, "rb", buffering=0)):
        _tell_size(master, columns, lines)
        with process(*command, terminal=slave, **environment) as started:
            os.close(slave)
            yield Program(started, Terminal(columns, lines), master)


def _tell_size(master, columns, lines):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
