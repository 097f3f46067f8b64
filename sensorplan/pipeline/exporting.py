"""`export-model`: the forecaster of a plan as a file that runs without sensorplan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sensorplan.errors import OutputError, RecipeError
from sensorplan.exports.files import check_file, write_file
from sensorplan.pipeline.gateway import Gateway
from sensorplan.pipeline.model_formats import FORMATS, Inputs, Runner
from sensorplan.pipeline.saved import Saved, load_forecaster
from sensorplan.plan import Plan
from sensorplan.windows import CYCLES

DEFAULT = "onnx"
SCHEMA_VERSION = 1
SMALLEST_SPREAD = 1e-12
MISSING = 0.1  # share of the readings that the check leaves out
TOLERANCE = 1e-4  # of the largest deviation from the mean forecast


@dataclass(frozen=True)
class ExportedModel:
    """What `export-model` made.

    Attributes:
        file: The model.
        about: What a gateway must know, as in the file.
        difference: Largest difference to the plan's own forecast, as a share of the spread of the
            forecasts; None where the model could not be run here.
        warnings: Plain sentences.
    """

    file: Path
    about: dict[str, Any]
    difference: float | None
    warnings: tuple[str, ...]


def export_model(
    plan_folder: Path,
    *,
    form: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> ExportedModel:
    """Write the forecaster of a plan as ONNX or TorchScript, and run it once to compare.

    Args:
        plan_folder: What `fit` wrote.
        form: Of `FORMATS`; None: what the ending of `out` says, else ONNX.
        out: The file; None: the plan's name with the format's ending, in the working folder.
        overwrite: Replace what stands there.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    form = form or _form_of(out)
    if form not in FORMATS:
        raise RecipeError(f"--format {form}; expected one of {', '.join(FORMATS)}")
    format = FORMATS[form]
    target = out or Path(plan_folder.absolute().name.removesuffix(".plan") + format.ending)
    check_file(target, overwrite)
    format.check_packages(form)
    Plan.load(plan_folder)
    saved = load_forecaster(plan_folder)
    gateway, about = Gateway(saved).eval(), about_model(saved)
    content = format.write(gateway, _trial_inputs(gateway, windows=2), about)
    run = format.runner(content)
    difference, notes = None, []
    if run is None:
        notes.append("not checked by running it: onnxruntime is not installed")
    else:
        difference = _difference(gateway, run)
        if not difference <= TOLERANCE:
            raise OutputError(
                f"{target}: not written; its forecasts differ from the plan's own by "
                f"{difference:.1g} of their spread, more than {TOLERANCE:g}"
            )
    write_file(target, content, overwrite)
    return ExportedModel(target, about, difference, tuple(notes))


def about_model(saved: Saved) -> dict[str, Any]:
    """What a gateway must know beside the model; see docs/export-model.md."""
    about = saved.about
    kept = saved.kept_sensors
    return {
        "schema_version": SCHEMA_VERSION,
        "readings": [name for name, there in zip(about.sensors, kept, strict=True) if there],
        "forecast": list(about.sensors),
        "variables": [variable.model_dump() for variable in about.variables],
        "lookback": about.lookback,
        "horizon": about.horizon,
        "step": about.step,
        "step_length": about.step_length,
        "time_unit": about.time_unit,
        "calendar": about.calendar,
        "cycles": [
            {"cycle": name, "harmonics": about.harmonics[name]}
            for name in CYCLES
            if name in about.harmonics
        ],
    }


def _form_of(out: Path | None) -> str:
    """The format that an ending stands for.

    Raises:
        RecipeError: The ending is unknown.
    """
    if out is None:
        return DEFAULT
    forms = {format.ending: form for form, format in FORMATS.items()}
    if out.suffix.lower() not in forms:
        known = ", ".join(forms)
        raise RecipeError(f"-o {out}: unknown ending; expected one of {known}, or --format")
    return forms[out.suffix.lower()]


def _trial_inputs(gateway: Gateway, windows: int) -> Inputs:
    """Readings around each sensor's usual level, some missing, at calendar times like real ones."""
    random = torch.Generator().manual_seed(windows)
    steps, kept = gateway.lookback + gateway.horizon, gateway.kept_regions
    phases = 2 * torch.pi * torch.rand((windows, steps, gateway.features), generator=random)
    slots = gateway.level.shape[1] // gateway.variables
    level = (gateway.level / gateway.unit)[gateway.kept].view(kept * slots, gateway.variables)
    spread = (gateway.scale / gateway.unit)[gateway.kept].view(kept * slots, gateway.variables)
    used = gateway.slots < gateway.sensors_read  # of the slots; each sensor stands in one
    order = gateway.slots[used].argsort()
    level, spread = level[used][order], spread[used][order]
    shape = (windows, gateway.lookback, *level.shape)
    readings = level + spread * torch.randn(shape, generator=random)
    readings[torch.rand(shape, generator=random) < MISSING] = torch.nan
    return (readings, phases.sin()) if gateway.features else (readings,)


def _difference(gateway: Gateway, run: Runner) -> float:
    """Largest difference of the forecasts, as a share of their largest deviation from the mean."""
    largest = 0.0
    for windows in (1, 5):
        inputs = _trial_inputs(gateway, windows)
        with torch.no_grad():
            expected = gateway(*inputs).numpy()
        found = run(inputs)
        if found.shape != expected.shape or (np.isnan(found) != np.isnan(expected)).any():
            return float("inf")
        spread = max(float(np.nanmax(np.abs(expected - np.nanmean(expected)))), SMALLEST_SPREAD)
        largest = max(largest, float(np.nanmax(np.abs(found - expected)) / spread))
    return largest
