"""What data and loops of one's own cost in raynas, against the same by hand, on a CPU.

    python benchmarks/own_data.py [PART ...]

Parts, all by default:

    png      a data set that decodes PNG files, in raynas and in a bare loop with the same
             ``DataLoader``: images per second
    memory   a run on ten times more data than its memory limit allows
    loop     a trial of a loop of one's own, with checkpoints, and the loop alone: seconds
    trials   40 short trials of such a loop on two workers: utilisation, as in ``overhead.py``

Contenders take turns; figures are medians over the turns, ratios are taken turn by turn, and
seconds are those that the process computed, so that other processes disturb less.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from overhead import Figures

IMAGES, BATCH, TURNS = 1000, 50, 15
LIMIT = 96 * 2**20  # bytes that the memory test may take beside torch
LOOP_EPOCHS = 10
TRIALS, WORKERS = 40, 2


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        limited()
        return
    for name in args.parts or PARTS:
        PARTS[name]()


class Files:
    """Labelled PNG files, decoded one by one."""

    def __init__(self, folder: Path, count: int) -> None:
        self._paths = [str(folder / f"{at}.png") for at in range(count)]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, at: int) -> tuple[Any, int]:
        from torchvision.io import decode_image

        return decode_image(self._paths[at]).float().div_(255.0), at % 10


def png() -> None:
    """Print images per second of both, of an epoch."""
    import torch
    from torchvision.io import write_png

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generator = torch.Generator().manual_seed(0)
        for at in range(IMAGES):
            image = torch.randint(256, (3, 64, 64), generator=generator, dtype=torch.uint8)
            write_png(image, str(folder / f"{at}.png"))
        report(
            "png files",
            {"raynas": lambda: png_by_raynas(folder), "by hand": lambda: png_by_hand(folder)},
            IMAGES,
            "images/s",
        )


def network() -> Any:
    """Return a small network for images."""
    from torch import nn

    from raynas.rng import seed_weights

    seed_weights(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    )


def png_by_raynas(folder: Path) -> Callable[[], object]:
    """Return an epoch of raynas."""
    import torch

    from raynas.data import Data
    from raynas.goals import Classification
    from raynas.training.loading import batches_of
    from raynas.training.recipe import Recipe
    from raynas.training.train import Training

    files = Files(folder, IMAGES)
    data = Data(files, Files(folder, 10), Files(folder, 10), goal=Classification(10), workers=0)
    train = batches_of(data.train, data, torch.device("cpu"), BATCH)
    return Training(network(), train, Recipe(batch_size=BATCH), epochs=10_000, seed=0).step


def png_by_hand(folder: Path) -> Callable[[], object]:
    """Return an epoch of a bare loop with torch's loader."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader

    child = network().to(memory_format=torch.channels_last)
    loader: Any = DataLoader(Files(folder, IMAGES), BATCH, shuffle=True)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(
        child.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
    )

    def epoch() -> float:
        child.train()
        total = torch.zeros(())
        for images, labels in loader:
            optimizer.zero_grad()
            loss = cross_entropy(child(images), labels, label_smoothing=0.1)
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.detach()
        return total.item()

    return epoch


def memory() -> None:
    """Train in a process whose data are ten times its limit; print the peak."""
    done = subprocess.run(
        [sys.executable, __file__, "--inside"], capture_output=True, text=True, check=False
    )
    print(f"memory: {done.stdout.strip() or done.stderr.strip().splitlines()[-1]}", flush=True)


def limited() -> None:
    """Train on a file of ten times the limit, which is set beforehand."""
    import torch

    from raynas.data import Data
    from raynas.goals import Classification
    from raynas.training.loading import batches_of
    from raynas.training.recipe import Recipe
    from raynas.training.train import Training

    size = 3 * 64 * 64
    count = 10 * LIMIT // (4 * size)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/images.npy"
        images = np.lib.format.open_memmap(file, "w+", np.float32, (count, 3, 64, 64))
        images.flush()
        del images

        class Stored:
            def __len__(self) -> int:
                return count

            def __getitem__(self, at: int) -> tuple[Any, int]:
                with Path(file).open("rb") as opened:
                    opened.seek(128 + 4 * size * at)
                    read = np.fromfile(opened, np.float32, size)
                return torch.from_numpy(read).reshape(3, 64, 64), at % 10

        data = Data(Stored(), [Stored()[0]] * 9, [Stored()[0]], goal=Classification(10), workers=0)
        cpu = torch.device("cpu")
        train, valid = (batches_of(part, data, cpu, BATCH) for part in (data.train, data.valid))
        training = Training(
            network(), train, Recipe(batch_size=BATCH), epochs=2, seed=0, valid=valid
        )
        taken = _now()
        resource.setrlimit(resource.RLIMIT_DATA, (taken[1] + LIMIT, resource.RLIM_INFINITY))
        for _ in range(2):
            training.step()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - taken[0]
    print(
        f"{4 * size * count / 2**20:.0f} MiB of data under a limit of {LIMIT / 2**20:.0f} MiB: "
        f"two epochs took {grown / 2**20:.0f} MiB more than before"
    )


