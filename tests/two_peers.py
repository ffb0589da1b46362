"""One of two processes that train supernets together; ``test_oneshot_parallel`` starts both."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from oneshot_cases import CASES, CPUS, EPOCHS, spec, together
from torch import distributed

from raynas.errors import PeerError
from raynas.execution.peer import accompany, process_group
from raynas.execution.worker import train

LAST = "random-ws"


def report(path, name, told):
    """Train as process 0; write what happens into a file."""
    path.write_text(json.dumps([asdict(one) for one in train(together(name), told)]))


def main(rank, folder):
    """Train every case, then one that continues in one process only, then one that is left."""
    store = distributed.FileStore(str(folder / "store"), 2)
    with process_group(store, rank, CPUS):
        for name in CASES:
            if rank:
                accompany(together(name), spec(folder, name))
            else:
                report(folder / f"{name}.json", name, spec(folder, name))
        if rank:  # process 0 has a checkpoint
            with suppress(PeerError):
                accompany(together(LAST), spec(folder / "elsewhere", LAST, EPOCHS + 1))
            accompany(together(LAST), spec(folder / "left", LAST, 1))
            os._exit(0)
        report(folder / "elsewhere.json", LAST, spec(folder, LAST, EPOCHS + 1))
        report(folder / "left.json", LAST, spec(folder / "left", LAST))
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
