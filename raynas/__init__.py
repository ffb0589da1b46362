"""raynas: neural architecture search on Ray Tune and PyTorch.

>>> result = raynas.search(space="nasbench201", task="digits", trials=40)  # doctest: +SKIP
>>> result.best.architecture, result.leaderboard()  # doctest: +SKIP
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raynas.execution.ask_tell import AskTell
    from raynas.execution.ray_tune.raynas_search import RaynasSearch
    from raynas.experiment.experiment import Experiment
    from raynas.experiment.export.export import export
    from raynas.experiment.run.result import Result, load
    from raynas.experiment.run.retraining import retrain
    from raynas.experiment.run.search import resume, run, search
    from raynas.space import Architecture, Choice, Float, Int, Repeat, Space
    from raynas.training.predictor import Predictor, load_winner

    __version__: str

_HOMES = {
    "Architecture": "raynas.space",
    "AskTell": "raynas.execution.ask_tell",
    "Choice": "raynas.space",
    "Experiment": "raynas.experiment.experiment",
    "Float": "raynas.space",
    "Int": "raynas.space",
    "Predictor": "raynas.training.predictor",
    "RaynasSearch": "raynas.execution.ray_tune.raynas_search",
    "Repeat": "raynas.space",
    "Result": "raynas.experiment.run.result",
    "Space": "raynas.space",
    "export": "raynas.experiment.export.export",
    "load": "raynas.experiment.run.result",
    "load_winner": "raynas.training.predictor",
    "resume": "raynas.experiment.run.search",
    "retrain": "raynas.experiment.run.retraining",
    "run": "raynas.experiment.run.search",
    "search": "raynas.experiment.run.search",
}
__all__ = [
    "Architecture",
    "AskTell",
    "Choice",
    "Experiment",
    "Float",
    "Int",
    "Predictor",
    "RaynasSearch",
    "Repeat",
    "Result",
    "Space",
    "export",
    "load",
    "load_winner",
    "resume",
    "retrain",
    "run",
    "search",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: ``import raynas`` takes no time."""
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'raynas' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def _tell_notebook() -> None:
    """Tell a notebook, if this is one, how it shows values of raynas and figures."""
    if "IPython" in sys.modules:
        import_module("raynas.insight.notebook.shown").tell()


def _version() -> str:
    """Give the version that is installed; setup.py is the only place where it is written."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow to load

    try:
        return version("raynas")
    except PackageNotFoundError:  # a checkout on the path that nobody installed
        return "unknown"


_tell_notebook()
