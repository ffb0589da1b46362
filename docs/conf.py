"""Settings of Sphinx; `bash docs/build.sh` builds the pages."""

import re
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]  # this checkout, whatever is installed

from entries import Described, Entries  # noqa: E402

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
napoleon_attr_annotations = False
nitpicky = True
toc_object_entries = False
nitpick_ignore_regex = [("py:.*", r"(?!raynas\.).*")]  # pages on the network are not read


def _write_command_line(app: Sphinx) -> None:
    """Let typer describe the commands, for the page that includes the file."""
    command = [sys.executable, "-m", "typer", "raynas.cli.main", "utils", "docs"]
    told = subprocess.run(
        [*command, "--name", "raynas"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    _, _, commands = told.stdout.partition("\n## ")
    text = re.sub(r'<span style="font-weight: bold">(.*?)</span>', r"`\1`", f"## {commands}")
    text = re.sub(r"\[default: \(?(.*?)\)?(; .*?)?\]\n", r"*Default: \1.*\n", text)
    text = re.sub(r"(?<=[ (])(--[a-z-]+)(?=[ ,.;:])", r"`\1`", text)  # or -- would become a dash
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "command_line.md").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is defined here."""
    app.add_directive("described", Described)
    app.add_directive("entries", Entries)
    app.connect("builder-inited", _write_command_line)
