"""Where torch computes: the device, and how many cores of it."""

import os

import torch

from sensorplan.errors import TrainingError
from sensorplan.team import team_size

MOST_THREADS = 8  # more do not help networks of this size


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        TrainingError: The machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available[name]:
        there = ", ".join(device for device, ready in available.items() if ready)
        raise TrainingError(f"--device {name}: not on this machine; available: auto, {there}")
    place = os.environ.get("LOCAL_RANK") if team_size() > 1 else None  # one GPU a process
    return torch.device(name, int(place)) if name == "cuda" and place else torch.device(name)


def gpu_count() -> int:
    """How many GPUs this machine has."""
    return torch.cuda.device_count() or int(torch.backends.mps.is_available())


def cores() -> int:
    """How many cores a run may use: those that are really there, or ``OMP_NUM_THREADS``.

    That sets another number, say when several runs share the machine.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_torch(threads: int | None = None) -> None:
    """Use that many threads, and no denormals (they slow CPU training tenfold).

    Args:
        threads: None: ``OMP_NUM_THREADS``, or one a core, as far as that helps.
    """
    if threads or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or min(cores(), MOST_THREADS))
    torch.set_flush_denormal(True)
