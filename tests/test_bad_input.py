"""What a user may do wrong, through the command line: one line, the right exit code, no folder."""

import hashlib

import numpy as np
import pytest
import xarray as xr
from factories import make_sensor_data
from typer.testing import CliRunner

from sensorplan.cli import app

RECIPE = """
[window]
lookback = 4
horizon = 2
[mask]
rounds = 1
refinements = 0
round_steps = 2
probe = 8
[training]
steps = 2
fine_tune = 0
"""


def make_dataset(times=120, nodes=4, ids=None):
    data = make_sensor_data(times=times, nodes=nodes)
    return xr.Dataset(
        {"speed": (("time", "station"), data.values[..., 0].copy(), {"units": "m s-1"})},
        {
            "time": np.array(data.time.labels, "datetime64[ns]"),
            "station": ("station", list(ids or data.sensors), {"cf_role": "timeseries_id"}),
            "lat": ("station", data.geometry.positions[:, 0], {"standard_name": "latitude"}),
            "lon": ("station", data.geometry.positions[:, 1], {"standard_name": "longitude"}),
        },
        {"featureType": "timeSeries"},
    )


def save(dataset, folder):
    path = folder / "data[x].nc"
    dataset.to_netcdf(path)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run fit in a folder of its own; tells the result, the warnings, and what is new there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text(RECIPE)

    def run(path, *options):
        before = {
            p: hashlib.sha256(p.read_bytes()).hexdigest()
            for p in tmp_path.rglob("*")
            if p.is_file()
        }
        arguments = ["fit", str(path), "--recipe", "quick.toml", "--quiet", *options]
        result = CliRunner().invoke(app, arguments)
        for file, digest in before.items():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == digest, file
        return result

    return run


def assert_refused(result, code, *parts):
    """One `Error:` line on stderr, nothing on stdout."""
    assert result.exit_code == code, (result.output, result.exception)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    for part in parts:
        assert part in lines[0]


def text_file(folder):
    path = folder / "data[x].nc"
    path.write_text("these are no sensors\n")
    return path


def truncated(folder, keep=0.5):
    path = save(make_dataset(), folder)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    return path


def truncated_netcdf3(folder):
    path = folder / "data[x].nc"
    make_dataset().to_netcdf(path, engine="scipy", format="NETCDF3_CLASSIC")
    path.write_bytes(path.read_bytes()[:-900])
    return path


def without_time(folder):
    return save(make_dataset().isel(time=0, drop=True), folder)


def all_missing(folder):
    dataset = make_dataset()
    dataset["speed"][:] = np.nan
    return save(dataset, folder)


def test_stretch_missing(folder):
    dataset = make_dataset()
    dataset["speed"][90:] = np.nan
    return save(dataset, folder)


test_stretch_missing.__test__ = False


def all_infinite(folder):
    dataset = make_dataset()
    dataset["speed"][:] = np.inf
    return save(dataset, folder)


def constant(folder):
    dataset = make_dataset()
    dataset["speed"][:] = 7.3
    return save(dataset, folder)


def is_empty(folder):
    path = folder / "data[x].nc"
    path.touch()
    return path


