"""`python -m raynas`."""

from raynas.cli import main

main()
