"""The model card of an export, and the files beside it that the Hugging Face hub reads."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from raynas import __version__
from raynas.data import Data
from raynas.experiment.experiment import Experiment
from raynas.experiment.export.trained import Trained
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.folder import WINNER
from raynas.insight.wording import duration, metric, plural
from raynas.trial import History

_FILES: Final = {
    "model.py": "the network in plain PyTorch, to read, edit and train",
    "inputs.py": "`encode` makes inputs of raw texts or rows",
    "model.safetensors": "its weights",
    "model.onnx": "the network for ONNX Runtime",
    "network.pt2": "the network for `torch.export.load`",
    "architecture.json": "the decisions of the architecture, and what its inputs are",
    "config.json": "the same for the Hugging Face hub, in short",
    "architecture.png": "a drawing",
    "requirements.txt": "the packages that it needs",
}
_KINDS: Final = {  # pipelines of the Hugging Face hub, by the layout of the inputs and the goal
    ("batch, channels, height, width", True): "image-classification",
    ("batch, features", True): "tabular-classification",
    ("batch, features", False): "tabular-regression",
    ("batch, ids", True): "text-classification",
    ("batch, length, features", False): "time-series-forecasting",
}
_PLACES: Final = ("output", "address", "verbose", "max_concurrent", "start_from", "winner_epochs")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the model card tells.

    Attributes:
        resolved: The experiment.
        history: The search.
        trained: The network.
        run: The description of the run.
        missing: Why files are missing, by name.
    """

    resolved: ResolvedExperiment
    history: History
    trained: Trained
    run: Mapping[str, Any]
    missing: Mapping[str, str]


