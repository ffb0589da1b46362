"""One of two processes that train trials together; ``test_workers_per_trial`` starts both."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import torch
import worker_cases as cases
from oneshot_cases import CPUS
from torch import distributed

from raynas.errors import RaynasError
from raynas.execution.peer import accompany, accompany_winner, process_group
from raynas.execution.training_context import learner_of
from raynas.execution.winner import retrain
from raynas.execution.worker import train


def main(rank, folder):
    """Train every case; then one that process 1 leaves."""
    cases.Stream.rank = rank
    store = distributed.FileStore(str(folder / "store"), 2)

    def together(name, told, alone=train, beside=accompany):
        context = cases.context(name)
        if rank:
            try:
                beside(context, told)
            except RaynasError as error:
                (folder / f"{name}.1.txt").write_text(str(error))
        else:
            events = [asdict(one) for one in alone(context, told)]
            (folder / f"{name}.json").write_text(json.dumps(events, default=repr))

    with process_group(store, rank, CPUS):
        for name in (*cases.CASES, "other weights", "an idle loop", "small batches"):
            together(name, cases.spec(folder, name))
        together("continued", cases.spec(folder, "continued", epochs=4))
        together("inherited", cases.with_parent(folder))
        together("winner", cases.spec(folder, "winner"), tested, accompany_winner)
        told = cases.spec(folder, "normalisation")
        learner, _ = learner_of(cases.context("normalisation"), told)
        learner.step()
        torch.save(learner.child.state_dict(), folder / f"normalisation.{rank}.pt")
        together("left", cases.spec(folder, "left", epochs=2 - rank))
        os._exit(0)


def tested(context, told):
    """Return the epochs and the test of the winner, without the export."""
    events = retrain(context, told)
    return [next(events) for _ in range(cases.EPOCHS + 1)]


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
