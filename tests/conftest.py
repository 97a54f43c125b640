"""Fixtures for all tests."""

import os
import sys
from pathlib import Path

import pytest

from baler_energy.codecs.upstream import install
from baler_energy.errors import UnavailableError

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real HEP files beside the repository; tests that need it skip where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder 'shared' with real HEP files beside the repository")
    return folder


#: What imports as torch in the stand-in's process, so that it starts in no time.
STAND_IN_TORCH = """
from types import SimpleNamespace
__version__ = "0.0"
cuda = SimpleNamespace(is_available=lambda: False)
seeds, threads = [], []
manual_seed, set_num_threads = seeds.append, threads.append
"""

#: A program with Baler's command line, projects and files, that learns nothing.
STAND_IN_BALER = """
import importlib, math, os, shutil, sys, time
import numpy as np
import torch
class Config: pass
def main():
    project, mode = sys.argv[2:4], sys.argv[5]
    importlib.import_module(".".join(["workspaces", *project, "config", project[1] + "_config"])).set_config(Config)
    print("0 %|     |\\r100 %|=====|", "stand-in", project[1], mode, torch.seeds, torch.threads, flush=True)
    trouble = os.environ.get("STAND_IN_TROUBLE", "") if project[1] == "full" else ""
    if trouble == "fails":
        raise ValueError("no such thing")
    if trouble == "dies":
        sys.stderr.write("the last words\\n")
        sys.stderr.flush()
        os.kill(os.getpid(), 9)
    if trouble == "hangs":
        time.sleep(600)
    output = os.path.join("workspaces", *project, "output")
    data = np.load(Config.input_path)["data"]
    names = np.load(Config.input_path)["names"]
    features, latents = (os.path.join(output, *parts) for parts in (
        ("training", "normalization_features.npy"), ("compressed_output", "compressed.npz")))
    if mode == "train":
        losses = [math.nan if trouble == "diverges" else 1 / epoch for epoch in range(1, Config.epochs + 1)]
        np.save(os.path.join(output, "training", "loss_data.npy"), [losses, losses])
        np.save(features, [data.min(axis=0), np.ptp(data, axis=0)])
        shutil.copy(os.environ["STAND_IN_MODEL"], os.path.join(output, "compressed_output", "model.pt"))
    elif mode == "compress":
        latent = math.ceil(len(names) / Config.compression_ratio)
        np.savez(latents, data=data[:, :latent], names=names, normalization_features=np.load(features))
    else:
        assert np.load(latents)["data"].shape[0] == len(data)
        np.savez(os.path.join(output, "decompressed_output", "decompressed.npz"), data=data + 7.0, names=names)
"""


@pytest.fixture
def stand_in_baler(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a stand-in for upstream Baler, and let it be found: the folder of its packages."""
    folder = tmp_path_factory.mktemp("stand-in")
    metadata = "Metadata-Version: 2.1\nName: baler\nVersion: 0.1\n"
    files = {"baler/__init__.py": "", "baler/baler.py": STAND_IN_BALER, "torch.py": STAND_IN_TORCH}
    for name, text in (files | {"baler-0.1.dist-info/METADATA": metadata}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(install.VARIABLE, str(python))
    return folder


@pytest.fixture
def real_baler(repository: Path, monkeypatch: pytest.MonkeyPatch) -> install.Installation:
    """Find upstream Baler itself; tests that need it skip with the reason where it is not installed."""
    default = repository / ".venv-upstream" / "bin" / "python"
    monkeypatch.setenv(install.VARIABLE, os.environ.get(install.VARIABLE, str(default)))
    try:
        return install.find()
    except UnavailableError as error:
        pytest.skip(str(error))
