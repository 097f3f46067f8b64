"""What the report says, and the file of it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import pytest
from factories import make_sensor_data
from test_exports import (
    make_curve,
    make_frequency,
    make_leads,
    make_plan,
    make_ranking,
    make_reasons,
    write,
)

from sensorplan.conditions import ConditionRow
from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.exports import folder
from sensorplan.exports.folder import write_plan
from sensorplan.exports.records import read_records, records_csv
from sensorplan.exports.report import statements, write_report, writing
from sensorplan.plan import ConstraintCheck, PhaseRecord, Stability
from sensorplan.regions import nodalize


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {})


def condition(name="all", value="", **changes):
    fields = {"targets": 1234, "rmse_all": 1.0, "rmse_plan": 1.1, "rmse_ratio": 1.1}
    ends = {"ci_low": 0.98, "ci_high": 1.2}
    return ConditionRow(condition=name, value=value, **{**fields, **ends, **changes})


CONDITIONS = (condition(), condition("time_of_day", "night", rmse_ratio=float("nan")))


def write_plan_with(target, data, *, conditions=CONDITIONS, **changes):
    """A plan folder of made-up numbers; `changes` are of the plan."""
    regions = nodalize(data)
    ranking = make_ranking(regions)
    plan = make_plan(regions, ranking, 4)
    reasons = make_reasons(regions)
    write_plan(
        target,
        plan=plan.model_copy(update={"resilience": reasons.resilience, **changes}),
        ranking=ranking,
        keep_frequency=make_frequency(regions),
        reasons=reasons,
        regions=regions,
        data=data,
        curve=make_curve(),
        leads=make_leads(),
        rounds=(),
        figure_format="png",
        extra_files={"conditions.csv": records_csv(conditions, ConditionRow)},
        overwrite=True,
    )


@pytest.fixture
def plan():
    regions = nodalize(make_sensor_data())
    return make_plan(regions, make_ranking(regions), 4)


def page_of(tmp_path, data=None, **changes):
    write_plan_with(tmp_path / "a.plan", data or make_sensor_data(), **changes)
    write_report(tmp_path / "a.plan", tmp_path / "a.html", overwrite=True)
    return (tmp_path / "a.html").read_text(encoding="utf-8")


def text_of(page):
    """What a reader sees before any script runs."""
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())


def test_the_verdict_has_its_interval(plan):
    assert statements.verdict(plan, CONDITIONS) == (
        "Keep 4 of 12 sensors (67 % off): the error of forecasts of all 12 is 10.0 % above that of "
        "the full network (95 % interval -2.0 to +20.0 %); keeps 67 % of what the sensors add to "
        "the calendar."
    )


@pytest.mark.parametrize("conditions", [(), (condition(ci_low=float("nan")),), CONDITIONS[1:]])
def test_the_verdict_without_an_interval(plan, conditions):
    assert "of the full network; keeps" in statements.verdict(plan, conditions)


def test_a_plan_can_be_better_than_the_full_network(plan):
    metrics = plan.metrics.model_copy(update={"rmse_ratio": 0.988})
    better = plan.model_copy(update={"metrics": metrics})
    assert "is 1.2 % below that of the full network;" in statements.verdict(better, ())


def test_the_page_says_all_that_the_folder_holds(tmp_path):
    phase = PhaseRecord(
        sparsity=0.5,
        budget=6,
        switched_off=("S001",) * 6,
        rmse=1.05,
        mae=0.7,
        rmse_ratio=1.05,
        ci_low=1.01,
        ci_high=1.09,
    )
    page = page_of(
        tmp_path,
        warnings=("the history is short: 12 windows",),
        constraints=(ConstraintCheck(constraint="require S001", found="kept", met=True),),
        phases=(phase,),
        stability=Stability(resamples=200, block=10, mean_kept=0.625),
        interval_coverage={"0.9": 0.8986},
        split={"test": {"first": "2020-01-01", "last": "2020-02-01", "windows": 1429}},
        versions={"sensorplan": "0.0.9", "torch": "2.13.0"},
        timings={"train": 12.34},
        settings={"mask": {"budget": 4, "phases": []}, "run": {"seed": 0}},
    )
    text = text_of(page)
    order = [
        "Sensor plan of somewhere/made.nc Keep 4 of 12 sensors",
        "Warnings the history is short: 12 windows",
        "all sensors 1.00 0.700 1.000 this plan 1.10 0.770 1.100 persistence 3.00 2.10 3.000",
        "held: 89.9\xa0% for 90\xa0%".replace("\xa0", " "),
        "Over 200 resampled histories a kept one is kept 62 % of the time",
        "require S001 kept yes",
        "1 50 % 6 6 1.05 1.050 1.010 to 1.090",
        "The constraints were checked at the plan's own number, 4;",
        "Worst failure: without S",
        "5 % of the kept 1 +2.0 % +4.0 %",
        "all 1,234 1.00 1.10 1.100 0.980 to 1.200",
        "time of day night 1,234 1.00 1.10 0.980 to 1.200",
        f"sha256 {'0' * 64}",
        "times 240, each 1 h",
        "test stretch 2020-01-01 to 2020-02-01, 1,429 windows",
        "torch 2.13.0",
        "train 12.3",
        "mask.budget 4 mask.phases [] run.seed 0",
        "from a plan of sensorplan 0.0.9.",
    ]
    places = [text.find(phrase) for phrase in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_what_a_plan_does_not_have_is_left_out(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data())  # no conditions, as in older plans
    (tmp_path / "a.plan" / "curve.csv").write_text("method,sparsity,budget\n")
    write_report(tmp_path / "a.plan", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    text = text_of(page)
    for phrase in ("Warnings", "Failures", "Where the plan loses", "Phases", "Settings", "Star"):
        assert phrase not in text
    assert data_of(page)["curve_figure"] is None


def data_of(page):
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(content)


def test_the_page_names_its_language_and_title_and_loads_nothing(tmp_path):
    page = page_of(tmp_path)
    assert '<html lang="en">' in page
    assert "<title>made: 4 of 12 kept</title>" in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    policy = unescape(policy)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["']?(?!data:)""", own)


