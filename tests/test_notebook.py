"""Plans in Python: the same as the command line, as objects."""

import gc
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lxml import etree
from matplotlib.figure import Figure
from test_cli import make_comparison_result, run
from test_cli_curve import make_curve_result
from test_comparing import few_steps

import sensorplan as sp
from sensorplan import pipeline
from sensorplan.exports.maps import read_deployment
from sensorplan.exports.summary import summary_html
from sensorplan.exports.tables import ranking_csv
from sensorplan.pipeline.preparing import read_regions, state_rules
from sensorplan.plan import Plan
from sensorplan.recipe import IN_MEMORY, dump_recipe, load_recipe

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
EVIL = "<script>alert('x')</script> & [/bold]"


def opened(path):
    return xr.load_dataset(path)


@pytest.fixture(scope="module")
def command(stations, tmp_path_factory):
    """A plan by the command line, and the recipe of few steps that it was made by."""
    folder = tmp_path_factory.mktemp("command")
    recipe = folder / "few.toml"
    recipe.write_bytes(dump_recipe(few_steps()))
    out = folder / "net.plan"
    done = run(
        "fit", stations.path, "--recipe", str(recipe), "--sparsity", "0.4", "--out", str(out)
    )
    assert done.exit_code == 0, done.stderr
    return SimpleNamespace(folder=out, recipe=recipe, path=stations.path)


@pytest.fixture(scope="module")
def plan(command):
    """The same from a dataset of lazy arrays."""
    with xr.open_dataset(command.path, chunks={"time": 50}) as dataset:
        return sp.fit(dataset, recipe=command.recipe, sparsity=0.4)


@pytest.fixture
def asked(monkeypatch, stations):
    """What a function asks the pipeline for; nothing is trained."""
    calls = []

    def told(recipe, options):
        calls.append((recipe, options))
        for _ in range(2):
            if options["progress"]:
                options["progress"]("read [/x]", 0, 1)

    def fit(recipe, **options):
        data, regions = read_regions(recipe, options["dataset"])
        state_rules(recipe, data, regions)
        told(recipe, options)
        shutil.copytree(stations.folder, options["out"])
        return SimpleNamespace(folder=options["out"])

    def draw_curve(recipe, **options):
        told(recipe, options)
        return make_curve_result()

    def compare(recipe, **options):
        told(recipe, options)
        return make_comparison_result()

    for stub in (fit, draw_curve, compare):
        monkeypatch.setattr(pipeline, stub.__name__, stub)
    return calls


@pytest.mark.parametrize(
    ("code", "slow"),
    [
        ("import sensorplan", {"torch", "numpy", "pandas", "xarray", "pydantic", "matplotlib"}),
        ("import sensorplan as s; s.open_plan(sys.argv[1])._repr_html_()", {"torch"}),
    ],
)
def test_nothing_slow_is_loaded_before_it_is_needed(code, slow, stations):
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    done = subprocess.run([*command, stations.folder], capture_output=True, text=True, check=True)
    assert not slow & {*done.stdout.split()}


def test_every_public_name_is_there():
    assert {*sp.__all__} <= {*dir(sp)}
    assert all(getattr(sp, name) for name in sp.__all__)
    with pytest.raises(AttributeError, match="module 'sensorplan' has no attribute 'fits'"):
        sp.fits  # noqa: B018


def test_type_checkers_see_every_public_name():
    seen = re.findall(r"^    from \S+ import (.+)$", inspect.getsource(sp), re.MULTILINE)
    names = {name for line in seen for name in line.split(", ")}
    assert names | {"SensorplanError", "__version__"} == {*sp.__all__}


def test_a_dataset_gives_the_plan_of_the_command_line(command, plan):
    for name in ("ranking.csv", "curve.csv", "conditions.csv", "resilience.csv"):
        assert (plan.folder / name).read_bytes() == (command.folder / name).read_bytes(), name
    own, other = (
        json.loads((folder / "plan.json").read_bytes()) for folder in (plan.folder, command.folder)
    )
    for content in (own, other):
        del content["timings"]
    assert own == other


def test_a_plan_as_an_object(command, plan):
    record = Plan.load(plan.folder)
    assert plan.record == record
    assert plan.metrics == record.metrics
    assert (plan.kept, plan.dropped) == ([*record.kept], [*record.dropped])
    assert plan.verdict.startswith("Keep 5 of 8 sensors (38 % off): forecast error")
    assert repr(plan) == f"<SensorPlan '{plan.folder}': {plan.verdict}>"
    assert plan.warnings == record.warnings
    assert list(plan.ranking["sensor"]) == plan.kept + plan.dropped
    for table, name in ((plan.curve, "curve.csv"), (plan.conditions, "conditions.csv")):
        expected = pd.read_csv(plan.folder / name)
        assert [*table] == [*expected]
        np.testing.assert_array_equal(table["rmse_ratio"], expected["rmse_ratio"])


