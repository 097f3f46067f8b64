"""Every test on one core, and Hypothesis without deadlines (the first call loads torch)."""

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

settings.register_profile("sensorplan", deadline=None)
settings.load_profile("sensorplan")


@pytest.fixture(autouse=True, scope="session")
def one_core() -> Iterator[None]:
    """Let nothing take more than one core, `prepare_torch` included."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda process: {0}, raising=False)
        yield
