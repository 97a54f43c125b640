"""Compilation with PyTorch's Inductor, without a cache of earlier compilations."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from baler_energy.temporaries import temporary_folder

__all__ = ["compilation"]


@contextmanager
def compilation() -> Iterator[str]:
    """Yield an empty folder for what is compiled, which is deleted afterwards: loaded libraries stay in memory.

    A cache would make the first start-up on a machine longer than all later ones. The compiler runs in this process:
    others would stay during the measurement.
    """
    import torch._inductor.config as config

    with (
        temporary_folder() as folder,
        patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": str(folder)}),
        config.patch(compile_threads=1),
        warnings.catch_warnings(action="ignore"),  # PyTorch warns of its own calls
    ):
        yield str(folder)
