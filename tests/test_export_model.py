"""`export-model`: the forecaster of a plan as ONNX and as TorchScript."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import xarray as xr
from plans import make_plan
from test_cli import run
from test_pipeline import write_grid

from sensorplan.errors import OutputError, RecipeError
from sensorplan.evaluation import evidence
from sensorplan.pipeline import export_model, exporting, forecast, model_formats
from sensorplan.recipe import DataSettings
from sensorplan.windows.climatology import calendar_features

PAGE = Path(__file__).parents[1] / "docs" / "export-model.md"


def make_grid_plan(backbone, sparsity=0.5):
    """A fixture: a plan of a grid with that backbone, its network shipped alone."""

    @pytest.fixture(scope="module")
    def plan(tmp_path_factory):
        folder = tmp_path_factory.mktemp(backbone)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evidence, "make_linear", lambda trainer: None)
            grid = write_grid(folder / "grid.nc")
            mask, training = {"sparsity": sparsity}, {"backbone": backbone}
            return make_plan(grid, folder / "p", mask=mask, training=training)

    return plan


mixer, vit, conv, linear, graph = map(make_grid_plan, ("mixer", "vit", "conv", "linear", "graph"))
few = make_grid_plan("mixer", sparsity=0.8)


def make_exported():
    """What `export-model` gives, without a plan."""
    about = {
        "schema_version": 1,
        "readings": ["a"],
        "forecast": ["a", "b"],
        "variables": [{"name": "v", "units": "K", "long_name": "v"}],
        "lookback": 4,
        "horizon": 2,
        "step": "1 h",
        "cycles": [],
    }
    return exporting.ExportedModel(Path("net.onnx"), about, 1e-7, ())


def run_onnx(file, inputs):
    assert "Loop" not in {node.op_type for node in onnx.load(file).graph.node}  # slow
    session = onnxruntime.InferenceSession(str(file))
    about = json.loads(session.get_modelmeta().custom_metadata_map["sensorplan"])
    return session.run(None, inputs)[0], about


def run_torchscript(file, inputs):
    extra = {"sensorplan": ""}
    model = torch.jit.load(str(file), _extra_files=extra)
    with torch.no_grad():
        found = model(*(torch.from_numpy(part) for part in inputs.values())).numpy()
    return found, json.loads(extra["sensorplan"])


RUN = {"model.onnx": run_onnx, "model.pt": run_torchscript}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", RUN)
@pytest.mark.parametrize(
    "kind",
    ["stations", "two", "patches", "counted", "mixer", "few", "vit", "conv", "linear", "graph"],
)
def test_it_forecasts_what_forecast_does(kind, name, request, tmp_path):
    """From the readings of the kept sensors as they stand in the data, gaps included."""
    plan = request.getfixturevalue(kind)
    result = forecast(plan.folder, DataSettings(path=(plan.path,)), out=tmp_path / "f.nc")
    forecasts = result.forecasts
    exported = export_model(plan.folder, out=tmp_path / name)
    assert exported.difference <= 1e-5
    about = exported.about

    dataset = xr.load_dataset(plan.path, decode_times=False)
    variables = [variable["name"] for variable in about["variables"]]
    values = np.stack([dataset[v].values.reshape(dataset.sizes["time"], -1) for v in variables], -1)
    kept = [forecasts.sensors.index(sensor) for sensor in about["readings"]]
    inputs = {"readings": values[None, -about["lookback"] :, kept].astype(np.float32)}
    if about["cycles"]:
        harmonics = {one["cycle"]: one["harmonics"] for one in about["cycles"]}
        steps = about["lookback"] + about["horizon"]
        inputs["calendar"] = calendar_features(forecasts.time, harmonics)[None, -steps:]
    found, written = RUN[name](tmp_path / name, inputs)
    assert written == about
    assert about["forecast"] == list(forecasts.sensors)
    expected = forecasts.values
    assert found.shape == expected.shape
    scale = np.abs(expected - np.nanmean(expected, (1, 2), keepdims=True)).max((0, 1, 2))
    assert (np.abs(found - expected) <= 1e-4 * scale).all()

    many = {name: np.repeat(part, 3, 0) for name, part in inputs.items()}
    np.testing.assert_allclose(RUN[name](tmp_path / name, many)[0][2], found[0], rtol=1e-5)


def test_the_gateway_script_of_the_docs_runs(stations, tmp_path, monkeypatch, capsys):
    export_model(stations.folder, out=tmp_path / "net.onnx")
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "gateway.py", "exec"), {})
    printed = eval(capsys.readouterr().out)
    assert (
        list(printed)
        == exporting.about_model(exporting.load_forecaster(stations.folder))["forecast"]
    )
    assert np.isfinite(list(printed.values())).all()


def test_the_default_name_and_what_is_printed(stations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = json.loads(run("export-model", str(stations.folder), "--json").stdout)
    assert (tmp_path / "net.onnx").exists()
    assert printed["file"] == "net.onnx"
    assert printed["difference"] < 1e-5
    assert printed["model"]["lookback"] == 4
    lines = run("export-model", str(stations.folder), "--format", "torchscript").stdout
    assert "Model: net.pt" in lines
    assert "4 steps of 4 sensors" in lines


def test_the_default_name_keeps_a_dot_in_the_plan_s_own(stations, tmp_path, monkeypatch):
    shutil.copytree(stations.folder, tmp_path / "net.2020")
    monkeypatch.chdir(tmp_path)
    exported = export_model(tmp_path / "net.2020", form="torchscript")
    assert str(exported.file) == "net.2020.pt"


def test_nothing_is_overwritten_unasked(stations, tmp_path):
    (tmp_path / "m.pt").write_text("mine")
    with pytest.raises(OutputError, match=r"m\.pt: exists already; --overwrite replaces it"):
        export_model(stations.folder, out=tmp_path / "m.pt")
    assert (tmp_path / "m.pt").read_text() == "mine"
    export_model(stations.folder, out=tmp_path / "m.pt", overwrite=True)
    assert (tmp_path / "m.pt").stat().st_size > 1000


def test_formats_are_named(stations, tmp_path):
    with pytest.raises(RecipeError, match=r"--format coreml; expected one of onnx, torchscript"):
        export_model(stations.folder, form="coreml")
    with pytest.raises(RecipeError, match=r"-o .*m\.bin: unknown ending; expected one of \.onnx"):
        export_model(stations.folder, out=tmp_path / "m.bin")


def test_without_what_writes_onnx(stations, tmp_path, monkeypatch):
    find = model_formats.find_spec
    monkeypatch.setattr(
        model_formats, "find_spec", lambda name: None if name == "onnxscript" else find(name)
    )
    expected = r"--format onnx needs the package onnxscript; pip install 'sensorplan\[onnx\]'"
    with pytest.raises(OutputError, match=expected):
        export_model(stations.folder, out=tmp_path / "m.onnx")
    export_model(stations.folder, out=tmp_path / "m.pt")


def test_without_onnxruntime_it_says_that_it_is_not_checked(stations, tmp_path, monkeypatch):
    find = model_formats.find_spec
    monkeypatch.setattr(
        model_formats, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    exported = export_model(stations.folder, out=tmp_path / "m.onnx")
    assert exported.difference is None
    assert exported.warnings == ("not checked by running it: onnxruntime is not installed",)


def test_a_model_that_differs_is_not_written(stations, tmp_path, monkeypatch):
    def wrong(content):
        def run(inputs):
            windows = len(inputs[0])
            return np.zeros((windows, 2, 8, 1), np.float32)

        return run

    torchscript = replace(model_formats.FORMATS["torchscript"], runner=wrong)
    monkeypatch.setitem(exporting.FORMATS, "torchscript", torchscript)
    with pytest.raises(OutputError, match=r"m\.pt: not written; its forecasts differ from the"):
        export_model(stations.folder, out=tmp_path / "m.pt")
    assert not (tmp_path / "m.pt").exists()
