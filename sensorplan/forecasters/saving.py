"""A compact forecaster as one safetensors file, with all that a forecast needs but the history."""

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from sensorplan.errors import DataError, RecipeError
from sensorplan.forecasters.backbone import Compact
from sensorplan.forecasters.registry import empty_compact

FORMAT = 2
HEADER = "sensorplan"  # name of the metadata entry
DAMAGED_HEADER = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)


def to_bytes(
    backbone: str, compact: Compact, network: Mapping[str, Tensor], about: Mapping[str, Any]
) -> bytes:
    """A safetensors file.

    Args:
        backbone: Name of the architecture, or `BLEND`.
        compact: The forecaster.
        network: What to know of the network as tensors, under ``network.`` names: its scaling.
        about: What else to know, as JSON: names of the kept sensors, lookback and so on.
    """
    tensors = {f"forecaster.{name}": tensor for name, tensor in compact.state_dict().items()}
    tensors |= {f"network.{name}": tensor for name, tensor in network.items()}
    header = {"format": FORMAT, "backbone": backbone, "config": compact.config(), "about": about}
    return safetensors.torch.save(
        {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
        {HEADER: json.dumps(header)},  # one entry: safetensors keeps no order of several
    )


def from_bytes(content: bytes, where: str) -> tuple[Compact, dict[str, Tensor], dict[str, Any]]:
    """What `to_bytes` was given: the forecaster, the tensors of the network and the rest.

    Args:
        content: The file.
        where: Its name, for the message.

    Raises:
        DataError: The file is damaged, or of another format.
    """
    try:
        tensors = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        if header["format"] != FORMAT:
            older = isinstance(header["format"], int) and header["format"] < FORMAT
            mend = "fit the plan again" if older else f"expected {FORMAT}"
            raise DataError(
                f"{where}: format {header['format']} is of {'an older' if older else 'another'} "
                f"sensorplan; {mend}"
            )
        compact = empty_compact(header["backbone"], header["config"])
        compact.load_state_dict(_below(tensors, "forecaster."))
        return compact, _below(tensors, "network."), header["about"]
    except (safetensors.SafetensorError, RecipeError, *DAMAGED_HEADER) as error:
        raise DataError(f"{where}: no forecaster of sensorplan, or damaged ({error})") from error


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
