"""One network that several processes train together, each on its part of every batch.

All processes draw the same batches from the same seeds. Before each change of the weights, the
gradients of the parts are averaged, so that they are those of the whole batch. As in torch's
``DistributedDataParallel``, a process normalises its part by the statistics of that part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _NormBase

from raynas.errors import DataError, PeerError, TrialError
from raynas.goals import Goal
from raynas.rng import seed_dropout
from raynas.training.batches import Batch
from raynas.training.exchange import exchanged, reached
from raynas.training.mixing import Mixed
from raynas.training.recipe import LEAST_ROWS
from raynas.trees import first, leaves, mapped


@dataclass(frozen=True, slots=True)
class Peers:
    """The processes that train one network together.

    A loop of a user's own gets them as ``context.peers``. If it calls a method that exchanges
    something, all processes must call it, in the same order.

    Attributes:
        rank: The number of this process, counted from 0; process 0 also scores and reports.
        count: How many processes there are.
        group: The process group of torch; none for one process.
    """

    rank: int = 0
    count: int = 1
    group: Any = None

    @classmethod
    def here(cls) -> Peers:
        """Return those of the process group that this process has joined, if it has."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        world = distributed.group.WORLD
        return cls(distributed.get_rank(), distributed.get_world_size(), world)

    def part(self, batch: Batch, goal: Goal | None = None) -> tuple[Batch, Any]:
        """Return the own part of a batch, and the factor of its loss.

        The mean over all processes of the losses, each with its factor, is the mean loss of the
        batch. A batch is not divided if a part would have less than two examples, or nothing that
        counts.

        Args:
            batch: Inputs and targets; all tensors have a row for each example.
            goal: Says how much each part counts; none if it is the number of its examples.

        Raises:
            DataError: The parts of the batch have different lengths, so that it has no rows.
        """
        inputs, targets = batch
        rows = len(first(targets))
        if self.count == 1 or rows < LEAST_ROWS * self.count:
            return batch, 1.0
        ends = [rows * at // self.count for at in range(self.count + 1)]
        places = [slice(*between) for between in pairwise(ends)]
        weights = [_weight(goal, _rows(targets, one, rows)) for one in places]
        if not all(weights):
            return batch, 1.0
        own = places[self.rank]
        factor = self.count * weights[self.rank] / _weight(goal, targets)
        return (_rows(inputs, own, rows), _rows(targets, own, rows)), factor

    def mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the means of tensors over all processes."""
        if self.count == 1:
            return [*tensors]

        def averaged(flat: Tensor) -> None:
            distributed.all_reduce(flat, group=self.group)
            flat.div_(self.count)

        return exchanged(tensors, averaged)

    @torch.no_grad()
    def mean_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients of parameters by their means over all processes.

        Raises:
            TrialError: A parameter has a gradient in some processes only.
        """
        if self.count == 1:
            return
        every = [*parameters]
        counts = self.total([one.grad is not None for one in every])
        if strange := sum(0 < count < self.count for count in counts):
            raise TrialError(
                f"all processes that train a network must use the same weights in a step, and "
                f"{strange} of {len(counts)} tensors were used by some only: if layers of the "
                "networks depend on the data, train with one process; otherwise use equal "
                "machines"
            )
        own = [one.grad for one in every if one.grad is not None]
        for gradient, mean in zip(own, self.mean(own), strict=True):
            gradient.copy_(mean)

    @torch.no_grad()
    def mean_statistics(self, network: nn.Module) -> None:
        """Replace the running statistics of torch's normalisations by their means.

        Each process has seen the statistics of its parts of the batches. Other buffers stay.
        """
        if self.count == 1:
            return
        layers = (one for one in network.modules() if isinstance(one, _NormBase))
        found = (tensor for one in layers for tensor in (one.running_mean, one.running_var))
        own = [tensor for tensor in found if tensor is not None]
        for tensor, mean in zip(own, self.mean(own), strict=True):
            tensor.copy_(mean)

    @torch.no_grad()
    def send(self, network: nn.Module) -> None:
        """Give all processes the parameters and buffers of process 0."""
        if self.count == 1:
            return
        own = [*network.parameters(), *network.buffers()]
        sent = exchanged(own, lambda flat: distributed.broadcast(flat, 0, group=self.group))
        for tensor, value in zip(own, sent, strict=True):
            tensor.copy_(value)

    def told(self, what: Any) -> Any:
        """Return what process 0 gives: anything that can be pickled; tensors come by the CPU."""
        if self.count == 1:
            return what
        box = [what if self.rank == 0 else None]
        with reached():
            distributed.broadcast_object_list(
                box, src=0, group=self.group, device=torch.device("cpu")
            )
        return box[0]

    def sent(self, batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
        """Yield the batches of process 0 in all processes; only process 0 reads its own."""
        while True:
            own = next(batches, None) if self.rank == 0 else None
            batch = self.told(own and mapped(lambda tensor: tensor.cpu(), own))
            if batch is None:
                return
            yield own or mapped(lambda tensor: tensor.to(device), batch)

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes."""
        if self.count == 1:
            return [*numbers]
        own = torch.tensor(numbers, dtype=torch.float64)
        with reached():
            distributed.all_reduce(own, group=self.group)
        found: list[float] = own.tolist()
        return found

    def check_epoch(self, epoch: int) -> None:
        """Check that all processes begin with the same epoch.

        Raises:
            PeerError: They do not.
        """
        every = self.total([epoch * (at == self.rank) for at in range(self.count)])
        if any(one != epoch for one in every):
            raise PeerError(
                "all processes that train a network must continue from one checkpoint, and they "
                f"are after the epochs {', '.join(f'{one:g}' for one in every)}: the folder of a "
                "run must be on a file system that all machines share"
            )

    @contextmanager
    def noise(self, rng: np.random.Generator) -> Iterator[None]:
        """Let layers such as dropout draw other numbers than in the other processes.

        Afterwards, torch's global generators are as before: a data set or a supernet draws from
        them what must be the same in all processes, and a layer draws more for a longer part.

        Args:
            rng: The same in all processes.
        """
        if self.count == 1:
            yield
            return
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            seed_dropout(int(rng.integers(2**32)), self.rank)
            yield


ALONE: Final = Peers()
"""The only process of a training."""


def _rows(tree: Any, own: slice, rows: int) -> Any:
    if isinstance(tree, Mixed):
        return tree._replace(
            targets=_rows(tree.targets, own, rows), others=_rows(tree.others, own, rows)
        )
    if lengths := {len(one) for one in leaves(tree)} - {rows}:
        raise DataError(
            "to train a network with several processes, all tensors of a batch must have a row "
            f"for each example: there are {rows} targets and a tensor of length {min(lengths)}; "
            "train with one process, without workers_per_trial and supernet_workers"
        )
    return mapped(lambda tensor: tensor[own], tree)


def _weight(goal: Goal | None, targets: Any) -> Any:
    plain = targets.targets if isinstance(targets, Mixed) else targets
    return goal.weight(plain) if goal else len(first(plain))
