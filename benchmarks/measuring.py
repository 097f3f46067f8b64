"""What the benchmarks share: commands run and measured, data files, and figures written down."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LIBRARIES = ("sensorplan", "torch", "numpy", "scikit-learn", "xarray")
LEAST_WIDTH = 200  # of a table: its lines are long, and never cut

# A process takes over the peak of the one that starts it, and a benchmark that has loaded torch is
# large. So a small process starts the command, and measures it.
_SMALL_PARENT = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
errors = process.stderr.read().decode(errors="replace")
moved = {}
if sys.platform == "linux":
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still to be asked
    with open(f"/proc/{process.pid}/io") as file:
        moved = dict(line.strip().split(": ") for line in file)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
code = os.waitstatus_to_exitcode(status)
cpu = usage.ru_utime + usage.ru_stime
figures = {"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}
figures["read_bytes"] = int(moved.get("rchar", 0))
figures["written_bytes"] = int(moved.get("wchar", 0))
print(json.dumps({"run": figures, "code": code, "errors": errors}))
"""


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Attributes:
        seconds: Wall time from its start to its end, loading included.
        cpu_seconds: Processor time of all its threads.
        peak_bytes: Largest resident memory.
        read_bytes: From files, those of the program itself and of the system's cache included; 0
            where the system does not say.
        written_bytes: To files; 0 where the system does not say.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_bytes: int
    written_bytes: int


def run(*arguments: str | Path) -> Run:
    """Run ``sensorplan`` with these arguments as a process of its own.

    Raises:
        SystemExit: It failed; the message holds the end of what it said.
    """
    command = [sys.executable, "-m", "sensorplan", *map(str, arguments)]
    small = [sys.executable, "-S", "-c", _SMALL_PARENT, *command]
    answer = json.loads(subprocess.run(small, check=True, capture_output=True).stdout)
    if answer["code"]:
        said = "\n".join(answer["errors"].splitlines()[-5:])
        raise SystemExit(f"{' '.join(command)} ended with {answer['code']}:\n{said}")
    return Run(**answer["run"])


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def new_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the option that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser


def write_figures(target: Path | None, benchmark: str, figures: dict[str, Any]) -> None:
    """Write the figures as one JSON object, with what they were measured on; None: nowhere."""
    if target is None:
        return
    content = {
        "benchmark": benchmark,
        **figures,
        "machine": {
            "system": platform.platform(),
            "cores": cores(),
            "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        },
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }
    target.write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, emoji=False, highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    console.print(table)


def no_progress(stage: str, parts: int) -> AbstractContextManager[Callable[[int], None]]:
    """Where a stage of `fit` would tell how far it is: nothing."""
    return nullcontext(lambda done: None)


def say(line: str) -> None:
    """Tell on stderr what is being done."""
    print(line, file=sys.stderr, flush=True)
