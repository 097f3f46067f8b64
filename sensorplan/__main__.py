"""``python -m sensorplan``: the same as the command ``sensorplan``."""

from sensorplan.cli import app

app(prog_name="sensorplan")
