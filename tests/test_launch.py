"""The ways to start an experiment."""

import copy
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray_nodes import PORTS, free_port
from ray_runs import PATIENCE, process
from waiting_run import Run

ROOT = Path(__file__).resolve().parents[1]


CLUSTER = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
OWN_MACHINES = {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2"]}
GOOGLE = {"type": "gcp", "region": "us-west1", "availability_zone": "b", "project_id": "mine"}


def valid(**changes):
    """Check the cluster file with some of its settings changed, or left out if none."""
    config = {name: value for name, value in {**CLUSTER, **changes}.items() if value is not None}
    validate_config(prepare_config(copy.deepcopy(config)))


def test_the_cluster_file_is_what_ray_up_takes():
    valid()
    valid(provider=GOOGLE)
    valid(provider=OWN_MACHINES, max_workers=1, available_node_types=None, head_node_type=None)
    with pytest.raises(Exception, match="available_node_typos"):
        valid(available_node_typos={})


def test_the_cluster_has_no_worker_at_first():
    kinds = CLUSTER["available_node_types"]
    assert [kinds["gpu_worker"][name] for name in ("min_workers", "max_workers")] == [0, 8]
    assert kinds[CLUSTER["head_node_type"]]["resources"] == {"CPU": 0}


# The fields of a RayJob that its schema (ray.io/v1) has, and what they hold.
RAY_JOB = {
    "entrypoint": str,
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "backoffLimit": int,
    "rayClusterSpec": {
        "rayVersion": str,
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": {"idleTimeoutSeconds": int},
        "headGroupSpec": {"rayStartParams": dict, "template": dict},
        "workerGroupSpecs": list,
    },
}
WORKER_GROUP = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": dict,
}


def check_fields(data, fields):
    assert data.keys() <= fields.keys()
    for name, value in data.items():
        if isinstance(fields[name], dict):
            check_fields(value, fields[name])
        else:
            assert type(value) is fields[name], name


def test_the_kubernetes_file_has_the_fields_of_a_ray_job():
    job = yaml.safe_load((ROOT / "launch" / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    check_fields(job["spec"], RAY_JOB)
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    check_fields(workers, WORKER_GROUP)
    assert workers["minReplicas"] == 0
    for group in (cluster["headGroupSpec"], workers):
        assert {type(value) for value in group["rayStartParams"].values()} <= {str}
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"] == container["resources"]["requests"]
    told = job["spec"]["entrypoint"].split()
    assert int(told[told.index("--max-concurrent") + 1]) == workers["maxReplicas"]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck here")
def test_shell_scripts_are_clean():
    scripts = [ROOT / "launch" / name for name in ("cluster.sh", "slurm.sh")]
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# A Slurm of two nodes that are both this machine; it writes down what is asked of it.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
SCONTROL = """#!/usr/bin/env bash
if [[ $1 == show ]]; then printf '127.0.0.1\\n127.0.0.1\\n'; else echo "$@" >>"$ASKED"; fi
"""


@pytest.mark.slow
def test_slurm_gets_one_ray_of_all_nodes_and_a_search_that_can_continue(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    run = Run(tmp_path)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"  # noqa: TID251
    job = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_ID": str(free_port() - PORTS.start)}
    amounts = {"SLURM_CPUS_ON_NODE": "1", "ASKED": str(tmp_path / "asked")}
    options = ("--space", "space.py", "--output", "run", "--trials", "9", "--epochs", "9")
    options += ("--max-failures", "9")  # no network is tried before the first trial
    command = ("-c", "import os, sys; os.execvp('bash', ['bash', *sys.argv[1:]])")
    script = (str(ROOT / "launch" / "slurm.sh"), *options)
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), **job, **amounts}
    with process(*command, *script, cwd=tmp_path, **environment) as run.started:
        run.until_workers(2)
        os.kill(run.started.pid, signal.SIGUSR1)  # the trials are in an epoch, which they end
        (tmp_path / "go").touch()
        assert run.started.wait(PATIENCE) == 128 + signal.SIGUSR1
    assert (tmp_path / "asked").read_text() == f"requeue {job['SLURM_JOB_ID']}\n"
    assert max(run.counts) == 2


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
