"""The command line: parse, call, print. One file a command.

stdout carries the result only; progress, warnings and errors go to stderr. What is slow to load is
loaded inside the commands, so that ``--help`` answers at once.
"""

from sensorplan.cli import compare, curve, export_map, fit, inspect  # each registers its command
from sensorplan.cli.app import app

__all__ = ["app", "compare", "curve", "export_map", "fit", "inspect"]