def test_the_ranking_is_that_of_the_file(plan):
    frame = plan.to_geodataframe()
    assert ranking_csv(frame) == (plan.folder / "ranking.csv").read_bytes()
    assert [*plan.ranking] == [*pd.read_csv(plan.folder / "ranking.csv")]
    assert type(plan.ranking) is pd.DataFrame
    assert frame.crs == "EPSG:4326"
    assert (frame.geom_type == "Point").all()


def test_the_map_may_be_cut_elsewhere(plan):
    assert (plan.to_geodataframe(0.75)["decision"] == "keep").sum() == 2
    assert plan.plot(0.75).axes[0].get_title(loc="left") == "2 of 8 sensors kept"
    with pytest.raises(sp.SensorplanError, match="sparsity 1; expected 0 <= sparsity < 1"):
        plan.plot(1.0)
    with pytest.raises(sp.SensorplanError, match="sparsity 'a'; expected 0 <= sparsity < 1"):
        plan.to_geodataframe("a")
    with pytest.raises(sp.SensorplanError, match="sparsity 'a'; expected 0 <= sparsity < 1"):
        sp.compare(plan.record.data.path, sparsity="a")


def test_the_map_is_a_figure_that_a_notebook_shows(plan):
    figure = plan.plot()
    assert isinstance(figure, Figure)
    assert figure._repr_png_() == (plan.folder / "map.png").read_bytes()


def test_a_plan_without_positions_says_that_its_map_has_none(counted):
    plan = sp.open_plan(counted.folder)
    assert plan.warnings == (
        *plan.record.warnings,
        "the data holds no positions: the map shows the ranking only",
    )


def test_the_summary_begins_with_the_verdict(plan):
    page = etree.fromstring(plan._repr_html_())
    texts = [text.strip() for text in page.itertext()]
    assert texts[0] == plan.verdict
    assert texts[1].startswith(
        f"Sparsity 0.375, by dynst; v0 of {plan.record.data.path}: 8 sensors"
    )
    cells = [[*row.itertext()] for row in page.iter("tr")]
    assert cells[0] == ["forecast from", "RMSE (K)", "MAE (K)", "RMSE / all sensors"]
    assert cells[2][0] == "this plan"
    assert cells[2][3] == f"{plan.metrics.rmse_ratio:.3f}"
    assert [item.text for item in page.iter("li")] == [*plan.warnings]


def test_what_the_data_says_is_text_in_the_summary(stations):
    record = Plan.load(stations.folder)
    data = record.data.model_copy(update={"path": EVIL, "variable": (EVIL,)})
    metrics = record.metrics.model_copy(update={"unit": EVIL})
    text = summary_html(record.model_copy(update={"data": data, "metrics": metrics}), [EVIL])
    page = etree.fromstring(text)
    assert [item.text for item in page.iter("li")] == [EVIL]
    assert not [*page.iter("script")]
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 6


def test_a_summary_without_warnings_has_no_list(stations):
    assert "<ul>" not in summary_html(Plan.load(stations.folder), [])


def test_the_forecast_is_that_of_the_command(plan, command, tmp_path):
    new = opened(command.path).isel(time=slice(-30, None)).sel(station=plan.kept)
    new.to_netcdf(tmp_path / "new.nc")
    out = tmp_path / "out.nc"
    done = run(
        *("forecast", str(command.folder), str(tmp_path / "new.nc"), "-o", str(out)),
        *("--interval", "80%", "--origins", "all"),
    )
    assert done.exit_code == 0, done.stderr
    expected = xr.load_dataset(out, decode_timedelta=False)
    for data in (new, new["v0"], str(tmp_path / "new.nc")):
        found = plan.forecast(data, interval=0.8, origins="all")
        assert f"sensorplan.open_plan('{plan.folder}').forecast" in found.attrs["history"]
        assert found.attrs["title"] == expected.attrs["title"]
        xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))
        assert "source" not in found.encoding


