"""Which sensors of a network can be switched off, and what that costs the forecast.

In Python: ``plan = sensorplan.fit(dataset, sparsity=0.4)``. The functions are those of
`sensorplan.notebook`, which is loaded when one is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sensorplan.errors import SensorplanError
from sensorplan.version import __version__

if TYPE_CHECKING:
    from sensorplan.notebook import SensorPlan, compare, draw_curve, fit, open_plan
    from sensorplan.recipe import Recipe, load_recipe

__all__ = [
    "Recipe",
    "SensorPlan",
    "SensorplanError",
    "__version__",
    "compare",
    "draw_curve",
    "fit",
    "load_recipe",
    "open_plan",
]

_HOMES = {
    **dict.fromkeys(("SensorPlan", "compare", "draw_curve", "fit", "open_plan"), "notebook"),
    **dict.fromkeys(("Recipe", "load_recipe"), "recipe"),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
