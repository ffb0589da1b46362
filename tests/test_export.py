"""Exports and predictions: what the folder holds, that it is enough, and what is refused."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import in_process
import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import raynas
from raynas import journal
from raynas.errors import ConfigError, DataError, JournalError
from raynas.experiment.export.predict import as_csv, as_json, predict
from raynas.training import onnx_file

FILES = {
    "README.md",
    "architecture.json",
    "architecture.png",
    "config.json",
    "model.onnx",
    "model.py",
    "model.safetensors",
    "network.pt2",
    "requirements.txt",
}


@pytest.fixture(scope="module", autouse=True)
def without_ray():
    with in_process.without_ray():
        yield


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search with a winner, and a trial that was trained again."""
    output = tmp_path_factory.mktemp("searched") / "run"
    settings = {"space": "mlp", "task": "digits", "task_options": {"train": 60}}
    raynas.search(**settings, epochs=2, scheduler="none", trials=3, output=output)
    raynas.retrain(output, trials=[other(output)], seeds=1, epochs=2)
    return output


@pytest.fixture(scope="module")
def exported(searched):
    return raynas.export(searched)


def other(run):
    """Return the number of a trial that is not the winner."""
    history = journal.read(run).history
    return next(number for number in history.trials if number != history.winner.number)


def pixels(count):
    return np.random.default_rng(0).integers(0, 17, (count, 1, 8, 8)).astype(np.float32)


def test_the_folder_holds_all_and_its_parts_agree(searched, exported, tmp_path):
    pytest.importorskip("onnxscript")
    assert {path.name for path in exported.folder.iterdir()} == FILES == {*exported.files}
    assert not exported.missing
    inputs = pixels(5)
    expected = raynas.load_winner(searched)(inputs)
    np.save(tmp_path / "inputs.npy", inputs)
    found = raynas.load_winner(exported.folder)(inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    front = (exported.folder / "README.md").read_text().split("---")[1]
    card = yaml.safe_load(front)
    assert card["pipeline_tag"] == "image-classification"
    tested = journal.read(searched).history.winner.metrics["test_accuracy"]
    (result,) = card["model-index"][0]["results"]
    named = {one["name"]: one["value"] for one in result["metrics"]}
    assert named["test_accuracy"] == pytest.approx(tested, abs=1e-6)
    config = json.loads((exported.folder / "config.json").read_text())
    assert config["id2label"]["3"] == "3"
    settings = (exported.folder / "README.md").read_text().split("```yaml")[1].split("```")[0]
    again = raynas.Experiment(**yaml.safe_load(settings))
    known = raynas.load(searched).described
    assert again.described() | {"output": ""} == {**known, "output": ""}


def apart(folder, packages):
    """Fill a folder with links to some packages, so that a process sees these alone."""
    home = Path(torch.__file__).parents[1]
    for name in packages:
        for path in home.glob(name):
            (folder / path.name).symlink_to(path)


def run_apart(folder, code, cwd):
    """Run code that sees the packages of a folder and the standard library."""
    system = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}  # noqa: TID251
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=cwd,
        env={**system, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


NO_RAYNAS = """
try:
    import raynas
except ImportError:
    pass
else:
    raise SystemExit("raynas is here")
"""
TORCH = (
    "torch", "torch-*", "torchgen", "functorch", "nvidia", "triton", "sympy", "mpmath",
    "networkx", "jinja2", "markupsafe", "filelock", "fsspec", "typing_extensions.py",
    "safetensors", "numpy", "numpy.libs", "setuptools", "_distutils_hack", "pkg_resources",
)  # fmt: skip


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        (
            [name for name in TORCH if "numpy" not in name],
            "import torch\nfrom model import load\n"
            "print(load()(torch.full((2, 1, 8, 8), 5.0)).flatten().tolist())",
        ),
        (
            ["onnxruntime", "numpy", "numpy.libs", "flatbuffers", "google", "packaging",
             "coloredlogs", "humanfriendly", "sympy", "mpmath", "ml_dtypes"],
            "import numpy, onnxruntime\n"
            "session = onnxruntime.InferenceSession('model.onnx')\n"
            "given = {session.get_inputs()[0].name: numpy.full((2, 1, 8, 8), 5.0, 'float32')}\n"
            "print(session.run(None, given)[0].ravel().tolist())",
        ),
    ],
)  # fmt: skip
def test_the_folder_needs_torch_alone_or_onnxruntime_alone(exported, tmp_path, packages, code):
    pytest.importorskip("onnxruntime")
    home = tmp_path / "packages"
    home.mkdir()
    apart(home, packages)
    ran = run_apart(home, NO_RAYNAS + code, exported.folder)
    assert ran.returncode == 0, ran.stderr
    expected = raynas.load_winner(exported.folder)(np.full((2, 1, 8, 8), 5.0)).flatten()
    given = torch.tensor(json.loads(ran.stdout))
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-4)


