import json

import pytest

from sensorplan import checkpoints
from sensorplan.checkpoints import Checkpoints, is_checkpoints, is_unfinished

RUN = {"settings": "a", "data": "b"}


def opened(folder, run=RUN):
    """Checkpoints of a run, and what they tell."""
    told = []
    return Checkpoints(folder, run, told.append), told


def written(folder, *contents, run=RUN):
    """Checkpoints of a run that has ended; the folder that they lie in."""
    mine, _ = opened(folder, run)
    assert mine.newest() is None
    for step, content in enumerate(contents):
        mine.write(content, "train", step)
    return mine._own


def damage_by_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "bit": damage_by_a_bit,
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
}


def test_the_newest_of_two_is_read(tmp_path):
    own = written(tmp_path / "a.plan", b"one", b"two", b"three")
    names = [f"{n:06d}.{end}" for n in (2, 3) for end in ("json", "safetensors")]
    assert sorted(file.name for file in own.iterdir()) == names
    mine, told = opened(tmp_path / "a.plan")
    found = mine.newest()
    assert (found.content, found.stage, found.step) == (b"three", "train", 2)
    assert told == []


def test_nothing_is_made_before_the_first_is_written(tmp_path):
    mine, told = opened(tmp_path / "a.plan")
    assert mine.newest() is None
    assert not mine.any
    assert list(tmp_path.iterdir()) == []
    assert told == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path, damage):
    own = written(tmp_path / "a.plan", b"the first", b"the second")
    DAMAGES[damage](own / "000002.safetensors")
    mine, told = opened(tmp_path / "a.plan")
    assert mine.newest().content == b"the first"
    assert len(told) == 1
    assert "000002.json: damaged checkpoint, not used (" in told[0]
    mine.write(b"the third", "train", 3)
    assert sorted(file.stem for file in own.glob("*.json")) == ["000001", "000003"]
    assert not (own / "000002.safetensors").exists()
    assert opened(tmp_path / "a.plan")[0].newest().content == b"the third"


@pytest.mark.parametrize("place", ["000001", "000002"])
def test_no_bit_of_the_json_can_be_wrong_unnoticed(tmp_path, place):
    """Whatever bit falls over: the newest whole content is read, and never another one."""
    own = written(tmp_path / "a.plan", b"the first", b"the second")
    file = own / f"{place}.json"
    right = file.read_bytes()
    for byte in range(len(right)):
        file.write_bytes(right[:byte] + bytes([right[byte] ^ 4]) + right[byte + 1 :])
        mine, _ = opened(tmp_path / "a.plan")
        found = mine.newest()
        assert found.content in (b"the first", b"the second")
        if place == "000001":
            assert found.content == b"the second"


def test_when_none_is_whole_the_run_starts_afresh(tmp_path):
    own = written(tmp_path / "a.plan", b"the first", b"the second")
    for file in own.glob("*.safetensors"):
        damage_by_a_bit(file)
    mine, told = opened(tmp_path / "a.plan")
    assert mine.newest() is None
    assert [line.split(": ", 1)[1].split(" (")[0] for line in told] == [
        *["damaged checkpoint, not used"] * 2,
        "no checkpoint is whole; the run starts afresh",
    ]
    mine.write(b"anew", "train", 1)
    assert opened(tmp_path / "a.plan")[0].newest().content == b"anew"


def test_another_format_is_refused(tmp_path, monkeypatch):
    written(tmp_path / "a.plan", b"one")
    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    mine, told = opened(tmp_path / "a.plan")
    assert mine.newest() is None
    assert "not used (format 1, expected 2)" in told[0]


def test_another_run_neither_reads_nor_removes_them(tmp_path):
    own = written(tmp_path / "a.plan", b"one")
    mine, told = opened(tmp_path / "a.plan", {**RUN, "data": "c"})
    assert mine.newest() is None
    assert [line.split(": ", 1)[1] for line in told] == [
        "holds checkpoints of another run (other data); they stay there until a plan is written, "
        "and this run starts afresh"
    ]
    mine.write(b"of another", "train", 1)
    assert opened(tmp_path / "a.plan")[0].newest().content == b"one"
    assert len(list(own.parent.iterdir())) == 2


def test_one_that_cannot_be_written_is_told_of(tmp_path, monkeypatch):
    written(tmp_path / "a.plan", b"one")
    mine, told = opened(tmp_path / "a.plan")
    mine.newest()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_durably", full)
    mine.write(b"two", "train", 2)
    assert told == [f"{mine._own}: no checkpoint written (No space left on device)"]
    monkeypatch.undo()
    assert opened(tmp_path / "a.plan")[0].newest().content == b"one"


def test_a_kill_while_writing_leaves_the_one_before(tmp_path, monkeypatch):
    """At each point where the disk is touched."""
    works = checkpoints.write_durably
    for point in range(4):
        folder = tmp_path / f"{point}.plan"
        own = written(folder, b"one")
        mine, _ = opened(folder)
        mine.newest()
        left = [point]

        def kill(path, content, left=left):
            if left[0] in (0, 1):
                works(path, content[: len(content) // 2] if left[0] == 0 else content)
                raise KeyboardInterrupt
            left[0] -= 2
            works(path, content)

        monkeypatch.setattr(checkpoints, "write_durably", kill)
        with pytest.raises(KeyboardInterrupt):
            mine.write(b"two", "train", 2)
        monkeypatch.setattr(checkpoints, "write_durably", works)
        mine, told = opened(folder)
        assert mine.newest().content == b"one"
        assert told == []
        mine.write(b"three", "train", 3)
        assert not list(own.glob("*.partial"))


def test_a_kill_while_the_folders_are_made_is_no_obstacle(tmp_path):
    folder = tmp_path / "a.plan"
    for part in (folder, folder / "checkpoints", folder / "checkpoints" / f"{0:016x}"):
        part.mkdir()
        assert is_unfinished(folder)
        assert opened(folder)[0].newest() is None


def test_a_folder_of_checkpoints_holds_nothing_else(tmp_path):
    own = written(tmp_path / "a.plan", b"one")
    place = own.parent
    assert is_checkpoints(place)
    assert is_unfinished(tmp_path / "a.plan")
    (tmp_path / "a.plan" / "mine.txt").touch()
    assert not is_unfinished(tmp_path / "a.plan")
    (own / "model.pt").touch()
    assert not is_checkpoints(place)
    (own / "model.pt").unlink()
    (place / "epoch 3").mkdir()
    assert not is_checkpoints(place)
    assert not is_checkpoints(tmp_path / "a.plan")
    assert not is_unfinished(tmp_path / "nothing")


def test_the_json_says_what_it_is(tmp_path):
    own = written(tmp_path / "a.plan", b"one")
    about = json.loads((own / "000001.json").read_bytes())
    assert about.keys() == {"format", "run", "stage", "step", "bytes", "sha256"}
    assert (about["format"], about["run"], about["bytes"]) == (1, RUN, 3)
