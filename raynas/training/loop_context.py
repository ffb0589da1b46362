"""What a task's own training loop is told, and how it saves and continues."""

from __future__ import annotations

import copy
import logging
import random  # noqa: TID251 - a user's loop may draw from it
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from raynas.errors import TrialError
from raynas.rng import seed_dropout, training_seed
from raynas.space import Architecture
from raynas.training.batches import Batches
from raynas.training.peers import ALONE, Peers
from raynas.training.recipe import Recipe
from raynas.training.recording import Recorded, recorder_for

_LOG = logging.getLogger("raynas")
_STEP: Final = ("params",)  # of an optimizer's group: what is not a hyper-parameter


@dataclass(frozen=True, slots=True)
class Restored:
    """The saved state of a loop.

    Attributes:
        state: The result of ``LoopContext.state``.
        own: Whether it is from the same trial; if not, the child was inherited.
    """

    state: Mapping[str, Any]
    own: bool


@dataclass
class LoopContext:
    """What a loop is told: ``fit(child, context)``.

    Attributes:
        architecture: The architecture of the child.
        recipe: The training recipe, with the decisions of the architecture; a loop may ignore it.
        data: The task's data, as ``load`` returned it.
        device: The device of the trial, a ``torch.device``; the child is on it already.
        seed: The training seed.
        last_epoch: The full length of the training, in epochs.
        batches: ``batches("train")``, ``"valid"``, ``"test"`` or ``"merged"`` (training and
            validation data) gives the data in batches on the device.
        final: Whether this is the winner's training, for which validation data may be used.
        epoch: Epochs trained so far.
        together: The processes that train the child; a loop asks for them as ``peers``.
        inherited: The share of the child's parameters that were inherited from another trial.
    """

    architecture: Architecture
    recipe: Recipe
    data: Any
    device: torch.device
    seed: int
    last_epoch: int
    batches: Callable[[str], Batches]
    final: bool = False
    epoch: int = 0
    together: Peers = ALONE
    inherited: float = 0.0
    restored: Restored | None = None
    _tracked: dict[str, Any] = field(default_factory=dict)
    _recorded: list[Recorded] = field(default_factory=list)
    _kept: Path | None = None
    _used: bool = False
    _divided: bool = False
    _reporter: Callable[[Mapping[str, Any]], bool] | None = None

    def begin(self, epoch: int) -> None:
        """Seed all global generators for the epochs from ``epoch`` on."""
        self.epoch = epoch
        _seed_all(self.seed, epoch)

    @property
    def peers(self) -> Peers:
        """The processes that train the child together, and what they exchange.

        With one process, all its methods may be called, and change nothing. With several, each
        runs the loop on a copy of the child: ``peers.part(batch)`` gives the own part of a batch,
        and ``peers.mean_gradients(child.parameters())`` belongs before each step of an optimizer.
        The processes have joined torch's default process group, so that
        ``DistributedDataParallel`` can be used, too, with ``peers.rank`` and ``peers.count``.
        Only process 0 reports and saves.
        """
        self._divided = True
        return self.together

    @property
    def idle(self) -> bool:
        """Whether there are several processes, and the loop does not know of them."""
        return self.together.count > 1 and not self._divided

    def epochs(self) -> Iterator[int]:
        """Yield the number of each epoch that is left, counted from 0.

        After a checkpoint was restored, it begins with the next epoch. Before each epoch, the
        global generators of torch, numpy and Python are seeded for it.
        """
        self._used = True
        for epoch in range(self.epoch, self.last_epoch):
            _seed_all(self.seed, epoch)
            for step in self._recorded:
                step.begin()
            yield epoch

    def recorded(self, step: Callable[..., Any], *parts: Any) -> Callable[..., Any]:
        """Return a step that a GPU records as a CUDA graph and then replays, which is faster.

        The first calls run the step itself. On a CPU, all calls do. If the step cannot be
        recorded, it runs as it is, and the trial says why. All that changes from call to call must
        be in its arguments: tensors on the device, or real numbers, which the step gets as
        tensors. See ``benchmarks/on_gpu.py`` for what it brings.

        Args:
            step: Computes with trees of tensors; usually a step of the optimizer.
            parts: All networks and optimizers that it uses. An optimizer needs ``fused=True`` or
                ``capturable=True``, and a learning rate that is a tensor on the device.
        """
        self._recorded.append(Recorded(step, parts, recorder_for(self.device)))
        return self._recorded[-1]

    @property
    def unrecorded(self) -> str:
        """Why a step is not recorded; empty if all are."""
        return next((step.reason for step in self._recorded if step.reason), "")

    def release(self) -> None:
        """Release the memory of what was recorded."""
        for step in self._recorded:
            step.forget()

    def track(self, **objects: Any) -> None:
        """Register objects with ``state_dict`` and ``load_state_dict``: optimizers, schedules.

        Their states are saved after every report, and restored here if the trial continues. A
        state from another trial is restored as far as it fits, and the hyper-parameters of an
        optimizer, such as its learning rate, stay those of this trial.
        """
        self._used = True
        self._tracked |= objects
        known = self.restored.state["tracked"] if self.restored else {}
        for name, tracked in objects.items():
            if name not in known or self.restored is None:
                continue
            if self.restored.own:
                tracked.load_state_dict(known[name])
            else:
                adopt(name, tracked, known[name])

    @cached_property
    def folder(self) -> Path:
        """The folder of the trial."""
        return Path(tempfile.mkdtemp(prefix="raynas-loop-"))

    @property
    def directory(self) -> Path:
        """A folder for the files of the loop, on this machine; deleted when the trial ends."""
        path = self.folder / "own"
        path.mkdir(exist_ok=True)
        return path

    @property
    def checkpoint(self) -> Path | None:
        """The file or folder that was saved with the last report; none if the trial begins.

        A file of another trial is given only if that trial has the same architecture.
        """
        self._used = True
        if self.restored is None or not self.restored.state["files"]:
            return None
        theirs = self.restored.state["architecture"]
        if not self.restored.own and theirs != _network(self.architecture):
            return None
        return unpacked(self.restored.state["files"], self.folder / "restored")

    def save(self, path: Path | str) -> None:
        """Keep a file or folder from which the loop can continue, with the next report."""
        self._kept = Path(path)

    def report(self, metrics: Mapping[str, Any], checkpoint: Path | str | None = None) -> bool:
        """Report the metrics of an epoch, and wait for the decision of the scheduler.

        Args:
            metrics: Numbers by name.
            checkpoint: As for ``save``.

        Returns:
            Whether the loop continues; if not, it must end now.

        Raises:
            TrialError: The loop is a generator, which yields its metrics instead.
            StopTraining: The loop reports again after it was told to end.
        """
        if self._reporter is None:
            raise TrialError("a loop that is a generator must yield its metrics, not report them")
        if checkpoint is not None:
            self.save(checkpoint)
        return self._reporter(metrics)

    def state(self) -> dict[str, Any]:
        """Return the states of the registered objects, and the contents of the saved files.

        Raises:
            TrialError: A saved file is not there.
        """
        if self._kept is not None and not self._kept.exists():
            raise TrialError(f"the checkpoint of the loop must be there: {self._kept} is not")
        return {
            "tracked": {name: one.state_dict() for name, one in self._tracked.items()},
            "files": {} if self._kept is None else packed(self._kept),
            "architecture": _network(self.architecture),
        }

    @property
    def ignored(self) -> bool:
        """Whether the loop was given a checkpoint and has not asked for it."""
        return self.restored is not None and self.restored.own and not self._used


