"""What switching sensors off saves at inference: the compact forecaster beside the dense one.

Each backbone is built for a grid of one region, with random weights (speed does not depend on
them). Dense is what one would run with all sensors on: the faster of the backbone with every gate 1
and its compact form with everything kept. All are timed by turns in one process, forwards and
backwards, after a round to warm up; a figure is the median over the rounds. With one thread it is
processor time, which is the wall time of a machine that does nothing else; with more, wall time.

To decode all regions takes the same time for any sensors. It is read off the line t = a + b x kept
through the times of the compact forms: "fixed" is a, the rest is for reading the kept sensors. It
is negative where time grows faster than the sensors, as with attention among them.

Multiply-adds are those of matrix products and convolutions; parameters are all the numbers that a
forecaster stores.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from measuring import new_parser, say, show, write_figures
from scaling import make_grid
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sensorplan.devices import prepare_torch
from sensorplan.errors import DataError
from sensorplan.forecasters import FORECASTERS, Backbone, Network, build_backbone
from sensorplan.plan import budget_at
from sensorplan.regions import Topology

REGIONS = (1024,)
SPARSITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BATCHES = (1, 64)
TIMES = 400
LOOKBACK, HORIZON = 12, 6  # what an hourly series has by default
CALENDAR = 14  # features of an hourly series of some weeks
LEAST_ROUNDS = 5
LEAST_SECONDS = 0.002  # of one timing; what is faster is repeated
COMPILERS = ("c++", "g++", "clang++")
COLUMNS = (
    "backbone",
    "mode",
    "regions",
    "batch",
    "off",
    "dense ms",
    "compact ms",
    "compact/dense",
    "saved",
    "fixed ms",
    "fixed/compact",
    "k parameters",
    "of dense",
    "M mult-adds",
    "of dense",
)


@dataclass(frozen=True)
class Contender:
    """A forecaster with an input to time it with.

    Attributes:
        kept: Regions that it reads.
        module: The forecaster.
        inputs: What it is called with.
    """

    kept: int
    module: nn.Module
    inputs: tuple[Tensor, ...]

    @property
    def stored(self) -> int:
        """Numbers that it stores."""
        return sum(tensor.numel() for tensor in self.module.state_dict().values())

    @property
    def multiply_adds(self) -> int:
        """Of one call."""
        with FlopCounterMode(display=False) as counter:
            self.module(*self.inputs)
        return counter.get_total_flops() // 2

    def call(self, mode: str) -> Callable[[], object]:
        """A call in one of the modes, ready to be timed."""
        module = torch.compile(self.module) if mode == "compiled" else self.module

        def forecast() -> object:
            with torch.inference_mode(), torch.autocast("cpu", enabled=mode == "bfloat16"):
                return module(*self.inputs)

        return forecast


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--backbone", nargs="+", default=tuple(FORECASTERS), metavar="NAME")
    parser.add_argument("--regions", type=int, nargs="+", default=REGIONS, help="default 1024")
    parser.add_argument("--sparsity", type=float, nargs="+", default=SPARSITIES)
    parser.add_argument("--batch", type=int, nargs="+", default=BATCHES, help="default 1 64")
    parser.add_argument(
        "--seconds", type=float, default=12, help="to time a backbone at a batch size, default 12"
    )
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--bf16", action="store_true", help="also in bfloat16, by autocast")
    parser.add_argument("--compile", action="store_true", help="also by torch.compile")
    options = parser.parse_args()
    if not all(0 <= sparsity < 1 for sparsity in options.sparsity):
        parser.error("--sparsity: expected 0 <= sparsity < 1")
    prepare_torch()
    torch.set_num_threads(options.threads)

    rows: list[dict[str, Any]] = []
    for regions in options.regions:
        network = make_network(regions)
        for name in options.backbone:
            torch.manual_seed(0)
            try:
                backbone = build_backbone(name, {}, network).eval()
            except DataError as error:
                say(f"{name} is left out: {error}")
                continue
            for mode in modes_of(options):
                for batch in options.batch:
                    measured = measure(backbone, network, batch, mode, options)
                    rows += [{"backbone": name, "mode": mode, **row} for row in measured]
                    say(f"{name}, {mode}, {network.regions} regions, batch {batch}")
    title = f"One forecast of all regions; threads: {options.threads}"
    show(title, COLUMNS, [line(row) for row in rows])
    write_figures(options.json, "inference", {"threads": options.threads, "rows": rows})


def modes_of(options: Any) -> list[str]:
    """``float32``, and what else was asked for and is possible."""
    modes = ["float32"] + ["bfloat16"] * options.bf16
    if options.compile and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        say(f"--compile is left out: no C++ compiler (CXX, {', '.join(COMPILERS)})")
    elif options.compile:
        modes.append("compiled")
    return modes


def make_network(regions: int) -> Network:
    """A standardised smooth field on a grid of about so many cells."""
    field = make_grid(regions, TIMES, seed=0)["t2m"].to_numpy()  # [time, row, column]
    cells = np.argwhere(np.ones(field.shape[1:], bool))
    series = field.reshape(TIMES, -1, 1)
    anomalies = (series - series.mean(0)) / series.std(0)
    topology = Topology(50 + cells / 8, geographic=True, cells=cells)
    valid = np.ones(anomalies.shape, bool)
    return Network(LOOKBACK, HORIZON, anomalies, valid, CALENDAR, topology)


def measure(
    backbone: Backbone, network: Network, batch: int, mode: str, options: Any
) -> list[dict[str, Any]]:
    """A row for each sparsity."""
    ones = torch.ones(network.regions)
    history, seen, calendar = make_inputs(network, batch)
    masked = Contender(network.regions, backbone, (history, seen, calendar, ones))
    compact = []
    for sparsity in (0, *options.sparsity):
        kept = torch.randperm(network.regions)[: budget_at(sparsity, network.regions)].sort().values
        gate = torch.zeros_like(ones).index_fill(0, kept, 1)
        inputs = history[:, kept], seen[:, kept], calendar
        compact.append(Contender(len(kept), backbone.compact(gate).eval(), inputs))

    calls = [contender.call(mode) for contender in (masked, *compact)]
    masked_ms, full_ms, *times = time_by_turns(calls, options.seconds)
    fixed_ms = np.polyfit([contender.kept for contender in compact], [full_ms, *times], 1)[1]
    dense, dense_ms = (masked, masked_ms) if masked_ms < full_ms else (compact[0], full_ms)
    return [
        {
            "regions": network.regions,
            "batch": batch,
            "sparsity": sparsity,
            "dense_ms": dense_ms,
            "compact_ms": compact_ms,
            "saved": 1 - compact_ms / dense_ms,
            "fixed_ms": fixed_ms,
            "dense_parameters": dense.stored,
            "compact_parameters": contender.stored,
            "dense_multiply_adds": dense.multiply_adds,
            "compact_multiply_adds": contender.multiply_adds,
        }
        for sparsity, contender, compact_ms in zip(
            options.sparsity, compact[1:], times, strict=True
        )
    ]


def make_inputs(network: Network, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Histories of all regions, with every tenth value missing, and a calendar."""
    shape = batch, network.regions, network.lookback * network.channels
    seen = (torch.rand(shape) < 0.9).float()
    return torch.randn(shape) * seen, seen, torch.randn(batch, network.calendar_features)


