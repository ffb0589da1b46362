"""Settings of Sphinx; `bash docs/build.sh` builds the pages."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # describe this checkout, whatever is installed

import raynas  # noqa: E402

project = "raynas"
version = release = raynas.__version__
copyright = "the authors of raynas"  # noqa: A001 - the name Sphinx reads

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["generated"]
html_theme = "furo"
html_title = f"raynas {version}"
html_copy_source = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]
copybutton_exclude = ".linenos, .gp"

autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say what values mean; types can be read in the code
napoleon_use_ivar = True
nitpicky = True
toc_object_entries = False
smartquotes = False  # would make one dash of the two of an option
nitpick_ignore_regex = [("py:.*", r"(?!raynas\.).*")]  # pages on the network are not read


class Entries(SphinxDirective):
    """Describes every entry of a table such as ``raynas.searchers:SEARCHERS``."""

    required_arguments = 1

    def run(self) -> list[Any]:
        """Return a section per entry: what its module says, then the entry and its options."""
        module, _, table = self.arguments[0].partition(":")
        found = getattr(import_module(module), table)
        text = "\n\n".join(self._section(name, found[name]) for name in found)
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    @staticmethod
    def _section(name: str, entry: type) -> str:
        return (
            f"({entry.__module__}.{name})=\n"
            f"### `{name}`\n\n"
            "```{eval-rst}\n"
            f".. autoclass:: {entry.__module__}.{entry.__qualname__}\n"
            "```"
        )


def _write_command_line(app: Sphinx) -> None:
    """Let typer describe the commands, for the page that includes the file."""
    command = [sys.executable, "-m", "typer", "raynas.cli.main", "utils", "docs"]
    told = subprocess.run(
        [*command, "--name", "raynas"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    _, _, commands = told.stdout.partition("\n## ")
    text = re.sub(r'<span style="font-weight: bold">(.*?)</span>', r"`\1`", f"## {commands}")
    text = re.sub(r"\[default: \(?(.*?)\)?(; .*?)?\]\n", r"*Default: \1.*\n", text)
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "command_line.md").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is defined here."""
    app.add_directive("entries", Entries)
    app.connect("builder-inited", _write_command_line)
