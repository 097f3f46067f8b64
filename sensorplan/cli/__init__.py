"""The command line: parse, call, print. One file a command.

stdout carries the result only; progress, warnings and errors go to stderr. What is slow to load is
loaded inside the commands, so that ``--help`` answers at once.
"""

from sensorplan.cli import (  # each registers its command
    batch,
    compare,
    curve,
    diff,
    evaluate,
    export_map,
    export_model,
    fit,
    forecast,
    inspect,
    report,
)
from sensorplan.cli.app import app

__all__ = [
    "app",
    "batch",
    "compare",
    "curve",
    "diff",
    "evaluate",
    "export_map",
    "export_model",
    "fit",
    "forecast",
    "inspect",
    "report",
]