def test_a_trial_that_was_trained_again_is_exported_with_its_weights(searched, tmp_path):
    number = other(searched)
    found = raynas.export(searched, number, tmp_path / "here")
    weights = torch.load(
        searched / "retrained" / "checkpoints" / "trial-0000.pt", weights_only=True
    )["training"]["child"]
    state = load_file(found.folder / "model.safetensors")
    for name, part in weights.items():
        assert torch.equal(state[f"network.{name}"], part.contiguous())
    assert f"trial {number}" in (found.folder / "README.md").read_text()
    (trial,) = journal.read(searched / "retrained").history.trials.values()
    card = json.loads((found.folder / "architecture.json").read_text())
    assert card["metrics"]["test_accuracy"] == trial.metrics["test_accuracy"]
    raynas.export(searched, number, tmp_path / "here")  # an earlier export is replaced


def test_what_is_not_installed_is_told_and_the_rest_is_written(searched, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "find_spec", lambda _: None)
    found = raynas.export(searched, None, tmp_path / "here")
    assert {*found.files} == FILES - {"model.onnx"}
    assert found.missing == {
        "model.onnx": "it needs onnx and onnxscript: pip install 'raynas[export]'"
    }


def test_pictures_are_predicted_as_their_numbers(exported, tmp_path):
    values = pixels(3)
    files = []
    for at, value in enumerate(values):
        files.append(tmp_path / f"{at}.png")
        Image.fromarray(np.rint(value[0] * 255 / 16).astype(np.uint8)).save(files[-1])
    np.save(tmp_path / "all.npy", values)
    found = predict(exported.folder, files)
    rows = predict(exported.folder, [tmp_path / "all.npy"])
    assert [one.value for one in found] == [one.value for one in rows]
    assert [one.row for one in rows] == [0, 1, 2]
    for one, row in zip(found, rows, strict=True):
        assert sum(one.numbers.values()) == pytest.approx(1.0)
        assert [*one.numbers.values()] == pytest.approx([*row.numbers.values()], abs=0.03)
    table = [*csv.DictReader(io.StringIO(as_csv(rows)))]
    assert [line["row"] for line in table] == ["0", "1", "2"]
    assert json.loads(as_json(rows))[0]["prediction"] == rows[0].value


def small(tmp_path, task, **settings):
    """Return the export of a small search of a task of files, without ONNX."""
    output = tmp_path / "run"
    raynas.search(
        task=task, trials=1, epochs=1, scheduler="none", folds=1, output=output, **settings
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(onnx_file, "find_spec", lambda _: None)
        return raynas.export(output).folder


def apart_on(folder, raw, tmp_path):
    """Return what model.py of an export predicts for raw inputs, without raynas and pandas."""
    home = tmp_path / "packages"
    home.mkdir()
    apart(home, [name for name in TORCH if "numpy" not in name])
    code = (
        "from inputs import encode\nfrom model import load\n"
        f"print(load()(encode({raw!r})).flatten().tolist())"
    )
    ran = run_apart(home, NO_RAYNAS + code, folder)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_rows_of_a_table_are_predicted(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["a,colour,price"]
    lines += [
        f"{rng.normal():.3f},{rng.choice(['red', 'blue'])},{rng.normal(5):.3f}" for _ in range(60)
    ]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    options = {"file": str(tmp_path / "table.csv"), "target": "price"}
    folder = small(tmp_path, "tabular", task_options=options)
    (tmp_path / "new.csv").write_text("colour,a\nred,0.5\ngreen,\n")
    found = predict(folder, [tmp_path / "new.csv"])
    assert [one.row for one in found] == [0, 1]
    assert all(abs(float(one.value) - 5) < 5 for one in found)
    rows = [{"a": 0.5, "colour": "red"}, {"a": "", "colour": "green"}]
    assert apart_on(folder, rows, tmp_path) == pytest.approx([float(one.value) for one in found])
    assert as_csv(found).splitlines()[0] == "file,row,prediction"
    (tmp_path / "wrong.csv").write_text("b\n1\n")
    with pytest.raises(DataError, match="no column 'a'"):
        predict(folder, [tmp_path / "wrong.csv"])


def test_texts_are_predicted(tmp_path):
    lines = ["text,label"]
    lines += [
        f"{'good fine nice' if at % 2 else 'bad poor sad'} {at},{at % 2}" for at in range(60)
    ]
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    options = {"file": str(tmp_path / "texts.csv"), "length": 8}
    folder = small(tmp_path, "text", task_options=options)
    (tmp_path / "new.txt").write_text("A good, nice one")
    (tmp_path / "new.csv").write_text('text\n"A good, nice one"\nbad\n')
    (one,) = predict(folder, [tmp_path / "new.txt"])
    same, _ = predict(folder, [tmp_path / "new.csv"])
    assert one.value in {"0", "1"}
    assert one.numbers == pytest.approx(same.numbers)
    logits = torch.tensor(apart_on(folder, ["A good, nice one"], tmp_path))
    assert logits.softmax(0).tolist() == pytest.approx([*same.numbers.values()], abs=1e-5)


@pytest.fixture
def copied(exported, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(exported.folder, folder)
    return folder


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda at: (at / "architecture.json").unlink(), "must be a folder that raynas export"),
        (lambda at: (at / "architecture.json").write_text("{"), "holds no winner"),
        (lambda at: (at / "architecture.json").write_text("[]"), "holds no winner"),
        (lambda at: (at / "architecture.json").write_text("{}"), "does not say what inputs"),
        (
            lambda at: (at / "network.pt2").write_bytes(b"PK no"),
            "must be a network that torch exported",
        ),
    ],
)
def test_a_damaged_export_is_refused(copied, raynas, damage, said):
    damage(copied)
    np.save("one.npy", pixels(1))
    status, _, errors = raynas("predict", copied, "one.npy")
    assert status == 2
    assert said in errors


