"""A figure as a PNG file for TensorBoard, or as an SVG drawing for a page."""

from __future__ import annotations

import html
import io
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.insight.plain_words import make_plain, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLACK: Final = "#000000"
_NOTHING: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}
_UNUSED: Final = r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->"
_NO_XML: Final = r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_ROOT: Final = (
    ' role="img" fill="currentColor" stroke-linejoin="round" style="max-width:100%;height:auto"'
)


def load_drawing() -> None:
    """Load what draws pictures, which takes nearly a second the first time.

    For a sign that its font lacks, Matplotlib draws a box; from now on it does not warn of that.
    """
    import matplotlib.backends.backend_agg  # noqa: F401, PLC0415
    import PIL.Image  # noqa: F401, PLC0415

    warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file of 256 colours, as large as the figure is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load
    from PIL import Image  # noqa: PLC0415

    load_drawing()
    canvas: Any = FigureCanvasAgg(figure)
    make_plain(figure)
    canvas.draw()
    content = io.BytesIO()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    drawn.quantize(256, method=Image.Quantize.MEDIANCUT).save(content, format="png")
    return content.getvalue()


def svg(figure: Figure) -> str:
    """Return a figure as an ``<svg>`` element for light and for dark pages.

    What is black in the figure has the colour of the page's text; the background is transparent.
    The figure's label (``Figure.set_label``), else its title, is the text for screen readers.
    Words stay words, in the font of the page.
    """
    import matplotlib as mpl  # noqa: PLC0415 - see png

    load_drawing()
    content = io.StringIO()
    make_plain(figure)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "raynas"}):
        figure.savefig(content, format="svg", transparent=True, metadata=_NOTHING)
    title = re.sub(_NO_XML, "\ufffd", html.escape(visible(_title(figure))))
    return _for_a_page(content.getvalue(), title)


def _for_a_page(text: str, title: str) -> str:
    """Return what matplotlib has written as one element among others of a page."""
    text = text[text.index("<svg") :]
    text = re.sub(_UNUSED, "", text, flags=re.DOTALL)
    text = re.sub(_NO_XML, "\ufffd", text)
    text = re.sub(r"<g id=[^>]*>", "<g>", text)  # there may be several figures on the page
    text = re.sub(r"(\.\d\d)\d+", r"\1", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    head, _, body = text.partition(">")
    head = re.sub(r'(width|height)="([\d.]+)pt"', _in_pixels, head)
    body = re.sub(r' transform="rotate\(-0[^"]*"', "", body).replace(_BLACK, "currentColor")
    return f"{head} {_ROOT}><title>{title}</title>{body}"


def _in_pixels(found: re.Match[str]) -> str:
    return f'{found[1]}="{float(found[2]) / 0.72:.0f}"'


def _title(figure: Figure) -> str:
    titles = [figure.get_label(), figure.get_suptitle(), *(one.get_title() for one in figure.axes)]
    return next((str(title) for title in titles if title), "a plot")