def _now() -> tuple[int, int]:
    """Return the resident and the private memory of this process, in bytes."""
    found = dict(
        line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if line
    )
    resident, data = (int(found[key].split()[0]) * 1024 for key in ("VmRSS", "VmData"))
    return resident, data


def loop() -> None:
    """Print the seconds of a trial, and of its loop alone."""
    import torch

    torch.set_num_threads(1)
    report(
        "a loop of one's own",
        {"raynas": lambda: one_trial, "alone": lambda: alone},
        LOOP_EPOCHS,
        "epochs/s",
    )


def rows() -> tuple[Any, Any]:
    """Return numbers to learn."""
    import torch

    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4000, 64, generator=generator)
    return inputs, inputs[:, :1].sin()


def body() -> Any:
    """Return a network for rows."""
    from torch import nn

    from raynas.rng import seed_weights

    seed_weights(0)
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
    )


def epochs_of(child: Any, optimizer: Any, data: Any, epochs: Iterator[int]) -> Iterator[Any]:
    """Train as a user would; yield the last loss after every epoch."""
    import torch

    inputs, targets = data
    for _ in epochs:
        for chosen in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            loss = (child(inputs[chosen]) - targets[chosen]).square().mean()
            torch.autograd.backward(loss)
            optimizer.step()
        yield {"val_error": loss.detach()}


def alone() -> None:
    """Train without raynas."""
    import torch

    child, data = body(), rows()
    optimizer = torch.optim.Adam(child.parameters())
    for metrics in epochs_of(child, optimizer, data, iter(range(LOOP_EPOCHS))):
        metrics["val_error"].item()


def fit(child: Any, context: Any) -> Iterator[Any]:
    """Train with raynas."""
    import torch

    optimizer = torch.optim.Adam(child.parameters())
    context.track(optimizer=optimizer)
    yield from epochs_of(child, optimizer, context.data.content, context.epochs())


class Rows:
    """A task with the loop."""

    objective = "val_error:min"
    fit = staticmethod(fit)

    def load(self, _source: Any, _seed: int) -> Any:
        """Return the data."""
        from raynas.data import LoopData

        return LoopData({"input_shape": (64,), "outputs": 1}, content=rows())


def one_trial() -> None:
    """Train one trial in this process, by what a worker calls."""
    from raynas.data import Loop, LoopData
    from raynas.execution.training_context import TrainingContext
    from raynas.execution.trial_spec import TrialSpec
    from raynas.execution.worker import train
    from raynas.space import Architecture
    from raynas.training.recipe import Recipe

    data = LoopData({"input_shape": (64,), "outputs": 1}, content=rows())
    context = TrainingContext(lambda _: body(), Recipe(), data, "cpu", loop=Loop(fit, None))
    with tempfile.TemporaryDirectory() as folder:
        spec = TrialSpec(0, Architecture({}), LOOP_EPOCHS, 0, f"{folder}/checkpoint.pt")
        reports = [*train(context, spec)]
    assert len(reports) == LOOP_EPOCHS, reports


def trials() -> None:
    """Print the utilisation of two workers."""
    import raynas
    from raynas.space import Float, Space

    space = SimpleNamespace(SPACE=Space({"number": Float(0.0, 1.0)}), build=built)
    with tempfile.TemporaryDirectory() as output:
        began = time.time()
        result = raynas.search(
            space=space,
            task=Rows(),
            searcher="random",
            scheduler="none",
            trials=TRIALS,
            epochs=3,
            output=output,
            max_concurrent=WORKERS,
        )
    reports = [report for trial in result.history.trials.values() for report in trial.reports]
    spans = [(report.at - report.seconds, report.at) for report in reports]
    figures = Figures.of(spans, began, TRIALS)
    print(
        f"{TRIALS} trials: utilisation {figures.utilisation:.2f}, "
        f"{figures.trials_per_s:.2f} trials/s with the start",
        flush=True,
    )


def built(_architecture: Any) -> Any:
    """Return the network of a trial."""
    return body()


def keep_memory() -> None:
    """Let glibc keep freed memory: how often it is returned is chance, and costs up to a third."""
    libc = ctypes.CDLL(None)
    for option, size in ((-1, 2**28), (-3, 2**26)):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
        libc.mallopt(option, size)


def report(
    title: str, contenders: dict[str, Callable[[], Callable[[], object]]], count: int, unit: str
) -> None:
    """Let the contenders take turns; print rates and the ratio.

    They are made anew in every turn: where in memory their weights lie is worth some percent.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(TURNS):
        for name in [*contenders] if turn % 2 else [*reversed(contenders)]:
            run = contenders[name]()
            run()  # warms up
            started = time.process_time()
            run()
            seconds[name].append(time.process_time() - started)
    ours, theirs = seconds.values()
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    rates = ", ".join(
        f"{name} {count / statistics.median(times):,.0f}" for name, times in seconds.items()
    )
    print(f"{title}: {rates} {unit}; ratio {ratio:.3f}", flush=True)


PARTS: dict[str, Callable[[], None]] = {
    "png": png,
    "memory": memory,
    "loop": loop,
    "trials": trials,
}

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_memory()
    main()
