"""The documents as their blocks of code, commands and output, and what these need."""

import io
import logging
import re
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from raynas.cli.main import main
from raynas.tables import Recorded, Scores
from search_spaces import nasbench201

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(?P<language>.*?)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"This\s+is\s+`([\w.]+)`:\n\n\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; a program that the page gives a name has it."""

    page: str
    language: str
    text: str
    name: str

    @property
    def commands(self):
        """Return the commands of a block of bash, each as its words."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def _blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        named = NAME.search(text, 0, found.start())
        yield Block(page, found["language"], found["text"], named[1] if named else "")


PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if "generated" not in path.parts
)
BLOCKS = [block for page in PAGES for block in _blocks(page)]


def links(page):
    """Return where the links and pictures of a page lead, those on the network left out."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and Sphinx make them."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def openings(text):
    """Return the first two words of each line; no rows, drawings and explanations."""
    others = re.compile(r"  \S|\s*\d+\s+\d+\s|why this trial:|after \d|.*  (state|ended)$")
    lines = (line for line in text.splitlines() if not others.match(line))
    return {tuple(re.findall(r"[A-Za-z_]{2,}", line)[:2]) for line in lines} - {()}


class MadeUp:
    """A table of the cells of NAS-Bench-201 whose scores are made up."""

    space = nasbench201.SPACE
    lengths = (12, 200)
    best = 1.0

    def answer(self, architecture, epochs, draw):  # noqa: ARG002 - by contract
        return [Recorded(epochs, {"val_accuracy": self.scores(architecture).valid}, 1.0 * epochs)]

    def scores(self, architecture):
        share = np.mean([value == "nor_conv_3x3" for value in architecture.values()])
        return Scores(float(share), float(share))

    def features(self, architecture):
        return [self.scores(architecture).valid]


def done(*words):
    """Call the raynas command in this process; return what it says once it has succeeded."""
    said = io.StringIO()
    arguments, sys.argv = sys.argv, ["raynas", *words]
    handlers = logging.getLogger("raynas").handlers[:]
    try:
        with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as left:
            main()
    finally:
        sys.argv = arguments
        logging.getLogger("raynas").handlers = handlers
    assert not left.value.code, said.getvalue()
    return said.getvalue()
