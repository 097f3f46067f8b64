import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sensorplan.errors import RecipeError
from sensorplan.memory import Memory, bytes_for
from sensorplan.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), (" 1.5 GB ", 1.5e9), ("2GiB", 2**31), ("3000MB", 3e9)]
)
def test_sizes_are_understood(text, size):
    assert Recipe.model_validate({"run": {"memory": text}}).run.memory == text
    assert Memory.of(text, Path()).size == size


@pytest.mark.parametrize("text", ["4", "4 apples", "-4GB", "4gb", "GB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="memory"):
        Recipe.model_validate({"run": {"memory": text}})


def test_less_than_the_program_needs_is_refused():
    with pytest.raises(RecipeError, match=r"--memory 10MB: the program itself.*at least 1GB"):
        Memory.of("10MB", Path())


def test_the_folder_is_beside_the_plan_unless_tmpdir_names_another(monkeypatch, tmp_path):
    monkeypatch.delenv("TMPDIR", raising=False)
    assert Memory.of("2GB", tmp_path).folder == tmp_path
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert Memory.of("2GB", tmp_path).folder == Path("/elsewhere")


def test_a_larger_bound_holds_more():
    small, large = Memory.of("2GB", Path()), Memory.of("4GB", Path())
    assert small.holds(1_000_000)
    assert not small.holds(10**9)
    assert large.holds(100_000_000) > small.holds(100_000_000)
    assert large.most_values > small.most_values > 0
    assert bytes_for(small.most_values) == pytest.approx(2e9, rel=1e-6)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_freed_arrays_go_back_to_the_system():
    """Blocks between which small ones stay in use; in a process that has not freed any before."""
    script = """
import numpy as np, sys
import platform
import subprocess
import sys
from pathlib import Path
from sensorplan.memory import return_what_is_freed
if sys.argv[1] == "bounded":
    return_what_is_freed()
del_me = np.ones(31 << 17)
del del_me
arrays, kept = [], []
for _ in range(100):
    arrays.append(np.ones(1 << 18))
    kept.append(np.ones(1 << 10))
del arrays
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""
    free, bounded = (
        int(subprocess.run([sys.executable, "-c", script, how], capture_output=True).stdout)
        for how in ("free", "bounded")
    )
    assert bounded < free - 150_000
