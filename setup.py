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
    package_data={"raynas": ["py.typed"], "search_spaces": ["py.typed"]},
    # Lower bounds are the versions that were tried; Ray is capped at the newest tested minor
    # because the adapter uses its developer API.
    install_requires=[
        "ray[tune]>=2.60,<2.61",
        "filelock>=4.2",
        "grpcio>=1.85",
        "matplotlib>=3.11",
        "numpy>=2.4",
        "optuna>=5.0",
        "pandas>=3.1",
        "POT>=0.9",
        "protobuf>=7.36",
        "pydantic>=2.14",
        "ruamel.yaml>=0.18",
        "rich>=15.0",
        "safetensors>=0.8",
        "scikit-learn>=1.9",
        "scipy>=1.17",
        "tensorboard>=2.21",
        "threadpoolctl>=3.8",
        "torch>=2.15",
        "torchvision>=0.29",
        "typer>=0.29",
    ],
    extras_require={
        "docs": [
            "furo>=2024.8.6",
            "myst-parser>=4.0",
            "sphinx>=8.0",
            "sphinx-copybutton>=0.5.2",
        ],
        "test": [
            "cmaes>=0.13",
            "hypothesis>=6.170",
            "import-linter>=2.16",
            "mypy>=2.4",
            "pandas-stubs>=3.1",
            "pytest>=9.2",
            "pytest-xdist>=3.8",
            "ruff>=0.17",
        ],
    },
    entry_points={"console_scripts": ["raynas=raynas.cli:main"]},
)
