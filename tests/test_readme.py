import re
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from test_cli import make_comparison_result, make_result
from test_cli_batch import make_batch_result
from test_cli_curve import make_curve_result
from test_cli_diff import make_difference
from test_cli_forecast import make_evaluation, make_forecast_result
from test_export_model import make_exported
from typer.main import get_command
from typer.testing import CliRunner

from sensorplan.cli import app
from sensorplan.exports import maps, report
from sensorplan.sensors import Source
from sensorplan.team import Team

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("sensorplan ")
]


@pytest.fixture
def without_training(monkeypatch):
    """The command line as it is, in front of a pipeline that only takes note."""
    stub = ModuleType("sensorplan.pipeline")
    stub.fit = lambda recipe, **options: make_result()
    stub.joined, stub.follow = lambda: nullcontext(Team()), None
    many = ModuleType("sensorplan.batch")
    many.run_batch = lambda recipes, **options: make_batch_result()
    monkeypatch.setitem(sys.modules, "sensorplan.batch", many)
    stub.compare = lambda recipe, **options: make_comparison_result()
    stub.draw_curve = lambda recipe, **options: make_curve_result()
    stub.diff = lambda plan_a, plan_b, **options: make_difference()
    stub.forecast = lambda plan, data, **options: make_forecast_result()
    stub.evaluate = lambda plan, data, **options: make_evaluation()
    stub.export_model = lambda plan, **options: make_exported()
    stub.inspect = lambda recipe: SimpleNamespace(
        source=Source("data.nc", "0" * 64), findings=(), warnings=(), facts={}
    )
    monkeypatch.setitem(sys.modules, "sensorplan.pipeline", stub)
    monkeypatch.setattr(maps, "export_map", lambda *arguments: [])
    monkeypatch.setattr(report, "write_report", lambda *arguments: None)
    monkeypatch.chdir(ROOT)


def test_the_readme_shows_every_command():
    shown = {command.split()[1] for command in COMMANDS}
    assert shown == set(get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command, without_training):
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.stderr


def test_every_option_in_the_readme_is_one_of_fit():
    helped = CliRunner().invoke(app, ["fit", "--help"], env={"COLUMNS": "200"}).stdout
    for option in set(re.findall(r"`(--[a-z-]+)", README)):
        assert option in helped, option


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make (\w+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_picture_that_is_shown_is_made_by_make_pictures():
    pages = {ROOT / "README.md": ROOT, **{page: page.parent for page in ROOT.glob("docs/*.md")}}
    shown = {
        (folder / name).resolve()
        for page, folder in pages.items()
        for name in re.findall(r"!\[[^]]*\]\(([^)]*)\)", page.read_text(encoding="utf-8"))
    }
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = {
        ROOT / name
        for name in re.findall(r"^\t\$\(SMALL\) \S+ (docs/\S+)$", makefile, re.MULTILINE)
    }
    assert shown == made == {*ROOT.glob("docs/*.png")}