DATA = {
    "absent": (lambda folder: folder / "none.nc", ["none.nc"]),
    "empty file": (is_empty, ["data[x].nc"]),
    "no netCDF": (text_file, ["data[x].nc"]),
    "truncated": (truncated, ["data[x].nc"]),
    "truncated netCDF 3": (truncated_netcdf3, ["data[x].nc"]),
    "no time": (without_time, ["data[x].nc", "time"]),
    "one time step": (lambda f: save(make_dataset(1), f), ["data[x].nc", "time"]),
    "few steps": (
        lambda f: save(make_dataset(30), f),
        ["30 time steps give", "windows of lookback 4 + horizon 2", "expected at least"],
    ),
    "all missing": (all_missing, ["every value of speed is missing"]),
    "all infinite": (all_infinite, ["every value of speed is missing"]),
    "constant": (constant, ["every sensor is constant in the training stretch"]),
    "test stretch missing": (test_stretch_missing, ["in the test stretch"]),
    "one sensor": (lambda f: save(make_dataset(nodes=1), f), ["1 sensor", "at least 2"]),
    "one id twice": (lambda f: save(make_dataset(ids="ABCA"), f), ["A", "sensor"]),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_used(case, run, tmp_path):
    make, parts = DATA[case]
    path = make(tmp_path)
    there = set(tmp_path.iterdir())
    assert_refused(run(path), 3, *parts)
    assert set(tmp_path.iterdir()) == there


USAGE = {
    "unknown variable": (["--variable", "velocity"], 3, ["velocity", "speed"]),
    "sparsity 1": (["--sparsity", "1"], 2, ["--sparsity 1", "0 <= sparsity < 1"]),
    "sparsity over 1": (["--sparsity", "1.4"], 2, ["--sparsity 1.4", "0 <= sparsity < 1"]),
    "sparsity below 0": (["--sparsity", "-0.1"], 2, ["--sparsity -0.1", "0 <= sparsity < 1"]),
    "sparsity nan": (["--sparsity", "nan"], 2, ["--sparsity nan"]),
    "budget 0": (["--budget", "0"], 2, ["--budget 0", "budget >= 1"]),
    "budget over": (["--budget", "5"], 2, ["--budget 5", "there are 4", "<= budget <= 4"]),
    "both": (["--budget", "2", "--sparsity", "0.5"], 2, ["only one of"]),
    "lookback": (["--lookback", "0"], 2, ["--lookback 0", "lookback >= 1"]),
    "too long": (["--lookback", "500"], 3, ["lookback 500", "0 training windows"]),
    "patch of stations": (["--patch", "2x2"], 3, ["--patch needs a grid"]),
    "patch": (["--patch", "2by2"], 2, ["--patch 2by2", "ROWSxCOLUMNS"]),
    "seed": (["--seed", "-1"], 2, ["--seed -1"]),
    "device": (["--device", "abacus"], 2, ["--device abacus", "cpu"]),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(case, run, tmp_path):
    options, code, parts = USAGE[case]
    path = save(make_dataset(), tmp_path)
    there = set(tmp_path.iterdir())
    assert_refused(run(path, *options), code, *parts)
    assert set(tmp_path.iterdir()) == there


def test_an_output_folder_that_exists(run, tmp_path):
    path = save(make_dataset(), tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert_refused(run(path, "--out", "out"), 5, "out: exists already; --overwrite")
    assert_refused(run(path, "--out", "out", "--overwrite"), 5, "out: holds no plan.json")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("out", ["quick.toml/out", "quick.toml/deep/out"])
def test_an_output_below_a_file(run, tmp_path, out):
    path = save(make_dataset(), tmp_path)
    there = set(tmp_path.iterdir())
    assert_refused(run(path, "--out", out), 5, "quick.toml")
    assert set(tmp_path.iterdir()) == there


# Odd, but usable


def assert_planned(result, folder, *parts):
    assert result.exit_code == 0, (result.output, result.exception)
    assert (folder / "data_x_.plan" / "plan.json").is_file()
    for part in parts:
        assert any(part in line for line in result.stderr.splitlines()), result.stderr


def test_infinite_values_are_missing(run, tmp_path):
    dataset = make_dataset()
    dataset["speed"][5, 1] = np.inf
    dataset["speed"][100, 2] = -np.inf
    assert_planned(run(save(dataset, tmp_path)), tmp_path, "2 infinite values in speed")


@pytest.mark.parametrize("value", [0.0, 7.3])
def test_a_constant_sensor(run, tmp_path, value):
    dataset = make_dataset()
    dataset["speed"][:, 2] = value
    assert_planned(run(save(dataset, tmp_path)), tmp_path, "constant at all times: S002")
