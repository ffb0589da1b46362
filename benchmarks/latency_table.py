"""How well a latency table predicts whole networks: the sum of its entries against measurements.

    python benchmarks/latency_table.py                  # 20 random networks on one core

The networks are random architectures of ``search_spaces.mobile.proxyless``, others than those by
which a table measures its rest. A busy machine drifts, so several short tables and measurements
take turns, and their means are compared. "Line" is the slope and the constant of the best line
through sums and measurements: 1 and 0 if the sums need no correction. "Again" is the rank
correlation of Spearman between two halves of the measurements, which says how much they can be
trusted. With one thread, the time of the thread counts, so that other processes matter less.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import product

import numpy as np
import torch
from scipy.stats import spearmanr

from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.relaxation import plain
from raynas.oneshot.timing import latencies_ms, measured
from raynas.rng import seed_weights
from raynas.space import Architecture
from search_spaces.mobile import proxyless

_TURNS = 5


def main() -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=8, help="in each turn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pixels", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--width", type=float, default=1.0)
    told = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(told.device)
    print(
        "| pixels | batch | rest | latencies | off by | off by, % | too long by, % | line ", end=""
    )
    print("| rank | again |")
    print(f"|{'---|' * 10}")
    for pixels, batch in product(told.pixels, told.batch):
        build = partial(
            proxyless.build, input_shape=(3, pixels, pixels), outputs=10, width=told.width
        )
        inputs = torch.randn(batch, 3, pixels, pixels, device=device)
        architectures = sampled(told.networks)
        networks = [build(one).to(device) for one in architectures]
        seed_weights(0)
        supernet = MixedSupernet(build, proxyless.SPACE, plain(proxyless.SPACE)).to(device)
        every, tables = [], []
        for _ in range(_TURNS):
            every.append(latencies_ms(networks, inputs, told.rounds))
            tables.append(measured(supernet, inputs, told.rounds))
        every.append(latencies_ms(networks, inputs, told.rounds))
        found = np.mean(every, axis=0)
        sums = np.mean([[table.of(one) for one in architectures] for table in tables], axis=0)
        error, again = sums - found, spearmanr(np.mean(every[::2], 0), np.mean(every[1::2], 0))
        slope, constant = np.polyfit(sums, found, 1)
        print(
            f"| {pixels} | {batch} | {np.mean([one.rest_ms for one in tables]):.2f} ms "
            f"| {found.min():.2f} to {found.max():.2f} ms | {np.abs(error).mean():.2f} ms "
            f"| {100 * np.mean(np.abs(error) / found):.1f} | {100 * np.mean(error / found):.1f} "
            f"| {slope:.2f}, {constant:.2f} ms | {spearmanr(sums, found).statistic:.2f} "
            f"| {again.statistic:.2f} |",
            flush=True,
        )
    print(f"\n{told.networks} networks, {tables[0].device}")


def sampled(count: int) -> list[Architecture]:
    """Return random architectures."""
    rng = np.random.default_rng(1)
    return [proxyless.SPACE.sample(rng) for _ in range(count)]


if __name__ == "__main__":
    main()
