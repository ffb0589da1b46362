"""The settings of a search as an editor knows them."""

import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from mypy import api

from raynas.experiment import typed_settings
from raynas.experiment.experiment import Experiment
from raynas.experiment.run.search import resume, search
from raynas.experiment.typed_settings import Changes, Settings

# The functions have their signatures, see below; to check raynas itself would take a minute.
PROGRAM = """
from typing import Unpack
from typed_settings import Changes, Settings

def search(**settings: Unpack[Settings]) -> None: ...
def resume(output: str, **settings: Unpack[Changes]) -> None: ...

search(space="mlp", trials=3, method=["spos", "darts"], output="runs/x", time="1h")
resume("runs/x", trials=4, gpus_per_trial="auto", task_options={"noise": 2.0})
search(trials="many")  # error
search(trails=3)  # error
search(searcher_options=3)  # error
resume("runs/x", epochs=[3])  # error
"""


def test_they_are_those_of_an_experiment():
    known, written = get_type_hints(Experiment), get_type_hints(Settings)
    assert {*written} == {item.name for item in fields(Experiment)}
    assert {*get_type_hints(Changes)} == {*written} - {"output"}
    for name, kind in written.items():
        said = str(known[name]).replace("tuple[str, ...]", "collections.abc.Sequence[str]")
        if name in {"output", "data_dir"}:  # addresses are written as text
            said = str(Path | str)
        assert kind is known[name] is Any or str(kind) == said, name


def test_a_type_checker_accepts_right_calls_and_refuses_wrong_ones(tmp_path):
    assert search.__annotations__["settings"] == "Unpack[Settings]"
    assert resume.__annotations__["settings"] == "Unpack[Changes]"
    shutil.copy(typed_settings.__file__, tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    quick = ["--config-file=", "--no-error-summary", f"--cache-dir={tmp_path / 'cache'}"]
    files = [str(program), str(tmp_path / "typed_settings.py")]
    said, trouble, _ = api.run([*files, "--strict", "--follow-imports=skip", *quick])
    wrong = {at for at, line in enumerate(PROGRAM.splitlines(), 1) if "# error" in line}
    assert not trouble
    assert {int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line} == wrong
