import pytest

from sensorplan import durable
from sensorplan.durable import exchange, sync_below, write_durably


@pytest.fixture
def synced(monkeypatch):
    """What was forced to the disk, by its number in the file system."""
    works, found = durable.os.fsync, []

    def fsync(handle):
        found.append(durable.os.fstat(handle).st_ino)
        works(handle)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    return found


def test_two_folders_change_places(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    if exchange(tmp_path / "one", tmp_path / "other"):
        assert (tmp_path / "one" / "content").read_text() == "other"
        assert (tmp_path / "other" / "content").read_text() == "one"
    else:
        assert (tmp_path / "one" / "content").read_text() == "one"


def test_what_cannot_change_places_stays(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    assert not exchange(tmp_path / "one", tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(durable.sys, "platform", "win32")
    assert not exchange(tmp_path / "one", tmp_path / "other")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one", "other"]


def test_a_file_is_on_the_disk_when_it_is_written(tmp_path, synced):
    write_durably(tmp_path / "a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"
    assert synced == [(tmp_path / "a").stat().st_ino]


def test_all_below_a_folder_is_on_the_disk(tmp_path, synced):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    sync_below(tmp_path)
    below = [tmp_path, *tmp_path.rglob("*")]
    assert set(synced) == {path.stat().st_ino for path in below if not path.is_symlink()}
