"""The command line. It only reads arguments and prints results; the logic is in other packages."""

from raynas.cli.main import main

__all__ = ["main"]
