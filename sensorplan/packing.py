"""Nested values as one safetensors file: tensors and arrays as they are, all else as JSON.

Numbers come back to the last bit, and every container as the kind that it was.
"""

import hashlib
import json
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

HEADER = "sensorplan"  # name of the metadata entry


def pack(value: object) -> bytes:
    """A value of None, bools, numbers, text, lists, tuples, dicts, arrays and tensors.

    Raises:
        TypeError: It holds anything else.
    """
    tensors: dict[str, Tensor] = {}
    tree = _flatten(value, tensors)
    return safetensors.torch.save(tensors, {HEADER: json.dumps(tree)})


def unpack(content: bytes) -> Any:
    """What `pack` was given; tensors are on the CPU."""
    length = int.from_bytes(content[:8], "little")
    tree = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
    return _build(tree, safetensors.torch.load(content))


def fingerprint(value: object) -> str:
    """SHA-256 of a value that `pack` takes."""
    return hashlib.sha256(pack(value)).hexdigest()


def _flatten(value: object, tensors: dict[str, Tensor]) -> object:
    """The value as JSON, which names the tensors that it puts into `tensors`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [_flatten(part, tensors) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [_flatten(part, tensors) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_flatten(part, tensors) for part in item] for item in value.items()]}
    name = f"{len(tensors):06d}"
    if isinstance(value, np.ndarray):
        tensors[name] = torch.from_numpy(value.copy())
        return {"array": name}
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    raise TypeError(f"{type(value).__name__}: cannot be packed")


def _build(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """What `_flatten` was given."""
    if isinstance(tree, list):
        return [_build(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "tuple":
        return tuple(_build(part, tensors) for part in content)
    if kind == "dict":
        return {_build(key, tensors): _build(part, tensors) for key, part in content}
    tensor = tensors[content].clone()
    return tensor.numpy() if kind == "array" else tensor
