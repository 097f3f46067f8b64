"""`report` on the command line."""

import pytest
from factories import make_sensor_data
from test_cli import run
from test_report import write_plan_with

from sensorplan.errors import DataError, OutputError
from sensorplan.exports import folder


@pytest.fixture(autouse=True)
def plan(tmp_path, monkeypatch):
    """A plan folder in the working folder."""
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {})
    monkeypatch.chdir(tmp_path)
    write_plan_with(tmp_path / "net.v2.plan", make_sensor_data())


def test_the_page_is_named_after_the_plan(tmp_path):
    result = run("report", tmp_path / "net.v2.plan")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == "Wrote net.v2.html\n"
    assert (tmp_path / "net.v2.html").read_bytes().startswith(b"<!DOCTYPE html>")


def test_the_page_goes_to_a_file_or_to_stdout(tmp_path):
    assert run("report", "net.v2.plan", "-o", tmp_path / "a.html").exit_code == 0
    result = run("report", "net.v2.plan", "-o", "-")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.rstrip().endswith("</html>")
    assert not (tmp_path / "net.v2.html").exists()


def test_an_older_page_needs_overwrite(tmp_path):
    (tmp_path / "a.html").write_text("mine")
    result = run("report", "net.v2.plan", "-o", "a.html")
    assert result.exit_code == OutputError.exit_code
    assert result.stderr == "Error: a.html: exists already; --overwrite replaces it\n"
    assert (tmp_path / "a.html").read_text() == "mine"
    assert run("report", "net.v2.plan", "-o", "a.html", "--overwrite").exit_code == 0
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")


def test_what_is_no_plan_is_said_in_one_line(tmp_path):
    result = run("report", "none.plan")
    assert result.exit_code == DataError.exit_code
    assert result.stderr.startswith("Error: none.plan/plan.json: cannot be read")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "none.html").exists()