def config(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``config.json``: what tools of the hub expect, and the inputs."""
    names = card.get("class_names") or [str(at) for at in range(card.get("classes") or 0)]
    labels = {"id2label": dict(enumerate(names))} if names else {}
    return {
        "model_type": "raynas",
        "architectures": ["Model"],
        **labels,
        "input": card["input"],
        "architecture": card["architecture"],
        "space": card["space"],
        "task": card["task"],
    }


def requirements(files: Collection[str]) -> str:
    """Return the packages that the files need, of the versions that wrote them or newer."""
    lines = [f"torch>={_release('torch')}", f"safetensors>={_release('safetensors')}"]
    if "model.onnx" in files:
        lines.append("# model.onnx needs only these two: onnxruntime and numpy")
    return "\n".join(lines) + "\n"


def readme(facts: Facts, files: Sequence[str]) -> str:
    """Return the model card."""
    number = facts.trained.trial.number
    parts = [
        _head(facts),
        f"# A network found by raynas\n\n{_summary(facts)}",
        f"![The network](architecture.png)\n\n{_decisions(facts)}",
        f"## Use it\n\n{_use(facts, files)}",
        f"## Data\n\n{_data(facts)}",
        f"## Scores\n\n{_scores(facts)}",
        f"## Cost\n\n{_cost(facts)}",
        f"## How to repeat it\n\n{_repeat(facts)}",
        f"## Files\n\n{_table(facts, files)}",
    ]
    return "\n\n".join(part.strip() for part in parts) + f"\n\n<!-- trial {number} -->\n"


def _head(facts: Facts) -> str:
    """Return the front matter, which the hub reads."""
    card = _card(facts)
    inputs = card.get("input", {})
    kind = _KINDS.get((str(inputs.get("layout")), bool(card.get("classes"))))
    results = [
        {"type": name.removeprefix("test_"), "name": name, "value": round(value, 6)}
        for name, value in facts.trained.metrics.items()
        if name.startswith("test_")
    ]
    task = str(card["task"])
    index = {
        "name": f"raynas-{task}",
        "results": [
            {
                "task": {"type": kind or "other"},
                "dataset": {"name": task, "type": task},
                "metrics": results,
            }
        ],
    }
    lines = ["library_name: pytorch", "tags: [raynas, neural-architecture-search]"]
    lines += [f"pipeline_tag: {kind}"] if kind else []
    lines.append(f"model-index: {json.dumps([index])}")  # YAML reads JSON
    return "\n".join(["---", *lines, "---"])


def _card(facts: Facts) -> dict[str, Any]:
    from raynas.experiment.run.winner_training import winner_card  # noqa: PLC0415

    resolved, found = facts.resolved, facts.trained
    return winner_card(resolved.experiment, resolved.data, found.trial, found.metrics)


def _summary(facts: Facts) -> str:
    described = facts.resolved.experiment.described()
    tested = ", ".join(
        f"{name} {metric(name, value)}"
        for name, value in facts.trained.metrics.items()
        if name.startswith("test_")
    )
    return (
        f"The network of trial {facts.trained.trial.number} of a search in the space "
        f"`{_named(described['space'])}` for the task `{_named(described['task'])}`. "
        f"On the test data: {tested or 'it was not tested'}."
    )


def _named(reference: Any) -> str:
    return str(reference.get("object", "")) if isinstance(reference, Mapping) else str(reference)


def _decisions(facts: Facts) -> str:
    rows = [f"| {path} | {value} |" for path, value in facts.trained.trial.architecture.items()]
    return "\n".join(["| decision | value |", "|---|---|", *rows])


def _use(facts: Facts, files: Sequence[str]) -> str:
    shape = _card(facts).get("input", {}).get("shape")
    sizes = ", ".join(map(str, shape)) if shape else "..."
    kind = ", dtype=torch.int64" if _card(facts).get("input", {}).get("dtype") == "int64" else ""
    zeros = f"torch.zeros(1, {sizes}{kind})"
    blocks = []
    if "model.py" in files:
        blocks.append(
            "```python\nimport torch\n\nfrom model import load\n\nnetwork = load()\n"
            f"predictions = network({zeros})  # inputs in the units of the data\n```"
        )
    elif "network.pt2" in files:
        blocks.append(
            '```python\nimport torch\n\nnetwork = torch.export.load("network.pt2").module()\n'
            f"predictions = network({zeros})  # inputs in the units of the data\n```"
        )
    if "inputs.py" in files:
        blocks.append(
            "Inputs of raw texts or rows: `from inputs import encode`, then "
            "`network(encode(...))`. The first lines of `inputs.py` have an example; it needs "
            "torch, and neither raynas nor pandas."
        )
    blocks.append("With raynas, from files: `raynas predict FOLDER FILES...`")
    return "\n\n".join(blocks)


def _data(facts: Facts) -> str:
    data = facts.resolved.data
    if not isinstance(data, Data) or not data.arrays:
        return "The task has data of its own."
    names = ("training", "validation", "test")
    sizes = ", ".join(f"{len(part)} {name}" for name, part in zip(names, data.parts, strict=True))
    inputs = _card(facts)["input"]
    shapes = inputs.get("parts", {"inputs": inputs})
    lines = [
        f"- {name}: {one['layout']}, shape {one['shape']}, {one['dtype']}, values "
        f"{_ends(one['min'])} to {_ends(one['max'], max)}"
        for name, one in shapes.items()
    ]
    classes = _card(facts).get("class_names") or []
    said = f"\n- classes: {', '.join(map(str, classes[:50]))}" if classes else ""
    return f"{sizes} examples.\n\n" + "\n".join(lines) + said


def _ends(values: Any, end: Any = min) -> str:
    return f"{end(values) if isinstance(values, list | tuple) else values:g}"


def _scores(facts: Facts) -> str:
    found, trial = facts.trained, facts.trained.trial
    objective = facts.history.objectives[0].metric
    searched = metric(objective, trial.metrics[objective])
    lines = ["| score | value |", "|---|---|"]
    lines.append(
        f"| {objective} in the search, after {plural(trial.epoch, 'epoch')} | {searched} |"
    )
    lines += [f"| {name} | {metric(name, value)} |" for name, value in found.metrics.items()]
    if found.row and found.row.scores:
        mean, spread = metric(objective, found.row.mean), metric(objective, found.row.spread)
        margin = "" if math.isnan(found.row.spread) else f" ± {spread}"
        times = plural(len(found.row.scores), "training")
        lines.append(f"| test score over {times}, mean and deviation | {mean}{margin} |")
    inherited = trial.started.inherits and found.file.parent.name == WINNER
    trained = "It has the weights of its trial, which were inherited in part, and was tested once."
    if not inherited:
        trained = "The network was then trained on training and validation data, and tested once."
    return f"{chr(10).join(lines)}\n\nThe architecture was chosen by validation data. {trained}"


def _cost(facts: Facts) -> str:
    history, found = facts.history, facts.trained.metrics
    spent = math.fsum(trial.seconds for trial in history.trials.values())
    held = math.fsum(session.gpu_seconds for session in history.sessions) / 3600
    gpus = f", {held:.2g} GPU-hours" if held else ""
    sizes = [
        f"{name} {metric(name, found[name])}" for name in ("params", "flops") if name in found
    ]
    return (
        f"The search trained {plural(history.trained, 'network')} in {duration(spent)} of "
        f"training{gpus}. This network: {', '.join(sizes) or 'its size is unknown'}."
    )


def _repeat(facts: Facts) -> str:
    settings = _changed(facts.resolved.experiment)
    lines = "\n".join(f"{name}: {json.dumps(value)}" for name, value in settings.items())
    return (
        f"raynas {facts.run.get('raynas', __version__)}, torch {version('torch')}, Python "
        f"{platform.python_version()}. Write these lines to `settings.yaml`, beside your own "
        f"files if the search used any:\n\n```yaml\n{lines}\n```\n\nThen:\n\n```bash\n"
        "raynas search --config settings.yaml --output runs/again\n```"
    )


def _changed(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that differ from their defaults, but for those of places."""
    usual, mine = Experiment().described(), experiment.described()
    found = {name: value for name, value in mine.items() if value != usual[name]}
    return {name: value for name, value in found.items() if name not in _PLACES}


def _table(facts: Facts, files: Sequence[str]) -> str:
    rows = [f"| `{name}` | {said} |" for name, said in _FILES.items() if name in files]
    missing = [f"- `{name}` is missing: {why}" for name, why in facts.missing.items()]
    return "\n".join(["| file | content |", "|---|---|", *rows, "", *missing])


def _release(package: str) -> str:
    return ".".join(version(package).partition("+")[0].split(".")[:2])
