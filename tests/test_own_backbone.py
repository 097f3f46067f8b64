"""A backbone that another package adds: `tests/own_backbone`, and what can be wrong with one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from factories import cut_windows, make_sensor_data, network_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorplan.errors import DataError, RecipeError
from sensorplan.forecasters import Backbone, build_backbone, find_backbone, from_bytes, to_bytes
from sensorplan.forecasters.backbone import Spread
from sensorplan.forecasters.registry import GROUP

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tests" / "own_backbone"
NODES = 6


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder in which the package is installed."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(PACKAGE, folder / "source")  # a build leaves files beside it
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", *offline]
    subprocess.run([*install, "--target", str(folder / "packages"), str(source)], check=True)
    return folder / "packages"


@pytest.fixture
def added(installed, monkeypatch):
    """The package, on the path of this process."""
    monkeypatch.syspath_prepend(installed)


def make_plain(**options):
    windows = cut_windows(make_sensor_data(nodes=NODES, gaps=0.2, channels=2))
    torch.manual_seed(0)
    return build_backbone("plain", options, network_of(windows)), windows


@pytest.mark.usefixtures("added")
def test_it_is_found_and_takes_its_options():
    plain, _ = make_plain(hidden="7")
    assert isinstance(plain, Backbone)
    assert plain.network[0].out_features == 7
    with pytest.raises(
        RecipeError, match=r"^backbone plain: option depth = 2; unknown option; known: hidden$"
    ):
        make_plain(depth="2")


@pytest.mark.usefixtures("added")
@settings(max_examples=20)
@given(seed=st.integers(0, 99), batch=st.sampled_from([1, 4]))
def test_its_compact_form_takes_kept_regions_and_forecasts_the_same(seed, batch):
    plain, windows = make_plain()
    rng = torch.Generator().manual_seed(seed)
    gate = 2 * torch.rand(NODES, generator=rng) * (torch.rand(NODES, generator=rng) < 0.6)
    kept = torch.nonzero(gate)[:, 0]
    cut = windows.batch(windows.split.train[seed:][:batch])
    compact = plain.compact(gate)
    assert isinstance(compact, Spread)
    expected = plain(cut.history, cut.seen, cut.calendar, gate)
    assert expected.shape == cut.future.shape
    found = compact(cut.history[:, kept], cut.seen[:, kept], cut.calendar)
    assert torch.equal(found, expected)


@pytest.mark.usefixtures("added")
def test_its_compact_form_is_a_copy():
    plain, windows = make_plain()
    cut = windows.batch(windows.split.train[:2])
    compact = plain.compact(torch.ones(NODES))
    before = compact(cut.history, cut.seen, cut.calendar)
    with torch.no_grad():
        plain.network[0].weight += 1
    assert torch.equal(compact(cut.history, cut.seen, cut.calendar), before)


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("kept", [0, 2, NODES])
def test_its_file_gives_it_back(kept):
    plain, windows = make_plain()
    gate = (torch.arange(NODES) < kept).float()
    compact = plain.compact(gate)
    found, series, about = from_bytes(
        to_bytes("plain", compact, windows.scaling(), {"kept": kept}), "x"
    )
    assert about == {"kept": kept}
    assert torch.equal(series["level"], windows.level)
    cut = windows.batch(windows.split.train[:2])
    inputs = cut.history[:, :kept], cut.seen[:, :kept], cut.calendar
    assert torch.equal(found(*inputs), compact(*inputs))


@pytest.mark.usefixtures("added")
def test_its_file_cannot_be_read_without_the_package(monkeypatch):
    plain, windows = make_plain()
    content = to_bytes("plain", plain.compact(torch.ones(NODES)), windows.scaling(), {})
    monkeypatch.undo()
    with pytest.raises(
        DataError, match=r"^x: no forecaster.*backbone plain; expected one of mixer"
    ):
        from_bytes(content, "x")


RECIPE = """
[window]
lookback = 4
horizon = 2
[mask]
sparsity = 0.5
rounds = 1
refinements = 1
round_steps = 2
probe = 8
practice = 2
[training]
steps = 10
fine_tune = 2
"""

ALONE = """
from sensorplan.cli import app
from sensorplan.evaluation import evidence

evidence.make_linear = lambda trainer: None  # else regression may be shipped in its place
app()
"""


def write_table(path):
    data = make_sensor_data(nodes=NODES)
    lines = [",".join(["time", *data.sensors])]
    for label, row in zip(data.time.labels, data.values[..., 0], strict=True):
        lines.append(",".join([label, *map(str, row)]))
    path.write_text("\n".join(lines))


@pytest.mark.usefixtures("added")
def test_fit_plans_with_it(installed, tmp_path):
    write_table(tmp_path / "net.csv")
    (tmp_path / "quick.toml").write_text(RECIPE)
    command = [sys.executable, "-c", ALONE, "fit", "net.csv", "--recipe", "quick.toml"]
    paths = os.pathsep.join([str(installed), str(ROOT)])
    subprocess.run(
        [*command, "--backbone", "plain", "--backbone-option", "hidden=9", "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    folder = tmp_path / "net.plan"
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["settings"]["training"]["options"] == {"hidden": "9"}
    assert plan["forecaster"]["shipped"] == "plain"
    compact, _, about = from_bytes((folder / "forecaster.safetensors").read_bytes(), "x")
    assert sorted(about["kept"]) == sorted(plan["kept"])
    history = torch.zeros(2, 3, 4)
    calendar = torch.zeros(2, 2)
    assert compact(history, history, calendar).shape == (2, NODES, 2)


# What can be wrong


def add_entry_point(folder, value, monkeypatch):
    """Let a package of no code say that it adds a backbone named ``odd``."""
    info = folder / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nodd = {value}\n")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("json:dumps", "json:dumps is not a sensorplan.forecasters.Backbone"),
        ("json:JSONEncoder", "json:JSONEncoder is not a sensorplan.forecasters.Backbone"),
        ("json:Nothing", "json:Nothing cannot be imported .*Nothing"),
        ("no_such_module:Model", "no_such_module:Model cannot be imported .*no_such_module"),
    ],
)
def test_an_entry_point_that_is_no_backbone(value, problem, tmp_path, monkeypatch):
    add_entry_point(tmp_path, value, monkeypatch)
    with pytest.raises(RecipeError, match=f"^backbone odd: {problem}"):
        find_backbone("odd")


def test_an_unknown_name_lists_the_known_ones(tmp_path, monkeypatch):
    add_entry_point(tmp_path, "json:dumps", monkeypatch)
    with pytest.raises(RecipeError, match=r"^backbone mixr; expected one of mixer, .*, odd$"):
        find_backbone("mixr")


def test_our_own_names_come_first(tmp_path, monkeypatch):
    add_entry_point(tmp_path, "json:dumps", monkeypatch)
    (tmp_path / "odd-1.0.dist-info" / "entry_points.txt").write_text(f"[{GROUP}]\nmixer = json:x\n")
    assert find_backbone("mixer").__name__ == "Mixer"
