"""What is told of how far a run is."""

import contextlib
import io
import re
import sys

import pytest

from sensorplan.cli import progress
from sensorplan.cli.progress import MOST_BARS, StageReport
from sensorplan.pipeline.recording import Stages


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make_terminal(monkeypatch, kind="xterm"):
    """What stands in the place of stderr."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("COLUMNS", "60")
    return stderr


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test turns."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_stage_counts_as_done_only_when_it_ends():
    told = []
    stage = Stages(lambda *report: told.append(report))
    with stage("train", 3) as done:
        done(2)
        done(3)
    with stage("nothing to judge", 0):
        pass
    assert told == [
        *(("train", 0, 3), ("train", 2, 3), ("train", 2, 3), ("train", 3, 3)),
        *(("nothing to judge", 0, 1), ("nothing to judge", 1, 1)),
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_on_a_terminal_there_are_bars(monkeypatch, quiet):
    terminal = make_terminal(monkeypatch)
    with StageReport(quiet) as report, contextlib.suppress(ZeroDivisionError):
        report("reading [/x]", 0, 1)
        report("training", 3, 10)
        raise ZeroDivisionError
    assert ("reading [/x]" in terminal.getvalue()) is not quiet
    assert ("30%" in terminal.getvalue()) is not quiet


def test_a_bar_says_how_long_is_left(monkeypatch):
    terminal = make_terminal(monkeypatch)
    now = [0.0]
    with StageReport(quiet=False) as report:
        report._bars.get_time = lambda: now[0]
        report("fold 1 of 3, seed 2: train forecaster", 0, 10)
        report("read", 0, 1)
        for done in (1, 2, 3, 4):
            now[0] = 10.0 * done
            report("fold 1 of 3, seed 2: train forecaster", done, 10)
        report._bars.refresh()
    drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", terminal.getvalue())
    lines = [line.rstrip() for line in drawn.replace("\r", "\n").splitlines()][-2:]
    assert lines[0].split()[-3:] == ["40%", "0:01:00", "left"]
    assert lines[1].split()[-1] == "0:00:40"  # of what has no parts, how long it has been going
    assert all(len(line) <= 60 for line in lines)


def test_many_stages_do_not_fill_the_terminal(monkeypatch):
    make_terminal(monkeypatch)
    with StageReport(quiet=False) as report:
        for number in range(MOST_BARS + 3):
            report(f"stage {number}", 1, 1)
        shown = [task.description for task in report._bars.tasks if task.visible]
    assert shown == [f"stage {number}" for number in range(3, MOST_BARS + 3)]


def tell(report, clock, seconds=1.0, parts=100):
    for done in range(parts + 1):
        report("train", done, parts)
        clock[0] += seconds


def test_elsewhere_there_is_a_line_now_and_then(capsys, clock):
    with StageReport(quiet=False) as report:
        tell(report, clock)
        tell(report, clock, seconds=0.1)
    assert capsys.readouterr().err.splitlines() == [
        "train ...",
        "train: 30 %, 0:01:10 left",
        "train: 60 %, 0:00:40 left",
        "train: 90 %, 0:00:10 left",
        "train ...",
    ]


def test_quiet_says_nothing(capsys, clock):
    with StageReport(quiet=True) as report:
        tell(report, clock)
    assert capsys.readouterr().err == ""


def test_a_dumb_terminal_gets_lines_too(monkeypatch):
    terminal = make_terminal(monkeypatch, "dumb")
    with StageReport(quiet=False) as report:
        report("read", 0, 1)
        report("read", 1, 1)
    assert terminal.getvalue() == "read ...\n"
