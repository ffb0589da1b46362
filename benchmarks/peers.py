"""Other packages on raynas's tables, driven by their own asking and telling.

The protocol of ``raynas bench``: every training counts, shows one noisy seed and a repeat another
one; what is judged is what would be handed over, here the best seen (SMAC: its incumbent). The
mean of its test score and the standard deviation over runs are printed, after so many trainings.

The packages are not among raynas's dependencies; in an environment of its own::

    pip install . deephyper neural-pipeline-search smac "syne-tune[basic,botorch]"
    python benchmarks/peers.py --table nasbench201 --data nb201.npz --dataset cifar10 \\
        --peers syne_tune:BORE,deephyper,neps,smac --seeds 20
    python benchmarks/peers.py --table benchmarks/functions.py:Branin --peers smac:BlackBox
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Any

AT = (25, 50, 100, 150)
Config = Mapping[str, Any]
Run = Iterator[tuple[Config, Callable[[float], Config | None]]]
"""Configurations, each with what to tell its loss to; that may name the one to hand over."""


def domains(space: Any, categorical: Any, real: Any, whole: Any) -> dict[str, Any]:
    """Return a space's decisions as another package writes them."""
    from raynas.space import Choice, Float

    written = {}
    for path, decision in space.decisions.items():
        domain = decision.domain
        if decision.parent is not None:
            raise SystemExit(f"{path} is conditional: of these packages not all can say so")
        if isinstance(domain, Choice):
            written[path] = categorical(path, list(domain.values()))
        else:
            number = real if isinstance(domain, Float) else whole
            written[path] = number(path, domain.low, domain.high, domain.log)
    return written


def syne_tune(space: Any, seed: int, name: str = "BORE") -> Run:
    import datetime

    from syne_tune import config_space as cs
    from syne_tune.backend.trial_status import Trial
    from syne_tune.optimizer import baselines

    described = domains(
        space,
        lambda _, options: cs.choice(options),
        lambda _, low, high, log: (cs.loguniform if log else cs.uniform)(low, high),
        lambda _, low, high, log: (cs.lograndint if log else cs.randint)(low, high),
    )
    scheduler = getattr(baselines, name)(described, metric="loss", random_seed=seed)
    for number in count():
        config = scheduler.suggest().config
        trial = Trial(number, config, datetime.datetime.now(datetime.UTC))
        scheduler.on_trial_add(trial)

        def tell(loss: float, trial: Any = trial) -> None:
            scheduler.on_trial_result(trial, {"loss": loss})
            scheduler.on_trial_complete(trial, {"loss": loss})

        yield config, tell


def deephyper(space: Any, seed: int, name: str = "ET") -> Run:
    from deephyper.hpo import CBO, HpProblem

    problem = HpProblem()
    described = domains(
        space,
        lambda _, options: options,
        lambda _, low, high, log: (low, high, *(("log-uniform",) if log else ())),
        lambda _, low, high, log: (low, high, *(("log-uniform",) if log else ())),
    )
    for path, domain in described.items():
        problem.add(domain, path)
    with TemporaryDirectory() as folder:
        search = CBO(problem, random_state=seed, log_dir=folder, surrogate_model=name)
        while True:
            (config,) = search.ask(1)

            def tell(loss: float, config: Config = config) -> None:
                search.tell([(config, -loss)])

            yield config, tell


def neps(space: Any, seed: int, name: str = "bayesian_optimization") -> Run:
    import neps
    import numpy as np
    import torch

    np.random.seed(seed)  # noqa: NPY002 - neps draws from the global generators
    torch.manual_seed(seed)
    __import__("random").seed(seed)
    described = neps.SearchSpace(
        domains(
            space,
            lambda _, options: neps.HPOCategorical(options),
            lambda _, low, high, log: neps.HPOFloat(low, high, log=log),
            lambda _, low, high, log: neps.HPOInteger(low, high, log=log),
        )
    )
    asked = neps.AskAndTell(getattr(neps.algorithms, name)(described))
    while True:
        trial = asked.ask()

        def tell(loss: float, trial: Any = trial) -> None:
            asked.tell(trial, loss)

        yield trial.config, tell


def smac(space: Any, seed: int, name: str = "HyperparameterOptimization") -> Run:
    import smac as package
    from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
    from smac.runhistory import TrialValue

    described = domains(
        space,
        Categorical,
        lambda path, low, high, log: Float(path, (low, high), log=log),
        lambda path, low, high, log: Integer(path, (low, high), log=log),
    )
    with TemporaryDirectory() as folder:
        scenario = package.Scenario(
            ConfigurationSpace(described, seed=seed),
            n_trials=AT[-1],
            seed=seed,
            output_directory=folder,
        )
        facade = getattr(package, f"{name}Facade")(
            scenario, _never_called, overwrite=True, logging_level=logging.ERROR
        )
        while True:
            info = facade.ask()

            def tell(loss: float, info: Any = info) -> Config:
                facade.tell(info, TrialValue(cost=loss))
                return dict(facade.intensifier.get_incumbents()[0])

            yield dict(info.config), tell


def _never_called(config: Any, seed: int = 0) -> float:  # noqa: ARG001 - SMAC looks at it
    raise AssertionError("who asks and tells evaluates for itself")


PEERS = {"syne_tune": syne_tune, "deephyper": deephyper, "neps": neps, "smac": smac}


def run(peer: str, table: str, options: Mapping[str, str], seed: int) -> list[float]:
    """Return the test score of what a peer would hand over after each number of trainings."""
    import numpy as np

    from raynas.experiment.resolve.references import find_table

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    found = find_table(table, options)
    package, _, name = peer.partition(":")
    draws = np.random.default_rng(seed).integers(2**31, size=AT[-1])
    made = PEERS[package](found.space, seed, *([name] if name else []))
    seen: Counter[Any] = Counter()
    best, handed, scores = float("inf"), None, []
    for number, (config, tell) in enumerate(made, start=1):
        architecture = found.space.architecture(
            {path: _plain(config[path]) for path in found.space.decisions}
        )
        draw = int(draws[number - 1] if not seen[architecture] else seen[architecture])
        seen[architecture] = draw + 1
        *_, look = found.answer(architecture, found.lengths[-1], draw)
        loss = -look.metrics["val_accuracy"]
        incumbent = tell(loss)
        if incumbent is not None:
            handed = found.space.architecture({k: _plain(v) for k, v in incumbent.items()})
        elif loss < best:
            best, handed = loss, architecture
        if number in AT:
            scores.append(found.scores(handed).test)
        if number == AT[-1]:
            return scores
    raise AssertionError(f"{peer} stopped asking")


def _plain(value: Any) -> Any:
    """Return a value of Python's own type: some packages hand out NumPy's."""
    return value.item() if hasattr(value, "item") else value


def main() -> None:
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default="nasbench201")
    parser.add_argument("--data", default="")
    parser.add_argument("--dataset", default="")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    given = {"data": asked.data, "dataset": asked.dataset}
    options = {name: value for name, value in given.items() if value}
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    print(f"{'':24}" + "".join(f"{at:>18}" for at in AT))
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        for peer in asked.peers.split(","):
            scores = [*pool.map(partial(run, peer, asked.table, options), range(asked.seeds))]
            columns = zip(np.mean(scores, 0), np.std(scores, 0, ddof=1), strict=True)
            row = "".join(f"{mean:11.4f} ±{spread:.4f}" for mean, spread in columns)
            print(f"{peer:24}{row}", flush=True)


if __name__ == "__main__":
    main()