def time_by_turns(calls: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """Milliseconds of each call: the median over as many rounds as there is time for."""
    for call in calls:  # what happens at the first call only
        call()
    once = [time_call(call, 1) for call in calls]
    repeats = [max(1, round(LEAST_SECONDS / duration)) for duration in once]
    round_seconds = sum(map(max, once, [LEAST_SECONDS] * len(once)))
    rounds = max(LEAST_ROUNDS, int(seconds / round_seconds))
    durations: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        for place in range(len(calls))[:: 1 - 2 * (number % 2)]:
            durations[place].append(time_call(calls[place], repeats[place]))
    return [1000 * median(of_one) for of_one in durations]


def time_call(call: Callable[[], object], repeats: int) -> float:
    """Mean seconds of a call."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    for _ in range(repeats):
        call()
    return (clock() - begin) / repeats


def line(row: dict[str, Any]) -> list[str]:
    """A row as text."""
    parameters, work = row["compact_parameters"], row["compact_multiply_adds"]
    return [
        row["backbone"],
        row["mode"],
        f"{row['regions']:,}",
        str(row["batch"]),
        f"{100 * row['sparsity']:g} %",
        f"{row['dense_ms']:.2f}",
        f"{row['compact_ms']:.2f}",
        f"{row['compact_ms'] / row['dense_ms']:.3f}",
        f"{100 * row['saved']:.0f} %",
        f"{row['fixed_ms']:.2f}",
        f"{100 * row['fixed_ms'] / row['compact_ms']:.0f} %",
        f"{parameters / 1e3:,.0f}",
        f"{parameters / row['dense_parameters']:.2f}",
        f"{work / 1e6:,.1f}",
        f"{work / row['dense_multiply_adds']:.2f}",
    ]


if __name__ == "__main__":
    main()
