"""What `pip install` brings to people who have no checkout."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("raynas", "search_spaces", "launch")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, for the build leaves files behind."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (file,) = (copy / "dist").glob("raynas-*.whl")
    return file


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - held == set()
    assert {"launch/digits.yaml", "launch/local.sh", "search_spaces/mlp.py"} <= held


def test_an_installed_raynas_says_its_version_and_finds_the_shipped_spaces(
    wheel, tmp_path, monkeypatch
):
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    code = "import search_spaces.mlp as m; from raynas.cli import main; print(m.__file__); main()"
    told = subprocess.run(
        [sys.executable, "-c", code, "--version"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    where, version = told.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path / "site")
    in_setup = re.search(r'version="(.*)"', (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert version == f"raynas {in_setup[1]}"
    assert wheel.name.startswith(f"raynas-{in_setup[1]}-")


def test_the_oldest_versions_of_the_documents_are_those_of_setup_py(wheel):
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(name).decode()
    bounds = re.compile(r"^Requires-Dist: ([\w.-]+)[^>\n]*>=([\d.]*\d)", re.MULTILINE)
    asked = dict(bounds.findall(metadata))
    asked |= dict(re.findall(r"^Requires-(Python): >=([\d.]+)", metadata, re.MULTILINE))
    page = (ROOT / "docs" / "howto" / "install.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| (\w+) \| (\d[\d.]*) \|", page, re.MULTILINE))
    assert {"Python", "torch", "ray"} <= documented.keys()
    assert documented == {package: asked.get(package) for package in documented}