def test_model_py_is_never_run_by_predict(copied, tmp_path):
    np.save(tmp_path / "some.npy", pixels(2))
    (copied / "network.pt2").unlink()
    (copied / "model.py").write_text("raise SystemExit")
    with pytest.raises(DataError, match=r"holds no network\.pt2: .* run model\.py .* yourself"):
        predict(copied, [tmp_path / "some.npy"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retrain", "nothing"], "nothing"),
        (["export", "nothing"], "nothing"),
        (["predict", "nothing", "x.png"], "must be a folder that raynas export wrote"),
        (["retrain", "RUN", "--top", "0"], "top must be at least 1, got 0"),
        (["retrain", "RUN", "--seeds", "none"], "seeds must be a whole number"),
        (["retrain", "RUN", "--trial", "77"], "has no trial 77"),
        (["export", "RUN", "--trial", "77"], "has no trial 77"),
        (["export", "RUN", "--output", "RUN"], "must be a new folder"),
        (["predict", "EXPORT", "notes.docx"], "reads .png"),
        (["predict", "EXPORT", "gone.png"], "must be there"),
        (["predict", "EXPORT", "broken.png"], "is not a picture"),
        (["predict", "EXPORT"], "missing argument 'files'"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(searched, exported, raynas, arguments, said):
    Path("broken.png").write_text("no picture")
    names = {"RUN": searched, "EXPORT": exported.folder}
    status, _, errors = raynas(*(names.get(one, one) for one in arguments))
    assert status == 2, errors
    assert said in " ".join(errors.split())
    assert "Traceback" not in errors


def changed(run, change):
    """Change the first line of a run's journal, and return the run."""
    path = run / "journal.jsonl"
    first, _, rest = path.read_text().partition("\n")
    begun = json.loads(first)
    path.write_text(f"{json.dumps(change(begun) or begun)}\n{rest}")
    return run


@pytest.fixture
def run(searched, tmp_path):
    shutil.copytree(searched, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_without_a_score_is_refused(run):
    path = run / "journal.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n")
    for use in (raynas.export, raynas.retrain):
        with pytest.raises(JournalError, match="has no trials yet: raynas resume"):
            use(run)
    started = next(line for line in lines if json.loads(line)["event"] == "started")
    failed = {"event": "failed", "number": json.loads(started)["number"], "reason": "too wide"}
    path.write_text(f"{lines[0]}\n{started}\n{json.dumps(failed)}\n")
    for use in (raynas.export, raynas.retrain):
        with pytest.raises(JournalError, match="has ended with a score: too wide"):
            use(run)
    with pytest.raises(ConfigError, match="failed: too wide"):
        raynas.export(run, json.loads(started)["number"])


def test_a_trial_without_weights_is_refused_and_told_what_to_do(run):
    shutil.rmtree(run / "retrained")
    number = other(run)
    with pytest.raises(ConfigError, match=f"raynas retrain .* --trial {number} does that"):
        raynas.export(run, number)


def test_damaged_weights_are_refused(run):
    (run / "winner" / "weights.safetensors").write_bytes(b"xx")
    with pytest.raises(JournalError, match="cannot be read"):
        raynas.export(run)


def test_a_space_that_has_changed_is_refused(run):
    def change(begun):
        begun["space"] = {"other": 1}

    for use in (raynas.export, raynas.retrain):
        with pytest.raises(JournalError, match="the space has other decisions"):
            use(changed(run, change))


def test_a_run_of_an_older_version_is_exported(run):
    def change(begun):
        for name in ("modules", "code", "folder"):
            begun.pop(name, None)
        begun["experiment"].pop("fidelity", None)

    assert "model.py" in raynas.export(changed(run, change)).files
