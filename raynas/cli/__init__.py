"""The command line: talks to people, has no logic of its own."""

from raynas.cli.main import main

__all__ = ["main"]
