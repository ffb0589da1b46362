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
        "torch>=2.11",
        "torchvision>=0.26",
        "optuna>=5.0",
        "tensorboard>=2.20",
        "numpy>=2.0",
        "pandas>=2.2",
        "scikit-learn>=1.7",
        "protobuf>=5.29",
        "safetensors>=0.6",
        "pydantic>=2.11",
        "PyYAML>=6.0",
        "rich>=14.0",
        "typer>=0.20",
    ],
    extras_require={
        "test": [
            "hypothesis>=6.140",
            "import-linter>=2.5",
            "mypy>=1.18",
            "pandas-stubs",
            "pytest>=8.4",
            "ruff>=0.14",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["raynas=raynas.cli:main"]},
)
