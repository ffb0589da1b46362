"""Packaging of raynas; tool settings stand in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="raynas",
    version="0.1.0",
    description="Neural architecture search on Ray Tune and PyTorch",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["raynas*", "search_spaces*", "launch*"]),
    package_data={
        "raynas": ["py.typed", "tables/*.npz", "insight/report/*.html"],
        "search_spaces": ["py.typed"],
        "launch": ["*.sh", "*.yaml", "docker/Dockerfile"],
    },
    # Lower bounds are the oldest versions that pass tests/oldest.sh.
    install_requires=[
        "ray[tune]>=2.50",
        "filelock>=3.13",
        "fsspec>=2024.10",
        "cloudpickle>=3.0",
        "grpcio>=1.60",
        "jinja2>=3.1",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "optuna>=4.2",
        "pandas>=2.2",
        "POT>=0.9",
        "protobuf>=3.20.3",
        # For ray[tune]. pyarrow 26 needs numpy 2 and does not say so; numpy 1 ends at Python 3.12.
        "pyarrow>=17,<26; python_version<'3.13'",
        "pydantic>=2.8",
        "ruamel.yaml>=0.18",
        "requests>=2.31",
        "rich>=13.7",
        "safetensors>=0.4.3",
        "scikit-learn>=1.4",
        "scipy>=1.12",
        "tensorboard>=2.17",
        "threadpoolctl>=3.2",
        "torch>=2.6",
        "torchvision>=0.21",
        "typer>=0.16",
    ],
    extras_require={
        # Jobs and the dashboard of a Ray cluster, here and on its machines.
        "cluster": ["ray[default]>=2.50"],
        "docs": [
            "furo>=2024.8.6",
            "myst-parser>=4.0",
            "sphinx>=8.0",
            "sphinx-copybutton>=0.5.2",
        ],
        # The file model.onnx of an export.
        "export": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.3"],
        # Linters judge differently in each version: the newest are used here.
        "lint": [
            "import-linter>=2.16",
            "mypy>=2.4",
            "pandas-stubs>=3.1",
            "ruff>=0.17",
        ],
        # The probe "onnx", and commands that get an ONNX file.
        "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.2"],
        # The energy of NVIDIA GPUs.
        "energy": ["nvidia-ml-py>=12"],
        # Runs in object stores.
        "s3": ["s3fs>=2024.10"],
        "gs": ["gcsfs>=2024.10"],
        # The embedded data of the task "series".
        "series": ["statsmodels>=0.14"],
        # The training loops that the documents show.
        "loops": [
            "accelerate>=1.2",
            "gymnasium>=1.0",
            "lightning>=2.5",
            "stable-baselines3>=2.4",
            "transformers>=4.50",
        ],
        # Experiment trackers that get the trials.
        "mlflow": ["mlflow-skinny>=3.17"],
        "wandb": ["wandb>=0.31"],
        # Tokenizer files in the tasks "text" and "language_model".
        "text": ["tokenizers>=0.15"],
        "test": [
            "accelerate>=1.2",
            "cmaes>=0.11",
            "gymnasium>=1.0",
            "hypothesis>=6.100",
            "ipykernel>=6.29",
            "lightning>=2.5",
            "mypy>=2.4",
            "nbclient>=0.10",
            "playwright>=1.49",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "onnxscript>=0.3",
            "moto[server]>=5.0.24",
            "psutil>=5.9",
            "pyte>=0.8.2",
            "pytest>=8.2",
            "pytest-xdist>=3.6",
            "ray[default]>=2.50",
            "s3fs>=2024.10",
            "setuptools>=77",
            "stable-baselines3>=2.4",
            "statsmodels>=0.14",
            "tokenizers>=0.15",
            "transformers>=4.50",
        ],
    },
    entry_points={"console_scripts": ["raynas=raynas.cli:main"]},
)
