"""Every test on one core, and Hypothesis without deadlines (the first call loads torch)."""

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from plans import counted, patches, stations, two  # noqa: F401

settings.register_profile("sensorplan", deadline=None)
settings.load_profile("sensorplan")


@pytest.fixture(autouse=True, scope="session")
def one_core() -> Iterator[None]:
    """Let nothing take more than one core, `prepare_torch` included."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
        yield


@pytest.fixture(autouse=True)
def denormals_again() -> Iterator[None]:
    """Undo `prepare_torch`: Hypothesis draws no floats while the processor flushes denormals."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def no_denormals() -> None:
    """Flush denormals during a test that trains: they slow it."""
    torch.set_flush_denormal(True)
