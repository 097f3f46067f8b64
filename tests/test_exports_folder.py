"""The plan folder: all of it or nothing."""

from pathlib import Path

import pytest
from factories import make_sensor_data
from test_cli_curve import make_points, make_record
from test_exports import rows_of, write

from sensorplan.errors import OutputError
from sensorplan.exports import files, folder
from sensorplan.exports.curve_folder import write_curve
from sensorplan.exports.folder import check_target
from sensorplan.plan import Plan

FILES = sorted(
    [
        *("curve.csv", "curve.png", "deployment.geojson", "map.png", "plan.json", "ranking.csv"),
        *("error_by_lead.csv", "error_by_lead.png", "error_map.png", "mask_history.csv"),
        "resilience.csv",
    ]
)


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    drawn = dict.fromkeys(("curve.png", "error_by_lead.png", "error_map.png", "map.png"), b"figure")
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: drawn)


def test_the_folder_holds_every_file_of_the_contract(tmp_path):
    extra = {"forecaster.safetensors": b"weights", "recipe.toml": b""}
    assert write(tmp_path / "new" / "a.plan", make_sensor_data(), extra_files=extra) == []
    names = sorted(p.name for p in (tmp_path / "new" / "a.plan").iterdir())
    assert names == sorted([*FILES, *extra])
    assert (tmp_path / "new" / "a.plan" / "forecaster.safetensors").read_bytes() == b"weights"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.plan"]
    loaded = Plan.load(tmp_path / "new" / "a.plan")
    assert loaded.kept == tuple(
        row["sensor"]
        for row in rows_of((tmp_path / "new" / "a.plan" / "ranking.csv").read_bytes())
        if row["decision"] == "keep"
    )


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, make_sensor_data(grid=(4, 4)), patch=(2, 2))
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_an_existing_folder_needs_overwrite(tmp_path):
    write(tmp_path / "a", make_sensor_data())
    before = (tmp_path / "a" / "ranking.csv").read_bytes()
    with pytest.raises(OutputError, match=r"a: exists already; --overwrite replaces it"):
        write(tmp_path / "a", make_sensor_data(nodes=5))
    assert (tmp_path / "a" / "ranking.csv").read_bytes() == before


def test_overwrite_replaces_the_plan_and_keeps_what_the_user_added(tmp_path):
    write(tmp_path / "a", make_sensor_data())
    (tmp_path / "a" / "notes").mkdir()
    (tmp_path / "a" / "notes" / "mine.txt").write_text("mine")
    write(tmp_path / "a", make_sensor_data(nodes=5), overwrite=True)
    assert len(rows_of((tmp_path / "a" / "ranking.csv").read_bytes())) == 5
    assert (tmp_path / "a" / "notes" / "mine.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_overwrite_leaves_no_figure_of_the_older_plan(tmp_path):
    """Neither in another format, nor one that the new plan has none of."""
    write(tmp_path / "a", make_sensor_data())
    for name in ("map.svg", "mask_history.pdf", "mine.png"):
        (tmp_path / "a" / name).touch()
    write(tmp_path / "a", make_sensor_data(), rounds=(), overwrite=True)
    left = sorted({*FILES, "mine.png"} - {"mask_history.csv"})
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == left


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_figure_of_a_curve_has_the_format_asked_for(tmp_path, format):
    options = {"record": make_record(), "curve": make_points(), "overwrite": True}
    write_curve(tmp_path / "a.curve", **options, figure_format="png")
    write_curve(tmp_path / "a.curve", **options, figure_format=format)
    names = {p.name for p in (tmp_path / "a.curve").iterdir()}
    assert names == {"curve.csv", "curve.json", f"curve.{format}"}


def test_overwrite_takes_an_empty_folder(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a", make_sensor_data(), overwrite=True)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == FILES


def test_overwrite_leaves_other_folders_and_files_alone(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"photos: holds no plan.json"):
        check_target(tmp_path / "photos", overwrite=True)
    with pytest.raises(OutputError, match=r"file: is a file"):
        check_target(tmp_path / "file", overwrite=True)
    assert (tmp_path / "photos" / "cat.jpg").exists()


def test_a_target_below_a_file_is_refused_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"written; .*file is a file, expected a folder"):
        check_target(tmp_path / "file" / "deep" / "a.plan", overwrite=False)


def test_a_good_target_is_checked_without_a_trace(tmp_path):
    check_target(tmp_path / "deep" / "a.plan", overwrite=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("moment", ["write_bytes", "rename"])
def test_a_fault_leaves_nothing_behind(tmp_path, monkeypatch, fault, existing, moment):
    target = tmp_path / "a.plan"
    if existing:
        write(target, make_sensor_data(nodes=5))
    before = {p: p.read_bytes() for p in sorted(target.glob("*"))}
    works = getattr(Path, moment)

    def fail(path, *args):
        if path.name == "map.png" or (moment == "rename" and ".partial-" in path.name):
            raise fault
        return works(path, *args)

    monkeypatch.setattr(files.Path, moment, fail)
    with pytest.raises((OutputError, KeyboardInterrupt)) as caught:
        write(target, make_sensor_data(), overwrite=True)
    if isinstance(fault, OSError):
        assert str(caught.value) == f"{target}: cannot be written; No space left on device"
    assert list(tmp_path.iterdir()) == ([target] if existing else [])
    assert {p: p.read_bytes() for p in sorted(target.glob("*"))} == before
