"""The formats that a model can be exported to: what each needs, how it is written and run."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sensorplan.errors import OutputError
from sensorplan.pipeline.gateway import CALENDAR, FORECAST, READINGS, Gateway

ABOUT = "sensorplan"  # metadata property of an ONNX file, extra file of a TorchScript one

Inputs = tuple[Tensor, ...]
"""Readings and, where there are calendar features, the calendar."""

Runner = Callable[[Inputs], NDArray[np.float32]]


@dataclass(frozen=True)
class ModelFormat:
    """One format.

    Attributes:
        ending: Of its files.
        packages: That write it, beyond what sensorplan needs anyway.
        write: From the model, inputs to trace it with and what to say of it, to a file's content.
        runner: From a file's content to what runs it; None where that cannot be had here.
    """

    ending: str
    packages: tuple[str, ...]
    write: Callable[[Gateway, Inputs, dict[str, Any]], bytes]
    runner: Callable[[bytes], Runner | None]

    def check_packages(self, name: str) -> None:
        """See that there is what writes it.

        Raises:
            OutputError: A package is missing.
        """
        for package in self.packages:
            if find_spec(package) is None:
                raise OutputError(
                    f"--format {name} needs the package {package}; pip install 'sensorplan[onnx]'"
                )


def _onnx(gateway: Gateway, inputs: Inputs, about: dict[str, Any]) -> bytes:
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.onnx.export(
            gateway,
            inputs,
            dynamo=True,
            verbose=False,
            input_names=[READINGS, CALENDAR][: len(inputs)],
            output_names=[FORECAST],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
        )
    assert program is not None
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = ABOUT, json.dumps(about)
    content: bytes = model.SerializeToString()
    return content


def _torchscript(gateway: Gateway, inputs: Inputs, about: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(gateway, inputs)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, content, _extra_files={ABOUT: json.dumps(about)})
    return content.getvalue()


def _onnx_runner(content: bytes) -> Runner | None:
    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])

    def run(inputs: Inputs) -> NDArray[np.float32]:
        names = [READINGS, CALENDAR]
        feed = {name: part.numpy() for name, part in zip(names, inputs, strict=False)}
        (forecast,) = session.run(None, feed)
        found: NDArray[np.float32] = forecast
        return found

    return run


def _torchscript_runner(content: bytes) -> Runner:
    with _quiet():
        model = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]

    def run(inputs: Inputs) -> NDArray[np.float32]:
        with torch.no_grad():
            found: NDArray[np.float32] = model(*inputs).numpy()
        return found

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' talk: they warn of their own deprecations, and log what they skip."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


FORMATS = {
    "onnx": ModelFormat(".onnx", ("onnx", "onnxscript"), _onnx, _onnx_runner),
    "torchscript": ModelFormat(".pt", (), _torchscript, _torchscript_runner),
}
