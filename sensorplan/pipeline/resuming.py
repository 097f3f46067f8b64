"""What a run depends on: a run that was killed is gone on with only where all of it is the same."""

import hashlib
import inspect
import platform
from dataclasses import asdict
from pathlib import Path

import threadpoolctl
import torch

from sensorplan.constraints import Constraints
from sensorplan.forecasters import find_backbone
from sensorplan.packing import fingerprint
from sensorplan.recipe import Recipe
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.team import current_team
from sensorplan.version import versions
from sensorplan.windows import TailWeight, Windows

NO_MATTER = {"data": {"path"}, "run": {"checkpoint_every", "figure_format"}}  # to what is computed


def run_key(
    recipe: Recipe, data: SensorData, regions: Regions, constraints: Constraints, windows: Windows
) -> dict[str, str]:
    """Checksums of all that settles a run, by what the user may call it.

    Files count by what was read from them, and not by their names.
    """
    value = windows.value_weight
    tails = value.limits if isinstance(value, TailWeight) else value
    weights = (windows.loss_weight, windows.region_weight, tails)
    return {
        "settings": fingerprint(recipe.model_dump(mode="json", exclude=NO_MATTER)),
        "data": fingerprint(
            (data.source.sha256, regions.names, regions.members, asdict(regions.topology), weights)
        ),
        "constraints": fingerprint(asdict(constraints)),
        "code": _code(recipe.training.backbone),
        "versions": fingerprint(versions()),
        "machine": fingerprint(_machine(windows.device)),
    }


def _code(backbone: str) -> str:
    """Checksum of sensorplan's own source and of the file that holds the backbone."""
    digest = hashlib.sha256()
    own = Path(__file__).parents[1]
    for file in [*sorted(own.rglob("*.py")), Path(inspect.getfile(find_backbone(backbone)))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _machine(device: torch.device) -> dict[str, object]:
    """What else the last digits of a sum depend on: the processor and the number of threads."""
    libraries = {
        (
            str(info["prefix"]),
            str(info["version"]),
            str(info.get("architecture")),
            info["num_threads"],
        )
        for info in threadpoolctl.threadpool_info()
        if info["user_api"] == "blas"
    }
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": (platform.machine(), torch.backends.cpu.get_cpu_capability()),
        "threads": torch.get_num_threads(),
        "processes": current_team().size,
        "linear algebra": sorted(libraries),
    }
