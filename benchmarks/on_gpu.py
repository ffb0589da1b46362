"""What a GPU does with raynas, in one command of a few minutes.

    python benchmarks/on_gpu.py [PART ...] [--device cpu --small]

Parts, all by default:

    epochs     the recorded epoch against the eager one and a bare loop, NAS-Bench-201 networks
    agreement  weights after 20 steps: recorded, eager, and eager again
    spaces     which networks of every shipped space are recorded, and what it brings
    memory     what training is predicted to reserve, without a GPU, and what it reserves
    shares     launch/digits.yaml with a GPU each, an eighth each, and with automatic shares

With ``--device cpu --small`` everything but the recording is tried on a CPU.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from child import bare
from torch import nn

from raynas.data import Data, Split
from raynas.execution.step_memory import on_gpu, step_bytes
from raynas.experiment.resolve.briefs import builder
from raynas.goals import Classification
from raynas.rng import seed_weights
from raynas.tasks import TASKS, Source
from raynas.training.child import built
from raynas.training.examples import Examples
from raynas.training.loading import batches_of
from raynas.training.recipe import Recipe
from raynas.training.train import Training
from search_spaces import nasbench201

SPACES = {
    "nasbench201": "digits",
    "darts": "digits",
    "mobile": "digits",
    "mlp": "digits",
    "tabular": "tabular",
    "textnas": "text",
    "decoder": "language_model",
    "recurrent_cells": "language_model",
    "series": "series",
}
NETWORKS = 3
STEPS = 20


def main() -> None:
    """Run the parts; one that fails does not end the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    named = torch.cuda.get_device_name(args.device) if args.device.type == "cuda" else "CPU"
    print(f"torch {torch.__version__}, {named}", flush=True)
    for name in args.parts or PARTS:
        started = time.perf_counter()
        print(f"\n{name}", flush=True)
        try:
            PARTS[name](args)
        except Exception:  # noqa: BLE001 - the other parts still count
            traceback.print_exc(limit=4, file=sys.stdout)
        print(f"  ({time.perf_counter() - started:.0f} s)", flush=True)


def epochs(args: argparse.Namespace) -> None:
    """Print images per second and ratios."""
    data = noise(600 if args.small else 12_800)
    train = Examples.of(data.train, data, args.device)
    sizes = (("five cells, 256 a step", 5, 256), ("one cell, 128 a step", 1, 128))
    for label, cells, batch in sizes[1:] if args.small else sizes:
        for name, architecture in graded().items():
            network = nasbench201_network(architecture, cells, args.device)
            recipe = Recipe(batch_size=batch)
            seconds = {
                "eager": seconds_of(trained(network(), train, eager(recipe)).step),
                "recorded": seconds_of(trained(network(), train, recipe).step),
                "bare": seconds_of(bare(network(), train, recipe, tuned=True)),
            }
            rates = ", ".join(f"{k} {len(train) / v:,.0f}" for k, v in seconds.items())
            print(
                f"  {label}, {name}: {rates} images/s; recorded / eager = "
                f"{seconds['eager'] / seconds['recorded']:.2f}, recorded / bare = "
                f"{seconds['bare'] / seconds['recorded']:.2f}",
                flush=True,
            )


def agreement(args: argparse.Namespace) -> None:
    """Print the largest difference of weights, relative to the largest weight."""
    data = noise(64 * STEPS)
    train = Examples.of(data.train, data, args.device)
    for dropout in (0.0, 0.2):
        for fields in ({}, {"optimizer": "adamw"}, {"ema": 0.9}, {"mixup": 0.2, "flip": True}):
            recipe = Recipe(batch_size=64).with_overrides(fields)
            ends = []
            for one in (eager(recipe), eager(recipe), recipe):
                network = nn.Sequential(
                    nasbench201_network(graded()["middle"], 1, args.device)(), nn.Dropout(dropout)
                )
                training = trained(network, train, one)
                training.step()
                ends.append([*network.state_dict().values()])
            again, recorded = (apart(ends[0], other) for other in ends[1:])
            print(
                f"  dropout {dropout}, {fields or 'sgd'}: recorded and eager {recorded:.1e} "
                f"apart, two eager ones {again:.1e}; {outcome(training)}",
                flush=True,
            )


def spaces(args: argparse.Namespace) -> None:
    """Print for some networks of each space whether they are recorded, and the ratio."""
    for space, task in SPACES.items():
        data = TASKS[task]().load(Source(), seed=0)
        train = batches_of(data.train, data, args.device, 64)
        recipe = Recipe(batch_size=64, optimizer="adamw", lr=1e-3, grad_clip=1.0)
        for number in range(1 if args.small else NETWORKS):
            made = network_of(space, data, number)
            try:
                once = seconds_of(trained(made().to(args.device), train, eager(recipe)).step, 1)
                training = trained(made().to(args.device), train, recipe)
                ratio = once / seconds_of(training.step, 1)
                print(
                    f"  {space} {number}: recorded / eager = {ratio:.2f}; {outcome(training)}",
                    flush=True,
                )
            except Exception as error:  # noqa: BLE001 - the other networks still count
                print(f"  {space} {number}: {type(error).__name__}: {error}", flush=True)


