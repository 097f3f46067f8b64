"""What `--log` writes."""

import re
import sys
from datetime import datetime
from pathlib import Path

import pytest
from test_cli import COMMANDS, make_result, pipeline, run  # noqa: F401

from sensorplan.cli.log import LOG
from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.version import __version__, versions

LONG = ("batch", "fit", "curve", "compare", "evaluate", "forecast")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "run.log"


def lines_of(log):
    """``(level, message)`` of each line, once its time is seen to be one."""
    lines = [line.split(" ", 2) for line in log.read_text(encoding="utf-8").splitlines()]
    for time, *_ in lines:
        assert datetime.fromisoformat(time).tzinfo
    return [(level, message) for _, level, message in lines]


def test_what_works_long_can_be_logged():
    logged = {name for name in COMMANDS if "log" in {param.name for param in COMMANDS[name].params}}
    assert logged == set(LONG)


def test_a_run_is_told_from_its_command_to_its_end(pipeline, log, monkeypatch):  # noqa: F811
    monkeypatch.setattr(sys, "argv", ["/bin/sensorplan", "fit", "a b.nc"])
    assert run("fit", "a.nc", "--seed", "7", "--quiet", "--log", log).exit_code == 0
    lines = lines_of(log)
    assert lines[0] == ("INFO", f"run: sensorplan fit 'a b.nc', in {Path.cwd()}")
    assert lines[1][1].startswith(f"versions: sensorplan {__version__}, python 3.")
    assert all(f"{name} {number}" in lines[1][1] for name, number in versions().items())
    assert '"path":["a.nc"]' in lines[2][1]
    assert '"seed":7' in lines[2][1]
    assert [level for level, _ in lines[3:]] == ["INFO", "INFO", "WARNING", "INFO"]
    begins, ends, warning, done = (message for _, message in lines[3:])
    assert begins == "training [/x]: begins"
    assert re.fullmatch(r"training \[/x\]: ends after \d+\.\d s", ends)
    assert warning == "gaps: [bold]48 %[/bold] of the values are missing"
    assert done == "done"
    assert len(LOG.handlers) == 1  # the file is let go


def test_lines_are_there_as_they_happen(pipeline, log):  # noqa: F811
    def look():
        assert lines_of(log)[-1][1].startswith("training [/x]: ends")
        return make_result()

    pipeline.on_fit = look
    assert run("fit", "a.nc", "--log", log).exit_code == 0


def test_a_second_run_is_appended(pipeline, log):  # noqa: F811
    run("fit", "a.nc", "--log", log)
    first = log.read_text()
    run("fit", "b.nc", "--log", log)
    assert log.read_text().startswith(first)
    assert [message for _, message in lines_of(log)].count("done") == 2


def test_a_file_that_was_put_in_its_place_is_written_on(pipeline, log):  # noqa: F811
    def replace():
        new = log.with_name("new")
        new.write_bytes(log.read_bytes())
        new.replace(log)
        return make_result()

    pipeline.on_fit = replace
    run("fit", "a.nc", "--log", log)
    assert lines_of(log)[-1] == ("INFO", "done")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("data[/x].nc: no\ntime"), "data[/x].nc: no time"),
        (ZeroDivisionError("a bug"), "ZeroDivisionError('a bug')"),
    ],
)
def test_an_error_is_logged_with_its_traceback(pipeline, log, error, said):  # noqa: F811
    def fail():
        raise error

    pipeline.on_fit = fail
    assert run("fit", "a.nc", "--log", log).exit_code != 0
    text = log.read_text()
    assert re.search(rf"^\S+ ERROR {re.escape(said)}\nTraceback", text, re.MULTILINE)
    assert "in fail\n" in text
    assert "done" not in text


def test_an_interrupt_is_logged(pipeline, log):  # noqa: F811
    def interrupt():
        raise KeyboardInterrupt

    pipeline.on_fit = interrupt
    run("fit", "a.nc", "--log", log)
    assert lines_of(log)[-1] == ("ERROR", "interrupted")


def test_a_wrong_setting_is_logged(log):
    assert run("fit", "a.nc", "--sparsity", "2", "--log", log).exit_code == RecipeError.exit_code
    assert "ERROR --sparsity 2.0; expected 0 <= sparsity < 1\n" in log.read_text()


@pytest.mark.parametrize("command", LONG)
@pytest.mark.parametrize(
    ("path", "reason"), [("none[/x]/run.log", "No such file or directory"), (".", "Is a directory")]
)
def test_a_log_that_cannot_be_written_is_said_before_any_work(
    pipeline,  # noqa: F811
    tmp_path,
    command,
    path,
    reason,
):
    result = run(command, "a.nc", "b.nc", "--log", tmp_path / path)
    assert (result.exit_code, result.stdout) == (OutputError.exit_code, "")
    assert result.stderr == f"Error: --log {tmp_path / path}: cannot be written ({reason})\n"
    assert not pipeline.calls


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_before_any_work(pipeline):  # noqa: F811
    result = run("fit", "a.nc", "--log", "/dev/full")
    assert result.exit_code == OutputError.exit_code
    assert result.stderr.startswith("Error: --log /dev/full: cannot be written (")
    assert not pipeline.calls


def test_a_disk_that_fills_later_does_not_end_the_run(pipeline, log):  # noqa: F811
    def fill():
        def emit(record):
            raise OSError("no space")

        LOG.handlers[-1].stream.write = emit
        return make_result()

    pipeline.on_fit = fill
    result = run("fit", "a.nc", "--quiet", "--log", log)
    assert result.exit_code == 0
    said = f"Warning: --log {log}: cannot be written (no space); the run goes on without"
    assert result.stderr.splitlines()[-1] == said
    assert result.stderr.count("cannot be written") == 1


def test_without_a_log_nothing_is_said_twice(pipeline):  # noqa: F811
    assert run("fit", "a.nc").stderr.count("48 %") == 1
