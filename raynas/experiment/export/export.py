"""Write a trained network as a folder that needs no raynas."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from raynas.errors import ConfigError, JournalError
from raynas.experiment.export import model_card
from raynas.experiment.export.trained import Trained, trained
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.folder import check_unchanged
from raynas.experiment.run.places import taken_home
from raynas.experiment.run.search import prepared, recorded
from raynas.experiment.run.winner_training import winner_card
from raynas.insight.figures import png
from raynas.insight.graphs import graphs_of
from raynas.insight.pictures.architecture import picture
from raynas.journal import read
from raynas.storage import Location, location, store_of
from raynas.tasks.standalone import inputs_file
from raynas.training.exported import PROGRAM

if TYPE_CHECKING:
    from torch import nn

    from raynas.training.export import Interface

EXPORT: Final = "export"
CARD: Final = "architecture.json"
MODEL: Final = "model.py"
INPUTS: Final = "inputs.py"
SAFETENSORS: Final = "model.safetensors"
PICTURE: Final = "architecture.png"
_OURS: Final = (CARD, "README.md")  # files of an earlier export
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class ExportedFolder:
    """An export.

    Attributes:
        folder: Where it is.
        files: The names of its files.
        missing: For each file that is not there, why.
    """

    folder: Location
    files: tuple[str, ...]
    missing: Mapping[str, str]


def export(
    output: Location | str,
    trial: int | None = None,
    folder: Location | str | None = None,
    **settings: Any,
) -> ExportedFolder:
    """Write the winner of a run, or a trial that was trained again, as a folder of its own.

    The folder holds ``model.py`` (the network in plain PyTorch), ``model.safetensors`` (its
    weights), ``model.onnx``, ``network.pt2``, ``architecture.json``, ``config.json``, a drawing, a
    model card ``README.md`` and ``requirements.txt``; of the tasks of texts, rows and series also
    ``inputs.py``, which makes inputs of them. It has the layout of the Hugging Face hub.

    The space's ``build`` makes the network once more, so the space and the data must be there.

    Args:
        output: The run folder.
        trial: The number of the trial; none for the winner.
        folder: Where to; none for ``export/trial-N`` in the run folder. For a run in an object
            store, that is a folder of its name here. An earlier export there is replaced.
        settings: As for ``resume``: ``data_dir``, and what was given as objects.

    Raises:
        RaynasError: There is no run, no such trial, or it has no weights; the space or the data
            have changed since; or ``folder`` holds something else.
    """
    home = location("the run folder", output)
    replay = read(home)
    found = trained(home, replay.history, trial)
    usual = taken_home(home) / EXPORT / f"trial-{found.trial.number}"
    target = location("output", folder or usual)
    _check_target(target)
    resolved = prepared(recorded(home, settings))
    check_unchanged(resolved, replay.run)
    child = _built(resolved, found)
    contents, missing = _contents(resolved, found, child)
    facts = model_card.Facts(resolved, replay.history, found, replay.run, missing)
    contents["README.md"] = model_card.readme(facts, [*contents]).encode()
    store_of(target).replace(contents)
    for name, why in missing.items():
        _LOG.warning("%s is missing: %s", name, why)
    return ExportedFolder(target, tuple(sorted(contents)), missing)


def _check_target(target: Location) -> None:
    """Check that a folder is new, empty, or an earlier export.

    Raises:
        ConfigError: It is not.
        StorageError: It is in an object store that cannot be written.
    """
    store = store_of(target)
    store.check()
    names = store.names()
    if names and not {*names} >= {*_OURS}:
        raise ConfigError(
            f"the output must be a new folder, an empty one or an earlier export, and {target} "
            f"holds {', '.join(sorted(names)[:3])}: give a new folder with --output"
        )


def _built(resolved: ResolvedExperiment, found: Trained) -> nn.Module:
    """Return the trained network.

    Raises:
        JournalError: The space builds another network than the one that was trained.
    """
    from raynas.training.child import built  # noqa: PLC0415 - loads torch
    from raynas.training.loading import example  # noqa: PLC0415

    architecture = found.trial.architecture
    child = built(resolved.build, architecture, partial(example, resolved.data, 2))
    try:
        child.load_state_dict(dict(found.weights()))
    except RuntimeError as error:
        said = str(error).splitlines()
        raise JournalError(
            f"the space builds another network for trial {found.trial.number} than the one that "
            f"was trained ({' '.join(said[1:2]).strip() or said[0]}): its code has changed since; "
            "go back to the code with which the run was begun"
        ) from error
    return child.eval()


def _contents(
    resolved: ResolvedExperiment, found: Trained, child: nn.Module
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files by name, and why others are missing."""
    from raynas.training.export import interface  # noqa: PLC0415 - loads torch

    card = card_of(resolved, found)
    contents = {CARD: _json(card), "config.json": _json(model_card.config(card))}
    if inputs := inputs_file(card):
        contents[INPUTS] = inputs
    missing: dict[str, str] = {}
    contents |= _network_files(child, interface(resolved.data), found, missing)
    space = resolved.space.space
    graph = graphs_of(space, resolved.build)(found.trial.architecture)
    contents[PICTURE] = png(picture(graph, f"trial {found.trial.number}"))
    contents["requirements.txt"] = model_card.requirements(contents).encode()
    return contents, missing


def _network_files(
    child: nn.Module, ends: Interface, found: Trained, missing: dict[str, str]
) -> dict[str, bytes]:
    """Return the files that hold the network; say in ``missing`` which ones cannot be made."""
    from safetensors.torch import save  # noqa: PLC0415 - loads torch

    from raynas.training.export import predictions_of, safe, saved, traced_program  # noqa: PLC0415
    from raynas.training.onnx_file import ONNX, onnx_file  # noqa: PLC0415
    from raynas.training.source.expressions import UnwritableError  # noqa: PLC0415
    from raynas.training.source.model_file import model_file  # noqa: PLC0415

    contents: dict[str, bytes] = {}
    if ends.inputs is None:
        missing |= dict.fromkeys((MODEL, PROGRAM, ONNX), "the task has no example of the inputs")
        return {SAFETENSORS: save(safe(child.state_dict()))}
    network = predictions_of(child, ends)
    try:
        written = model_file(network, ends.inputs, f"The network of trial {found.trial.number}.")
        contents = {MODEL: written.source.encode(), SAFETENSORS: save(safe(written.state))}
    except UnwritableError as why:
        missing[MODEL] = (
            f"{why}; {PROGRAM} holds the whole network, and {SAFETENSORS} the weights of what the "
            "space builds"
        )
        contents = {SAFETENSORS: save(safe(child.state_dict()))}
    try:
        program = traced_program(network, ends.inputs)
    except Exception as error:  # noqa: BLE001 - what torch.export raises is not documented
        said = (str(error) or "no reason given").splitlines()[0]
        missing |= dict.fromkeys((PROGRAM, ONNX), f"torch cannot export this network ({said})")
        return contents
    contents[PROGRAM] = saved(program)
    made = onnx_file(network, program, ends.inputs)
    if made.missing:
        missing[ONNX] = made.missing
    return contents | dict(made.files)


def card_of(resolved: ResolvedExperiment, found: Trained) -> dict[str, Any]:
    """Return the contents of ``architecture.json``: what ``raynas predict`` needs to know."""
    card = winner_card(resolved.experiment, resolved.data, found.trial, found.metrics)
    return {**card, "trial": found.trial.number}


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()
