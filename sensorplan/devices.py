"""Where torch computes: the device, and how many cores of it."""

import os

import torch

from sensorplan.errors import TrainingError


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
    return torch.device(name)


def prepare_torch() -> None:
    """Use the cores that are really there, and no denormals (they slow CPU training tenfold).

    ``OMP_NUM_THREADS`` sets another number of threads, say when several runs share the machine.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(min(there or 1, 8))
    torch.set_flush_denormal(True)
