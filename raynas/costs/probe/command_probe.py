"""Measure a network by a command, such as one that runs it on a board."""

from __future__ import annotations

import math
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import nn

from raynas.costs.probe.files import write_onnx, write_pt2
from raynas.costs.probe.names import LATENCY, MODELS
from raynas.costs.probe.reading import settled
from raynas.errors import ProbeError

_CALLS: Final = 3  # of a command that prints one number


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Run a command that prints milliseconds, one number or one in each line.

    A command that prints one number is called three times.

    Attributes:
        command: The command; it is divided into words as a shell does it, but no shell runs it.
            ``{model}`` stands for the path of an ONNX file, ``{pt2}`` for that of a program of
            ``torch.export``. The file is deleted afterwards.
        timeout_s: The seconds after which a call has failed.
    """

    command: str
    timeout_s: float = 300.0

    @property
    def device(self) -> str:
        """The command: it says where the network runs."""
        return self.command

    def measure(self, child: nn.Module, inputs: Any) -> Mapping[str, float]:
        """Return the milliseconds that the command prints.

        Raises:
            ProbeError: The network cannot be written, the command fails or prints anything else,
                or the readings spread too much.
        """
        with tempfile.TemporaryDirectory(prefix="raynas-") as folder:
            words = shlex.split(self.command)
            for name, write in zip(MODELS, (write_onnx, write_pt2), strict=True):
                if name in self.command:
                    path = Path(folder) / ("network.onnx" if name == "{model}" else "network.pt2")
                    write(child, inputs, path)
                    words = [word.replace(name, str(path)) for word in words]
            return {LATENCY: settled(lambda: self._read(words))}

    def _read(self, words: list[str]) -> Any:
        readings = self._call(words)
        while len(readings) < _CALLS:
            readings += self._call(words)
        return np.array(readings)

    def _call(self, words: list[str]) -> list[float]:
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=self.timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ProbeError(
                f"the probe's command must end within {self.timeout_s:g} s: {shlex.join(words)}"
            ) from error
        except OSError as error:
            raise ProbeError(f"the probe's command cannot be run: {error}") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise ProbeError(
                f"the probe's command must end with status 0, it ended with {done.returncode} "
                f"and said: {said}"
            )
        return _numbers(done.stdout)


def _numbers(text: str) -> list[float]:
    """Return the numbers of a text, one in each line.

    Raises:
        ProbeError: There are none, or anything else.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        numbers = [float(line) for line in lines]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < math.inf for number in numbers):
        raise ProbeError(
            "the probe's command must print milliseconds, one positive number in each line and "
            f"nothing else; it printed {text.strip()[:200]!r}"
        )
    return numbers
