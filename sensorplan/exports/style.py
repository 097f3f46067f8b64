"""What all figures share: size, resolution, colours, title, and how they become a file.

Legible to the colour-blind, in grey print and on a projector.
"""

import warnings
from io import BytesIO
from typing import Any, Literal, get_args

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from sensorplan.curve import CurveRecord
from sensorplan.plan import Plan, stem_of
from sensorplan.recipe import FigureFormat

# Okabe and Ito, "Color Universal Design" (2008)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
YELLOW = "#F0E442"
GREY, PALE = "#707070", "#DEDEDE"
KEPT, DROPPED, LINK = COLOURS[0], COLOURS[1], "#333333"  # on the vector maps
LONGEST = 24  # letters of a label

# The same figure gives the same bytes: no random names in SVG, and no dates.
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "sensorplan",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
_NO_DATES: dict[FigureFormat, dict[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
_DOTS_PER_INCH: dict[FigureFormat, int] = {"png": 150, "svg": 300, "pdf": 300}


def names_of(*figures: str) -> frozenset[str]:
    """File names of figures in every format: an older one of another format is replaced too."""
    return frozenset(f"{name}.{format}" for name in figures for format in get_args(FigureFormat))


class Drawing(Figure):
    """A figure free of pyplot's global state, which a notebook shows all the same."""

    def _repr_png_(self) -> bytes:
        return render(self, "png")


def new_figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Drawing:
    """An empty figure of this size (inches).

    Args:
        width: Of the whole.
        height: Of the whole.
        layout: ``compressed`` for maps, whose ratio is fixed.
    """
    return Drawing(figsize=(width, height), layout=layout)


def render(figure: Figure, format: FigureFormat) -> bytes:
    """The figure as a file, trimmed; a character that the font lacks is drawn as a box.

    Text is drawn as outlines in SVG, and looks the same where the font is missing; PDF brings its
    font along (TrueType), and its text can be searched.
    """
    buffer = BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context(_SETTINGS):
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        figure.savefig(
            buffer,
            format=format,
            dpi=_DOTS_PER_INCH[format],
            bbox_inches="tight",
            pad_inches=0.15,
            metadata=_NO_DATES[format],
        )
    return buffer.getvalue()


def dataset_stem(plan: Plan | CurveRecord) -> str:
    """Name of a record's (first) data file without folder and ending."""
    return stem_of(plan.data.path)


def label_of(name: str) -> str:
    """A name as a label: one that is longer than `LONGEST` loses its middle.

    >>> label_of("DEUB029"), label_of("urn:ogc:object:feature:Sensor:gauge-42")
    ('DEUB029', 'urn:ogc:obj…sor:gauge-42')
    """
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def add_title(axes: Axes, title: str, subtitle: str) -> None:
    """A bold title and, below it, a grey line."""
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=22)
    axes.annotate(
        subtitle,
        (0, 1),
        (0, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        color=GREY,
        parse_math=False,
    )


def add_figure_title(figure: Figure, title: str, subtitle: str) -> None:
    """The same over several panels, none of which gets wider for it."""
    style = {"ha": "left", "fontsize": 14, "fontweight": "bold"}
    over = figure.suptitle(f"{title}\n", x=0.01, **style)
    below = Annotation(
        subtitle, (0, 0), (0, 2), over, textcoords="offset points", color=GREY, parse_math=False
    )
    below.set_in_layout(False)
    figure.add_artist(below)
