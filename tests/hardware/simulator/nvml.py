"""Compiles the simulated NVIDIA library."""

import shutil
import subprocess
from pathlib import Path

__all__ = ["compile_library", "compiler"]


def compiler() -> str | None:
    """Find a C compiler."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_library(folder: Path) -> Path:
    """Compile the library into a folder, for LD_LIBRARY_PATH."""
    target = folder / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    subprocess.run([compiler() or "cc", "-O1", "-shared", "-fPIC", "-o", target, source, "-lm"], check=True)
    return target
