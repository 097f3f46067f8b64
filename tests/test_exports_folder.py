"""The plan folder: all of it or nothing."""

import errno
import os
import sys
from pathlib import Path

import pytest
from factories import make_sensor_data
from test_cli_curve import make_points, make_record
from test_exports import rows_of, write

from sensorplan.errors import DataError, OutputError
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


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_takes_no_file_is_refused_before_training():
    with pytest.raises(OutputError, match=r"^/proc/a.plan: cannot be written; "):
        check_target(Path("/proc/a.plan"), overwrite=False)


def test_a_full_disk_is_refused_before_training(tmp_path, monkeypatch):
    def full(path, exist_ok):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(OutputError, match=r"a.plan: cannot be written; No space left on device"):
        check_target(tmp_path / "a.plan", overwrite=False)


@pytest.mark.parametrize("length", [240, 300])
def test_a_name_that_is_too_long_is_refused_before_training(tmp_path, length):
    """It may fit where its temporary name does not."""
    target = tmp_path / ("a" * length)
    for check in (check_target, files.check_file):
        with pytest.raises(OutputError, match="a: cannot be written; File name too long"):
            check(target, overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_mount_point_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda folder: folder == tmp_path)
    with pytest.raises(OutputError, match="is a mount point, which cannot be replaced; name a"):
        check_target(tmp_path, overwrite=True)
    check_target(tmp_path / "in_it", overwrite=False)


def test_a_good_target_is_checked_without_a_trace(tmp_path):
    check_target(tmp_path / "deep" / "a.plan", overwrite=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["in one step", "in two"])
def exchanging(request, monkeypatch):
    """Folders change places in one step, or as where the system cannot."""
    if request.param == "in two":
        monkeypatch.setattr(files, "exchange", lambda one, other: False)


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("moment", ["writing", "renaming"])
def test_a_fault_leaves_nothing_behind(tmp_path, monkeypatch, fault, existing, moment):
    target = tmp_path / "a.plan"
    if existing:
        write(target, make_sensor_data(nodes=5))
    before = {p: p.read_bytes() for p in sorted(target.glob("*"))}
    works, renames = files.write_durably, Path.rename

    def fail(*arguments):
        raise fault

    if moment == "writing":
        monkeypatch.setattr(
            files,
            "write_durably",
            lambda path, content: (fail if path.name == "map.png" else works)(path, content),
        )
    elif not existing:
        monkeypatch.setattr(files.Path, "replace", fail)
    else:
        monkeypatch.setattr(files, "exchange", lambda one, other: False)
        monkeypatch.setattr(
            files.Path,
            "rename",
            lambda path, to: (fail if ".partial-" in path.name else renames)(path, to),
        )
    with pytest.raises((OutputError, KeyboardInterrupt)) as caught:
        write(target, make_sensor_data(), overwrite=True)
    if isinstance(fault, OSError):
        assert str(caught.value) == f"{target}: cannot be written; No space left on device"
    assert list(tmp_path.iterdir()) == ([target] if existing else [])
    assert {p: p.read_bytes() for p in sorted(target.glob("*"))} == before


FORKS = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def killed_at(point, monkeypatch, target, content):
    """Write a folder in a process of its own that ends at a point where the disk is touched.

    Returns:
        Whether it came to that point.
    """
    process = os.fork()
    if process == 0:
        points = iter(range(10_000))

        def killing(works):
            def step(*arguments, **options):
                if next(points) == point:
                    os._exit(9)
                return works(*arguments, **options)

            return step

        for name in ("write_durably", "sync_folder", "sync_below", "exchange"):
            monkeypatch.setattr(files, name, killing(getattr(files, name)))
        for name in ("rename", "replace", "mkdir", "unlink"):
            monkeypatch.setattr(files.Path, name, killing(getattr(Path, name)))
        files.write_folder(target, content)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


@FORKS
@pytest.mark.usefixtures("exchanging")
def test_a_kill_at_any_point_loses_no_plan_and_shows_no_half_one(tmp_path, monkeypatch):
    """The old plan or the new one stands there, whole, and the next run tidies up."""
    old, new = ({name: f"{name} {age}".encode() for name in FILES} for age in ("old", "new"))
    point, killed = 0, True
    while killed:
        place = tmp_path / f"at {point}"
        target = place / "a.plan"
        files.write_folder(target, old)
        (target / "mine.txt").write_text("mine")
        killed = killed_at(point, monkeypatch, target, new)
        if target.exists():  # not between two renames, where the system cannot do it in one step
            found = {p.name: p.read_bytes() for p in target.iterdir()}
            assert found.pop("mine.txt") == b"mine"
            assert found in (old, new)
        check_target(target, overwrite=True)
        assert [entry.name for entry in place.iterdir()] == ["a.plan"]
        found = {p.name: p.read_bytes() for p in target.iterdir()}
        assert found.pop("mine.txt") == b"mine"
        assert found in (old, new)
        point += 1
    assert found == new
    assert point > len(FILES)


@FORKS
def test_a_kill_at_any_point_of_a_new_plan_shows_none_or_all(tmp_path, monkeypatch):
    point, killed = 0, True
    while killed:
        target = tmp_path / f"at {point}" / "a.plan"
        killed = killed_at(point, monkeypatch, target, dict.fromkeys(FILES, b"new"))
        assert not target.exists() or sorted(p.name for p in target.iterdir()) == FILES
        check_target(target, overwrite=True)
        left = [] if not target.parent.exists() else [p.name for p in target.parent.iterdir()]
        assert left == (["a.plan"] if target.exists() else [])
        point += 1
    assert target.exists()
    assert point > len(FILES)


@pytest.mark.usefixtures("exchanging")
def test_checkpoints_go_when_the_plan_is_there(tmp_path):
    target = tmp_path / "a.plan"
    run = target / "checkpoints" / f"{0:016x}"
    run.mkdir(parents=True)
    (run / "000001.json").touch()
    with pytest.raises(DataError, match=r"a.plan/plan.json: cannot be read \(No such file"):
        Plan.load(target)
    check_target(target, overwrite=False)
    write(target, make_sensor_data())
    assert sorted(p.name for p in target.iterdir()) == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["a.plan"]


def test_checkpoints_of_others_are_not_touched(tmp_path):
    target = tmp_path / "a.plan"
    write(target, make_sensor_data(nodes=5))
    (target / "checkpoints").mkdir()
    (target / "checkpoints" / "epoch.pt").write_text("mine")
    write(target, make_sensor_data(), overwrite=True)
    assert (target / "checkpoints" / "epoch.pt").read_text() == "mine"
    lonely = tmp_path / "b.plan" / "checkpoints"
    lonely.mkdir(parents=True)
    (lonely / "epoch.pt").write_text("mine")
    with pytest.raises(OutputError, match=r"b.plan: exists already"):
        check_target(lonely.parent, overwrite=False)
    with pytest.raises(OutputError, match=r"b.plan: holds no plan.json"):
        check_target(lonely.parent, overwrite=True)


def test_only_a_plan_folder_may_hold_checkpoints_alone(tmp_path):
    (tmp_path / "a.curve" / "checkpoints").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"a.curve: exists already"):
        check_target(tmp_path / "a.curve", overwrite=False, marker="curve.json")
