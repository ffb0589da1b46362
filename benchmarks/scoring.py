"""How fast networks are scored by shared weights: on Ray, in bare loops, and as plain Tune trials.

All three score random small cells by the same trained supernet, with two processes of one thread:

- the pool of workers that ``raynas search --method`` uses;
- two processes with a loop each, which share nothing: the most that two cores can do;
- plain Tune trials, of one network each, which load the supernet and report its score.

    python benchmarks/scoring.py

Printed are networks per second, from when the first process is ready, and the ratios. Rounds take
turns, so that a machine that becomes slower does not favour one of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from raynas.execution.packing import Resources
from raynas.execution.ray_tune.opening import opened
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import train
from raynas.experiment.experiment import experiment_from
from raynas.experiment.resolve.machine import share_of
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.resolve.supernets import Supernets, supernets_of
from raynas.space import Architecture
from raynas.tables.digits import TASK

PROCESSES, SHARE = 2, Resources(1.0, 0.0)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--trials", type=int, default=20, help="plain Tune trials per round")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        supernets, supernet = _trained(Path(folder))
        space, rng = supernets.space, np.random.default_rng(0)
        drawn = {space.identity(one): one for one in (space.sample(rng) for _ in range(3000))}
        networks = [*drawn.values()][: told.networks]
        share = share_of(supernets.training.experiment)
        rates: dict[str, list[float]] = {"pool": [], "loops": [], "tune": []}
        with opened(share, supernets.training.work) as session:
            for _ in range(told.rounds):
                rates["loops"].append(_loops(supernet, networks))
                rates["pool"].append(_pool(session, supernets, supernet, networks))
                rates["tune"].append(_tune(supernet, networks[: told.trials], Path(folder)))
    pool, loops, tune = (median(rates[name]) for name in ("pool", "loops", "tune"))
    for name, values in rates.items():
        print(f"{name}: networks/s {', '.join(f'{value:.2f}' for value in values)}")
    print(f"pool / two bare loops: {pool / loops:.2f} (goal: at least 0.9)")
    print(f"pool / plain Tune trials: {pool / tune:.1f} (goal: at least 10)")


Supernet = tuple[PackedContext, Any, TrialSpec]


def _trained(folder: Path) -> tuple[Supernets, Supernet]:
    """Return the supernets of an experiment; the first one is trained for an epoch here."""
    settings = {
        "space": "search_spaces.nasbench201.small",
        "task": "digits",
        "task_options": dict(TASK),
        "method": "random-ws",
        "epochs": 1,
        "supernet_epochs": 1,
        "trials": 1,
        "max_concurrent": PROCESSES,
        "output": folder / "run",
    }
    supernets = supernets_of(resolve(experiment_from(settings)))
    packed = PackedContext.of(supernets.training.work, "cpu")
    path = str(folder / "supernet.pt")
    spec = TrialSpec(0, {"method": "random-ws"}, 1, seed=0, checkpoint=path, keep=True)
    for _ in train(packed.unpacked(SHARE), spec):
        pass
    return supernets, (packed, supernets.loop, spec)


def _pool(
    session: Any, supernets: Supernets, supernet: Supernet, networks: Sequence[Architecture]
) -> float:
    pool = session.scoring_pool(supernets.space, *supernet[1:])
    pool._scored(networks[: 2 * PROCESSES])  # noqa: SLF001 - all workers are ready after it
    begun = time.perf_counter()
    pool.many(networks)
    seconds = time.perf_counter() - begun
    pool.close()
    return len(networks) / seconds


def _loops(supernet: Supernet, networks: Sequence[Architecture]) -> float:
    context = get_context("spawn")
    ready = context.Barrier(PROCESSES + 1)
    parts = [networks[at::PROCESSES] for at in range(PROCESSES)]
    loops = [context.Process(target=_loop, args=(supernet, part, ready)) for part in parts]
    for one in loops:
        one.start()
    ready.wait()
    begun = time.perf_counter()
    ready.wait()
    seconds = time.perf_counter() - begun
    for one in loops:
        one.join()
    return len(networks) / seconds


def _loop(supernet: Supernet, networks: Sequence[Architecture], ready: Any) -> None:
    scores = _scores(supernet)
    scores.score(networks[0])
    scores.forget()
    ready.wait()
    scores.many(networks)
    ready.wait()


def _scores(supernet: Supernet) -> Any:
    from raynas.execution.shared_scorer import shared_scores_of

    packed, loop, spec = supernet
    return shared_scores_of(packed.unpacked(SHARE), loop, spec)


def _tune(supernet: Supernet, networks: Sequence[Architecture], folder: Path) -> float:
    from ray import tune

    def trial(config: dict[str, Any], supernet: Supernet) -> None:
        tune.report({"score": _scores(supernet).score(Architecture(config["network"]))})

    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trial, supernet=supernet), {"cpu": 1}),
        param_space={"network": tune.grid_search([dict(one) for one in networks])},
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    )
    begun = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - begun
    if results.errors:
        raise results.errors[0]
    return len(networks) / seconds


if __name__ == "__main__":
    main()
