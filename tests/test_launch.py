"""The ways to start an experiment."""

import subprocess
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[1]


def test_the_cluster_file_is_what_ray_up_takes():
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(config))
    config["available_node_typos"] = {}
    with pytest.raises(Exception, match="available_node_typos"):
        validate_config(prepare_config(config))


def marker(folder, extra):
    """Ask the script's function to set up a folder that is set up already."""
    script = f"source {ROOT / 'launch' / 'venv.sh'}; find_python() {{ echo asked; return 9; }}; "
    script += f"ensure_venv {extra}"
    command = ["bash", "-euc", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("asked", "ready"), [("", True), ("test", False)])
def test_set_up_is_done_once_and_again_when_setup_py_changes(tmp_path, asked, ready):
    (tmp_path / "setup.py").write_text("first", encoding="utf-8")
    (tmp_path / ".venv").mkdir()
    assert marker(tmp_path, asked).returncode != 0  # nothing there: it sets out to find Python
    known = subprocess.run(
        ["bash", "-c", 'echo "$(cksum <setup.py) $PWD "'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / ".venv" / ".raynas").write_text(known.stdout, encoding="utf-8")
    assert (marker(tmp_path, asked).returncode == 0) is ready
    (tmp_path / "setup.py").write_text("second", encoding="utf-8")
    assert marker(tmp_path, asked).returncode != 0
