"""How fast a child is trained: raynas against loops written by hand, on one CPU thread or a GPU.

    python benchmarks/child.py [--device cuda] [--rounds 15]

Every contender trains the same network (a NAS-Bench-201 cell, 16 channels, one cell per stage)
with the same batch size, optimizer settings and precision; contenders take turns, one epoch each,
and the figures are medians over the rounds, ratios taken round by round. Validation is left out.
On a CPU, seconds are those that the process computed, so that other processes disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from raynas.data import Data, Split
from raynas.goals import Classification
from raynas.rng import seed_weights
from raynas.tasks import TASKS, Source
from raynas.training.examples import Examples
from raynas.training.recipe import Recipe
from raynas.training.train import Training
from search_spaces import nasbench201

CELLS = {
    "five 3x3 convolutions": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "one 3x3, two 1x1, a pool": "|nor_conv_1x1~0|+|skip_connect~0|nor_conv_3x3~1|"
    "+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|",
}
EPOCHS = 10_000  # of the schedule; far more than are run, so that no rate falls to nothing

Epoch = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, {args.device}, 1 CPU thread, medians of {args.rounds} rounds"
    )
    digits = TASKS["digits"]().load(Source(), seed=0)
    photos = synthetic(384)
    for name, cell in CELLS.items():
        for data, recipe in (
            (digits, Recipe(batch_size=64)),
            (photos, Recipe(batch_size=128, crop=4, flip=True)),
        ):
            print(
                f"\n{name}; {len(data.train)} images {data.input_shape}, "
                f"{recipe.batch_size} a step"
            )
            contest(contenders(cell, data, recipe, args.device), len(data.train), args)


def synthetic(count: int) -> Data:
    """Return images of the size of CIFAR-10's, of noise."""
    rng = np.random.default_rng(0)
    noise = Split(rng.integers(0, 256, (count, 3, 32, 32), np.uint8), rng.integers(0, 10, count))
    return Data(noise, noise, noise, goal=Classification(10))


def contenders(cell: str, data: Data, recipe: Recipe, device: torch.device) -> Mapping[str, Epoch]:
    """Return one epoch of each; the first is compared with the others."""

    def network() -> nn.Module:
        seed_weights(0)
        architecture = nasbench201.from_string(cell)
        build = nasbench201.build
        return build(architecture, data.input_shape, data.classes, channels=16, cells=1).to(device)

    train = Examples.of(data.train, data, device)
    training = Training(network(), train, recipe, epochs=EPOCHS, seed=0)
    found: dict[str, Epoch] = {
        "raynas": training.step,
        "bare loop, no augmentation, tuned alike": bare(network(), train, recipe, tuned=True),
        "bare loop, no augmentation, as usual": bare(network(), train, recipe, tuned=False),
    }
    if recipe.crop:
        loader = DataLoader(Photos(data, recipe), recipe.batch_size, shuffle=True)
        found["DataLoader and torchvision transforms"] = loaded(network(), loader, recipe, device)
    return found


def bare(net: nn.Module, train: Examples, recipe: Recipe, *, tuned: bool) -> Epoch:
    """Return the shortest loop: everything normalised beforehand and on the device."""
    inputs, labels = train.normalised(train.inputs), train.targets
    if tuned:
        net = net.to(memory_format=torch.channels_last)
    else:
        inputs = inputs.contiguous()
    optimizer = sgd(net, recipe, fused=tuned or None)
    steps = train.steps(recipe.batch_size)

    def epoch() -> None:
        net.train()
        total = torch.zeros((), device=inputs.device)
        for rows in torch.randperm(len(labels), device=inputs.device).tensor_split(steps):
            total += learn(net, optimizer, recipe, inputs[rows], labels[rows])
        total.item()

    return epoch


def loaded(
    net: nn.Module, loader: DataLoader[tuple[Tensor, int]], recipe: Recipe, device: torch.device
) -> Epoch:
    """Return the loop of the tutorials: a DataLoader in the same process."""
    optimizer = sgd(net, recipe, fused=None)

    def epoch() -> None:
        net.train()
        total = torch.zeros((), device=device)
        for inputs, labels in loader:
            total += learn(net, optimizer, recipe, inputs.to(device), labels.to(device))
        total.item()

    return epoch


class Photos(Dataset[tuple[Tensor, int]]):
    """Images one by one, transformed by torchvision as in its training references."""

    def __init__(self, data: Data, recipe: Recipe) -> None:
        self.images = torch.from_numpy(data.train.inputs)
        self.targets = data.train.targets.tolist()
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=recipe.crop),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32),
                v2.Normalize(data.norm.mean, data.norm.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(self.images[row]), self.targets[row]


def sgd(net: nn.Module, recipe: Recipe, *, fused: bool | None) -> torch.optim.SGD:
    """Return the optimizer of the recipe."""
    return torch.optim.SGD(
        net.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )


def learn(
    net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe, inputs: Tensor, labels: Tensor
) -> Tensor:
    """Take one step, in bfloat16 on a GPU as raynas does; return the loss."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.is_cuda):
        loss = functional.cross_entropy(
            net(inputs), labels, label_smoothing=recipe.label_smoothing
        )
    torch.autograd.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def contest(epochs: Mapping[str, Epoch], images: int, args: argparse.Namespace) -> None:
    """Let the contenders take turns and print what they did."""
    clock = time.process_time if args.device.type == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for round_ in range(args.rounds + 1):
        for turn in range(len(epochs)):  # nobody always follows the same one
            name = list(epochs)[(round_ + turn) % len(epochs)]
            started = clock()
            epochs[name]()  # ends by reading a number back, so a GPU has finished
            if round_:  # the first one warms up
                seconds[name].append(clock() - started)
    ours = seconds["raynas"]
    for name, theirs in seconds.items():
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        rate = images / statistics.median(theirs)
        versus = "" if name == "raynas" else f"   raynas / this = {ratio:.2f}"
        print(f"  {name:40} {rate:9,.0f} images/s{versus}")


if __name__ == "__main__":
    main()
