"""What all figures share: size, resolution, colours, title. Legible to the colour-blind."""

import warnings
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sensorplan.curve import CurveRecord
from sensorplan.plan import Plan, stem_of

# Okabe and Ito, "Color Universal Design" (2008)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
YELLOW = "#F0E442"
GREY, PALE = "#707070", "#DEDEDE"
KEPT, DROPPED, LINK = COLOURS[0], COLOURS[1], "#333333"  # on the vector maps


class Drawing(Figure):
    """A figure free of pyplot's global state, which a notebook shows all the same."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def new_figure(width: float, height: float) -> Drawing:
    """An empty figure of this size (inches)."""
    return Drawing(figsize=(width, height), layout="constrained")


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG, trimmed; a character that the font lacks is drawn as a box."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def dataset_stem(plan: Plan | CurveRecord) -> str:
    """Name of a record's (first) data file without folder and ending."""
    return stem_of(plan.data.path)


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