def test_a_forecast_warns_of_missing_sensors(plan, command):
    new = opened(command.path).sel(station=plan.kept[1:])
    with pytest.warns(UserWarning, match=rf"^<dataset>: 1 of 5 kept .*: {plan.kept[0]};") as caught:
        plan.forecast(new)
    assert {Path(warning.filename).name for warning in caught} == {"test_notebook.py"}


def test_a_forecast_takes_only_settings_of_reading(plan, command):
    with pytest.raises(sp.SensorplanError, match=r"^patch = '4x4'; unknown setting"):
        plan.forecast(command.path, patch="4x4")


def test_other_data_than_the_file_stands_under_a_name_of_its_own(stations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = opened(stations.path)
    half = dataset.isel(time=slice(120, None))
    plan = sp.fit(half, recipe=stations.recipe)
    again = sp.fit(half.chunk(time=7)["v0"], recipe=stations.recipe)
    for fitted in (plan, again):
        assert fitted.record.data.path == IN_MEMORY
        assert fitted.record.data.times == 120
        assert load_recipe(fitted.folder / "recipe.toml").data.path == (IN_MEMORY,)
    assert plan.record.data.sha256 == again.record.data.sha256
    saved = plan.save("mine.plan")
    done = run("fit", "--recipe", str(saved / "recipe.toml"), "--out", "x.plan")
    assert done.exit_code == 3
    assert "Error: <dataset>: data that was in memory, which cannot be read again" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.plan"]


def test_a_temporary_folder_goes_with_the_plan(asked, stations, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plan = sp.fit(opened(stations.path))
    assert plan.folder.is_relative_to(tmp_path)
    assert (plan.folder / "plan.json").is_file()
    del plan
    gc.collect()
    assert not [*tmp_path.iterdir()]
    with pytest.raises(sp.SensorplanError, match="--budget 30: there are 8 sensors"):
        sp.fit(opened(stations.path), budget=30)
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_was_named_stays(asked, stations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = sp.fit(stations.path, out="mine.plan", overwrite=True)
    assert plan.folder == tmp_path / "mine.plan"
    assert asked[0][1]["overwrite"] is True
    del plan
    gc.collect()
    assert sp.open_plan("mine.plan").kept == sp.open_plan(stations.folder).kept


def test_a_saved_plan_finds_its_data(stations, tmp_path, monkeypatch):
    shutil.copy(stations.path, tmp_path / "data.nc")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    plan = sp.fit("data.nc", recipe=stations.recipe.model_copy(update={"data": sp.Recipe().data}))
    assert plan.save("below/mine.plan") == Path("below/mine.plan")
    saved = load_recipe(tmp_path / "below" / "mine.plan" / "recipe.toml")
    assert [Path(path).resolve() for path in saved.data.path] == [tmp_path / "data.nc"]
    assert {f.name for f in plan.folder.iterdir()} == {
        f.name for f in (tmp_path / "below" / "mine.plan").iterdir()
    }
    with pytest.raises(sp.SensorplanError, match=r"mine.plan: exists already"):
        plan.save("below/mine.plan")
    (tmp_path / "below" / "mine.plan" / "notes.txt").write_text("mine")
    plan.save("below/mine.plan", overwrite=True)
    assert (tmp_path / "below" / "mine.plan" / "notes.txt").read_text() == "mine"


def test_the_report_is_that_of_the_command(stations, tmp_path):
    plan = sp.open_plan(stations.folder)
    assert plan.report(tmp_path / "page.html") == tmp_path / "page.html"
    assert run("report", str(stations.folder), "-o", str(tmp_path / "other.html")).exit_code == 0
    found, expected = (
        re.sub(rb"[0-9a-f-]{36}", b"", (tmp_path / name).read_bytes())
        for name in ("page.html", "other.html")
    )
    assert len(found) == len(expected) > 100_000
    with pytest.raises(sp.SensorplanError, match=r"page.html: exists already"):
        plan.report(tmp_path / "page.html")


def test_a_folder_without_a_plan(tmp_path):
    with pytest.raises(sp.SensorplanError, match=r"plan.json: cannot be read"):
        sp.open_plan(tmp_path)


def test_progress_is_silent_unless_asked_for(asked, stations, capsys):
    sp.fit(stations.path)
    assert capsys.readouterr() == ("", "")
    sp.fit(stations.path, progress=True)
    assert capsys.readouterr() == ("", "read [/x] ...\n")
    told = []
    sp.fit(stations.path, progress=lambda *stage: told.append(stage))
    assert told == [("read [/x]", 0, 1)] * 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["path", "text", "list", "tuple"])
def test_files_are_passed_on(asked, stations, kind):
    path = stations.path
    given = {"path": Path(path), "text": path, "list": [path], "tuple": (Path(path),)}[kind]
    sp.fit(given, seed=3)
    ((recipe, options),) = asked
    assert recipe.data.path == (path,)
    assert recipe.run.seed == 3
    assert options["dataset"] is None


def test_the_recipe_may_name_the_data(asked, stations):
    sp.fit(recipe=stations.recipe)
    assert asked[0][0] == stations.recipe
    with pytest.raises(sp.SensorplanError, match=r"^no data: name a file"):
        sp.fit()


@pytest.mark.parametrize("data", [42, np.zeros((3, 2)), [1], {"a": 1}])
def test_data_of_another_kind(data):
    with pytest.raises(sp.SensorplanError, match=r"^data is a .*; expected an xarray Dataset"):
        sp.fit(data)


def test_a_variable_named_for_an_array_goes_before_its_own(asked, stations):
    with pytest.raises(sp.SensorplanError, match=r"^<dataset>: no variable w0"):
        sp.fit(opened(stations.path)["v0"], variable="w0")


def test_a_curve_is_a_table(asked, stations):
    expected = make_curve_result()
    with pytest.warns(UserWarning, match="^left out of") as caught:
        table = sp.draw_curve(opened(stations.path), max_loss=0.1, rounds=2)
    assert [str(warning.message) for warning in caught] == [*expected.record.warnings]
    assert [*table["rmse"]] == [point.rmse for point in expected.points]
    assert table.attrs["knee"] == expected.record.knee.model_dump()
    ((recipe, options),) = asked
    assert (options["max_loss"], recipe.mask.rounds) == (0.1, 2)
    assert not options["out"].parent.exists()
    with pytest.raises(sp.SensorplanError, match=r"^max_loss = 0; expected 0 < max_loss < 1"):
        sp.draw_curve(stations.path, max_loss=0)
    with pytest.raises(sp.SensorplanError, match=r"^sparsity = 0.4; unknown setting"):
        sp.draw_curve(stations.path, sparsity=0.4)


def test_a_curve_has_the_default_of_the_command(asked, stations, tmp_path):
    with pytest.warns(UserWarning, match="^left out of"):
        sp.draw_curve(stations.path, out=tmp_path / "c")
    assert asked[0][1]["max_loss"] == 0.05
    assert asked[0][1]["out"] == tmp_path / "c"


def test_a_comparison_is_a_table(asked, stations):
    expected = make_comparison_result().comparison
    with pytest.warns(UserWarning, match="^k-centre is left out") as caught:
        table = sp.compare(stations.path, sparsity=0.5, method=["qr"], judge="ridge", cover="3km")
    assert [str(warning.message) for warning in caught] == [*expected.warnings]
    assert [*table["rmse"]] == [row.rmse for row in expected.rows]
    ((recipe, options),) = asked
    assert (options["sparsities"], options["methods"], options["judges"]) == (
        [0.5],
        ["qr"],
        ["ridge"],
    )
    assert recipe.constraints.cover == "3km"
    with pytest.raises(sp.SensorplanError, match=r"^budget = 3; unknown setting"):
        sp.compare(stations.path, budget=3)


def test_the_folder_that_the_command_line_reads(plan, tmp_path):
    folder = plan.save(tmp_path / "mine.plan")
    assert run("export-map", str(folder), "-o", str(tmp_path / "map.csv")).exit_code == 0
    assert read_deployment(folder)["sensor"].to_list() == plan.ranking["sensor"].to_list()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_page_on_notebooks_does_what_it_says(asked, stations, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(stations.path, "data.nc")
    opened(stations.path).isel(time=slice(-30, None)).to_netcdf("new.nc")
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
    names = {}
    for block in blocks:
        exec(block, names)
    assert len(asked) == 7
    assert capsys.readouterr().out.startswith("sparsty = 0.4; unknown setting, did you mean")
    assert {file.name for file in tmp_path.iterdir()} == {
        *("data.nc", "new.nc", "mine.plan", "mine.html", "mine.png")
    }
    assert len(names["table"]) > 0
    names["ds"].close()
    names["new"].close()


def test_the_page_on_notebooks_names_what_a_plan_has():
    table = DOCS.split("## What comes out")[1].split("##")[0]
    shown = {
        name
        for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)", cell)
    }
    public = {name for name in dir(sp.SensorPlan) if not name.startswith("_")}
    assert shown == public | {"folder", "record", "warnings"}