def test_the_same_plan_gives_the_same_words_and_data(tmp_path):
    first, second = page_of(tmp_path), page_of(tmp_path)
    assert text_of(first) == text_of(second)


def test_hostile_text_is_escaped(tmp_path):
    evil = "</script><script>alert(1)</script>"
    data = replace(make_sensor_data(), sensors=(evil, *make_sensor_data().sensors[1:]))
    page = page_of(tmp_path, data, warnings=(evil,), settings={"run": {evil: evil}})
    assert evil not in page
    assert text_of(page).count(evil) == 3  # the warning, the setting and its value
    assert len(re.findall(r"<script\b", page)) == 4  # data, Bokeh twice, ours


def test_columns_that_hold_nothing_are_left_out(tmp_path):
    data = replace(make_sensor_data(positions=False), attributes={"x": (1,) * 12, "y": ("",) * 12})
    names = [column["name"] for column in data_of(page_of(tmp_path, data))["columns"]]
    assert not {"latitude", "longitude", "substitute_km"} & {*names}
    assert "x_" in names


@pytest.mark.parametrize("file", ["curve.csv", "conditions.csv"])
@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xff\xfe", b"condition,value\nall\n", None])
def test_a_damaged_table_is_named(tmp_path, file, content):
    write_plan_with(tmp_path / "a.plan", make_sensor_data())
    table = tmp_path / "a.plan" / file
    table.write_bytes(table.read_bytes()[:-20] if content is None else content)
    with pytest.raises(DataError, match=rf"{file}: damaged"):
        write_report(tmp_path / "a.plan", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_records_come_back_from_their_table(tmp_path):
    file = tmp_path / "conditions.csv"
    file.write_bytes(records_csv(CONDITIONS, ConditionRow))
    first, second = read_records(file, ConditionRow)
    assert first == CONDITIONS[0]
    assert second.model_dump_json() == CONDITIONS[1].model_dump_json()
    assert read_records(tmp_path / "none.csv", ConditionRow) == []


def test_a_missing_plan_leaves_no_file(tmp_path):
    with pytest.raises(DataError, match=r"plan.json: cannot be read"):
        write_report(tmp_path / "none.plan", tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_needs_overwrite(tmp_path):
    write_plan_with(tmp_path / "a.plan", make_sensor_data())
    (tmp_path / "a.html").write_text("mine")
    with pytest.raises(OutputError, match=r"a.html: exists already; --overwrite replaces it"):
        write_report(tmp_path / "a.plan", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == "mine"


@pytest.mark.parametrize("package", writing.NEEDED)
def test_without_what_draws_the_page(tmp_path, monkeypatch, package):
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == package else name)
    expected = rf"report needs the package {package}; pip install 'sensorplan\[report\]'"
    with pytest.raises(RecipeError, match=expected):
        write_report(tmp_path / "a.plan", tmp_path / "a.html")


def test_a_report_needs_no_torch_and_no_data(tmp_path):
    write_plan_with(tmp_path / "a.plan", make_sensor_data())
    code = (
        "import sys; from sensorplan.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "report", str(tmp_path / "a.plan"), "-o", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stdout.rstrip().endswith("</html>")
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "bokeh" in loaded
    assert "torch" not in loaded
    assert [file.name for file in tmp_path.iterdir()] == ["a.plan"]


def test_a_page_of_two_hundred_sensors_is_small(tmp_path):
    page = page_of(tmp_path, make_sensor_data(nodes=207, times=4))
    assert len(page.encode()) < 2_000_000