def memory(args: argparse.Namespace) -> None:
    """Print predicted over reserved bytes of a training at its largest, eager and recorded."""
    recipe = Recipe(batch_size=128)
    for space, task in SPACES.items():
        data = TASKS[task]().load(Source(), seed=0)
        if space in {"nasbench201", "darts", "mobile"}:
            data = noise(512)
        for number in range(1 if args.small else NETWORKS):
            made = network_of(space, data, number)
            on_cuda = args.device.type == "cuda"
            bfloat16 = on_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
            gpu = on_gpu(recipe, data, bfloat16=bfloat16)
            predicted = step_bytes(made(), data, recipe.batch_size, gpu)
            line = f"  {space} {number}: predicted {predicted / 2**20:.1f} MiB"
            for label, one in (("eager", eager(recipe)), ("recorded", recipe)) * on_cuda:
                taken = reserved(made, data, one, args.device)
                line += f", {label} {taken / 2**20:.1f} MiB, ratio {predicted / taken:.2f}"
            print(line, flush=True)


def reserved(
    made: Callable[[], nn.Module], data: Data, recipe: Recipe, device: torch.device
) -> int:
    """Return the bytes that the allocator reserves for a training, without the examples."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    train, valid = (
        batches_of(part, data, device, recipe.batch_size) for part in (data.train, data.valid)
    )
    resident = torch.cuda.memory_reserved(device)
    training = Training(made(), train, recipe, epochs=2, seed=0, valid=valid)
    training.step()
    taken = torch.cuda.max_memory_reserved(device) - resident
    training.close()
    return taken


def shares(args: argparse.Namespace) -> None:
    """Print how long the job takes with each share of the GPU."""
    for share in ("auto",) if args.small else ("1", "0.125", "auto"):
        with tempfile.TemporaryDirectory() as output:
            given = () if args.device.type == "cpu" else ("--gpus-per-trial", share)
            command = [sys.executable, "-m", "raynas", "search", "--config", "launch/digits.yaml"]
            command += ["--output", f"{output}/run", "--trials", "6" if args.small else "40"]
            started = time.perf_counter()
            done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - started
        last = [line for line in done.stdout.splitlines() if "test_accuracy" in line]
        print(f"  {share}: {seconds:.1f} s, status {done.returncode}; {' '.join(last)}")
        if done.returncode:
            print(done.stderr[-1500:], flush=True)


def noise(count: int) -> Data:
    """Return images of the size of CIFAR-10's, of noise."""
    rng = np.random.default_rng(0)

    def split(size: int) -> Split:
        images = rng.integers(0, 256, (size, 3, 32, 32), np.uint8)
        return Split.of(images, rng.integers(0, 10, size))

    return Data(split(count), split(200), split(200), Classification(10))


def graded() -> Mapping[str, Any]:
    """Return cells with few, some and many convolutions."""
    rng = np.random.default_rng(3)
    cells = [nasbench201.SPACE.sample(rng) for _ in range(40)]
    cells.sort(key=lambda cell: sum("conv_3x3" in str(value) for value in cell.values()))
    return {"light": cells[0], "middle": cells[20], "heavy": cells[-1]}


def nasbench201_network(
    architecture: Any, cells: int, device: torch.device
) -> Callable[[], nn.Module]:
    """Return what makes the network of a cell."""

    def network() -> nn.Module:
        seed_weights(0)
        made = nasbench201.build(architecture, (3, 32, 32), 10, channels=16, cells=cells)
        return made.to(device)

    return network


def network_of(space: str, data: Data, number: int) -> Callable[[], nn.Module]:
    """Return what makes a random network of a space for a task."""
    module = import_module(f"search_spaces.{space}")
    architecture = module.SPACE.sample(np.random.default_rng(number))
    build = builder(module.build, {}, data.told)

    def network() -> nn.Module:
        seed_weights(0)
        return built(build, architecture, lambda: None)

    return network


def eager(recipe: Recipe) -> Recipe:
    """Return a recipe that records nothing."""
    return recipe.with_overrides({"cuda_graphs": False})


def trained(network: nn.Module, train: Any, recipe: Recipe) -> Training:
    """Return the training of a network."""
    return Training(network, train, recipe, epochs=100, seed=0)


def seconds_of(epoch: Callable[[], Any], rounds: int = 3) -> float:
    """Return the median time of an epoch after the first; it ends by reading a number."""
    epoch()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def outcome(training: Training) -> str:
    """Return whether the steps were recorded."""
    on_gpu = training.device.type == "cuda"
    return ", ".join(training.notices) or ("recorded" if on_gpu else "a CPU records nothing")


def apart(one: list[Any], other: list[Any]) -> float:
    """Return the largest relative distance of tensors."""
    pairs = zip(one, other, strict=True)
    return max(
        float((a.double() - b.double()).abs().max() / a.double().abs().max().clamp(min=1e-12))
        for a, b in pairs
    )


PARTS = {
    "epochs": epochs,
    "agreement": agreement,
    "spaces": spaces,
    "memory": memory,
    "shares": shares,
}

if __name__ == "__main__":
    main()
