"""What proxies are worth on NAS-Bench-201: their rank correlation with trained accuracy.

    python benchmarks/proxies.py --table nb201.npz --published nb201_extra.npz [--cells 200]

Random cells are built at the published size (16 channels, five copies per stage, 32 x 32 images,
10 classes) and scored on 64 images of two kinds that need no data set: of noise, and smooth ones
that depend on the class. Spearman's correlation is with the accuracy on the CIFAR-10 test set
after 200 epochs, with 95 % bootstrap intervals over the cells; a cell without a value counts as
the worst. Beside it stand the published correlation over all cells (Abdelfattah et al., 2021; for
naswot, zen, params and flops: the tables') and, where others have published their own scores of
the same cells, the correlation with those, over the cells that both have.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch.nn.functional import interpolate

from raynas.errors import SpaceError, TrialError
from raynas.goals import Classification
from raynas.proxies import NAMES, Batch
from raynas.proxies.subject import Subject
from raynas.proxies.table import PROXIES
from raynas.proxies.zen import zen
from raynas.rng import seed_weights
from search_spaces import nasbench201

KINDS = ("noise", "smooth")
BLIND = {"synflow", "zen", "params", "flops"}  # what looks at no data
ACCURACY = "c10_test_200"
PUBLISHED = {
    "synflow": 0.74,
    "naswot": 0.78,
    "jacob_cov": 0.73,
    "snip": 0.60,
    "grad_norm": 0.59,
    "grasp": 0.51,
    "fisher": 0.36,
    "zen": 0.38,
    "params": 0.75,
    "flops": 0.75,
}
THEIRS = {"synflow": "zc_c10_log10_synflow", "naswot": "zc_c10_naswot", "zen": "zc_c10_zen"}

Floats = NDArray[np.float64]


def main() -> None:
    """Score cells until all are done or time is over, then print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--published", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--zen-repeats", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(args.table) as table:
        rng = np.random.default_rng(args.seed)
        rows = rng.permutation(len(table["ops"]))[: args.cells]
        cells = table["arch_str"][rows].astype(str).tolist()
        accuracy = table[ACCURACY][rows]
    scores, spent = scored(cells, args)
    done = len(next(iter(scores.values())))
    with np.load(args.published) as published:
        theirs = {name: published[column][rows[:done]] for name, column in THEIRS.items()}
    print(f"{done} cells, seed {args.seed}, {args.channels} channels, {args.copies} per stage")
    report(scores, spent, accuracy[:done], theirs)
    if args.json:
        kept = {"/".join(key): values.tolist() for key, values in scores.items()}
        args.json.write_text(json.dumps({"rows": rows[:done].tolist(), **kept}) + "\n")


def scored(
    cells: list[str], args: argparse.Namespace
) -> tuple[dict[tuple[str, str], Floats], dict[str, float]]:
    """Return the scores by proxy and kind of images, NaN for none; and seconds by proxy."""
    found: dict[tuple[str, str], list[float]] = {}
    spent = dict.fromkeys(NAMES, 0.0)
    batches = {kind: images(kind, args.examples, args.seed) for kind in KINDS}
    proxies = {**PROXIES, "zen": partial(zen, repeats=args.zen_repeats)}
    started = time.monotonic()
    for cell in cells:
        if time.monotonic() - started > 60 * args.minutes:
            break
        seed_weights(args.seed)
        architecture = nasbench201.from_string(cell)
        child = nasbench201.build(
            architecture, (3, 32, 32), 10, channels=args.channels, cells=args.copies
        )
        for kind, batch in batches.items():
            subject = Subject(child, batch, args.seed)
            for name in args.only:
                values = found.setdefault((name, kind), [])
                if name in BLIND and kind != KINDS[0]:
                    values.append(found[name, KINDS[0]][-1])
                    continue
                before = time.process_time()
                try:
                    values.append(proxies[name](subject))
                except (TrialError, SpaceError):
                    values.append(math.nan)
                spent[name] += time.process_time() - before
    return {key: np.array(values) for key, values in found.items()}, spent


def images(kind: str, count: int, seed: int) -> Batch:
    """Return normalised images [count, 3, 32, 32] in ten classes.

    Noise knows nothing of the class; smooth images are a pattern of the class, of 4 x 4 spots,
    and one of their own, enlarged.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    if kind == "noise":
        inputs = torch.randn((count, 3, 32, 32), generator=generator)
    else:
        patterns = torch.randn((10, 3, 4, 4), generator=generator)[labels]
        own = torch.randn((count, 3, 8, 8), generator=generator)
        inputs = sum(interpolate(part, size=(32, 32), mode="bicubic") for part in (patterns, own))
        inputs = (inputs - inputs.mean((0, 2, 3), keepdim=True)) / inputs.std(
            (0, 2, 3), keepdim=True
        )
    return Batch(inputs.contiguous(memory_format=torch.channels_last), labels, Classification(10))


def report(
    scores: dict[tuple[str, str], Floats],
    spent: dict[str, float],
    accuracy: Floats,
    theirs: dict[str, Floats],
) -> None:
    """Print a row per proxy."""
    print(f"{'proxy':10}{'none':>5}{KINDS[0]:>24}{KINDS[1]:>24}", end="")
    print(f"{'published':>11}{'theirs':>8}{'s/cell':>8}")
    for name in dict.fromkeys(name for name, _ in scores):
        first = scores[name, KINDS[0]]
        text = f"{name:10}{int(np.isnan(first).sum()):5}"
        for kind in KINDS:
            text += f"{interval(scores[name, kind], accuracy):>24}"
        if name in theirs:
            both = np.isfinite(first) & np.isfinite(theirs[name])
            agree = f"{spearmanr(first[both], theirs[name][both]).statistic:8.3f}"
        else:
            agree = " " * 8
        looks = len(first) * (1 if name in BLIND else len(KINDS))
        print(f"{text}{PUBLISHED[name]:11.2f}{agree}{spent[name] / looks:8.2f}")


def interval(scores: Floats, accuracy: Floats) -> str:
    """Return Spearman's correlation and its 95 % bootstrap interval."""
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    rng = np.random.default_rng(0)
    again = []
    for _ in range(1000):
        drawn = rng.integers(len(ranked), size=len(ranked))
        again.append(spearmanr(ranked[drawn], accuracy[drawn]).statistic)
    low, high = np.nanquantile(again, (0.025, 0.975))
    return f"{spearmanr(ranked, accuracy).statistic:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
