"""One process at a time."""

import errno
import os
import re
import subprocess
import sys

import filelock
import pytest

from sensorplan import locking
from sensorplan.errors import OutputError
from sensorplan.locking import alone

HOLD = """
import sys, pathlib
from sensorplan.locking import alone
folder = pathlib.Path(sys.argv[1])
with alone(folder, folder / ".lock", "is at work"):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder):
    """A process that holds the lock of a folder until its stdin is closed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", HOLD, folder], **pipes)
    assert process.stdout.readline() == "held\n"
    return process


def take(folder, **options):
    with alone(folder, folder / ".lock", "is at work", **options) as warning:
        return warning


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    other = hold(tmp_path)
    try:
        with pytest.raises(OutputError, match="wait until it ends") as caught:
            take(tmp_path)
        said = re.escape(f"{tmp_path}: process {other.pid} on ") + (
            r".+ \(since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\) is at work; "
            "wait until it ends, end it, or name another folder"
        )
        assert re.fullmatch(said, str(caught.value))
        with pytest.raises(OutputError, match=f"process {other.pid} on"):  # and again
            take(tmp_path)
    finally:
        other.kill()
        other.communicate()
    assert (tmp_path / ".lock").exists()
    assert take(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_nor_does_one_process_enter_twice(tmp_path):
    with alone(tmp_path, tmp_path / ".lock", "is at work"):
        with pytest.raises(OutputError, match=f"process {os.getpid()} on"):
            take(tmp_path)
        assert (tmp_path / ".lock").exists()
    assert take(tmp_path) == ""


def test_it_is_waited_for_who_is_asked_to(tmp_path):
    other, asked = hold(tmp_path), []

    def waiting():
        asked.append(True)
        if len(asked) == 3:
            other.communicate()

    assert take(tmp_path, patience=60.0, waiting=waiting) == ""
    assert len(asked) == 3


def test_waiting_can_be_given_up(tmp_path):
    def waiting():
        raise KeyboardInterrupt

    with alone(tmp_path, tmp_path / ".lock", "is at work"), pytest.raises(KeyboardInterrupt):
        take(tmp_path, patience=60.0, waiting=waiting)
    assert take(tmp_path) == ""


@pytest.mark.parametrize("reason", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.skipif(sys.platform == "win32", reason="locks otherwise")
def test_where_there_are_no_locks_it_is_said_and_goes_on(tmp_path, monkeypatch, reason):
    def refuse(handle):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(filelock._unix, "lock_fd_nonblocking", refuse)
    assert take(tmp_path) == (
        f"{tmp_path}: cannot be locked ({os.strerror(reason)}); "
        "nothing keeps a second process away while one is at work"
    )


def test_what_cannot_be_locked_for_want_of_a_folder_is_nobody_s(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "filelock.FileLock.acquire", lambda self, **options: raise_timeout(self.lock_file)
    )
    with (
        pytest.raises(OutputError, match="x: cannot be written; name another folder"),
        alone(tmp_path / "x", tmp_path / ".x.running", "works"),
    ):
        pass


def raise_timeout(file):
    raise filelock.Timeout(file)


def test_folders_above_it_are_made_and_go_again(tmp_path):
    folder = tmp_path / "deep" / "deeper"
    assert take(folder) == ""
    assert list(tmp_path.iterdir()) == []
    with alone(folder, folder / ".lock", "is at work"):
        (folder / "mine.txt").touch()
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]


def test_what_is_raised_inside_is_let_through(tmp_path):
    for error in (TimeoutError("mine"), filelock.Timeout("mine"), OSError("mine")):
        with (
            pytest.raises(type(error)) as caught,
            alone(tmp_path, tmp_path / ".lock", "is at work"),
        ):
            raise error
        assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "_sign", lambda held: None)
    with (
        alone(tmp_path, tmp_path / ".lock", "is at work"),
        pytest.raises(OutputError, match=": another process is at work; wait"),
    ):
        take(tmp_path)