def adopt(name: str, tracked: Any, state: Mapping[str, Any]) -> None:
    """Restore the state of another trial's object, but keep the own hyper-parameters.

    The learning rate of an optimizer is at the same share of its initial value as the other's.
    """
    before = copy.deepcopy(getattr(tracked, "param_groups", None))
    bases = copy.copy(getattr(tracked, "base_lrs", None))
    fresh = copy.deepcopy(tracked.state_dict())
    try:
        tracked.load_state_dict(state)
    except Exception as error:  # noqa: BLE001 - each library raises its own
        tracked.load_state_dict(fresh)
        _LOG.info("%s of the parent does not fit and begins anew: %s", name, error)
        return
    for group, own in zip(getattr(tracked, "param_groups", ()), before or (), strict=True):
        share = group["lr"] / group["initial_lr"] if group.get("initial_lr") else 1.0
        group.update({key: value for key, value in own.items() if key not in _STEP})
        group["lr"] = own.get("initial_lr", own["lr"]) * share
    if bases is not None:
        tracked.base_lrs = bases


def packed(path: Path) -> dict[str, torch.Tensor]:
    """Return the contents of a file, or of all files in a folder, by relative path."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    root = path.parent
    return {
        str(file.relative_to(root)): torch.from_numpy(np.fromfile(file, np.uint8))
        for file in files
    }


def unpacked(files: Mapping[str, torch.Tensor], folder: Path) -> Path:
    """Write files into a folder, unless they are there; return the file or folder they were."""
    for name, content in files.items():
        file = folder / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            content.cpu().numpy().tofile(file)
    return folder / Path(next(iter(files))).parts[0]


def _network(architecture: Architecture) -> str:
    """Return the decisions that shape the network, as text: not those of the training."""
    return repr(sorted((k, v) for k, v in architecture.items() if not k.startswith("training.")))


def _seed_all(seed: int, epoch: int) -> None:
    seed_dropout(seed, epoch)
    drawn = training_seed(seed, epoch)
    random.seed(drawn)
    np.random.seed(drawn % 2**32)  # noqa: NPY002 - the user's code draws from it
