"""Fixtures for all tests."""

import gc
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from baler_energy.codecs.upstream import install
from baler_energy.errors import UnavailableError
from baler_energy.meters.iterations import Iterations
from baler_energy.meters.lock import LOCK_VARIABLE

# A shell starts commands in the background with Ctrl-C ignored; processes that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
REPOSITORY = Path(__file__).resolve().parents[1]

# The time of an example depends on the machine and on what else runs there, so a slow example fails no test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("any machine")


# Without it, HTCondor's bindings warn if they are imported where no pool is configured, as Snakemake's plugin does.
os.environ.setdefault("CONDOR_CONFIG", "/dev/null")
# Waiting threads of torch leave the cores to other processes of the tests instead of spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """Exclude what is loaded, also by earlier tests, from garbage collection, which every measured window runs."""
    gc.collect()
    gc.freeze()


#: Folders with the longest modules of tests, longest first.
LONGEST = ("workflow", "stages", "hardware", "formats")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the modules that take longest, so that no pytest-xdist process is still running one at the end.

    Of the studies, the one that many tests read comes first; tests that do not read it fill the time until it is done.
    """

    def turn(item: pytest.Item) -> tuple[int, bool, bool]:
        names, parts = getattr(item, "fixturenames", ()), item.path.relative_to(REPOSITORY).parts
        place = next((number for number, folder in enumerate(LONGEST) if folder in parts), len(LONGEST))
        return place, item.path.name != "test_study.py", "finished" in names

    items.sort(key=turn)


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each test process a separate lock, so that none waits for measurements of others on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOCK_VARIABLE, str(tmp_path_factory.mktemp("lock") / "lock"))
        yield


@pytest.fixture
def three_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every window have three iterations, regardless of the speed of the machine."""
    ended = Iterations.ended

    def elapsed_s(self: Iterations) -> float:
        ended(self)
        return math.inf if len(self) == 3 else 0.0

    monkeypatch.setattr(Iterations, "ended", elapsed_s)


#: Text that readers of text files may not expect: signs, numbers, and lines of a quarter of a million characters.
ODD = [b"\0", b"\xff", b"\xef\xbb\xbf", "\u00b2\u2028".encode(), b"\n", b"\r", b",", b";", b'"', b"'", b"[", b"]", b"-"]
ODD += [b"nan", b"None", b"1e999", b"1e-320", b"1_0", b"9" * 5000, b"182,4", b"1764000000000000", b"9999-12-31T23:59Z"]
ODD += [sign * 250_000 for sign in (b" ", b"9", b",")]


@pytest.fixture(scope="session")
def mutations() -> Callable[[bytes], Iterator[bytes]]:
    """Return a function that yields 300 mutations of a file's content, the same in each run."""

    def mutated(content: bytes) -> Iterator[bytes]:
        for seed in range(300):
            random, changed = Random(seed), content
            for _ in range(random.randint(1, 3)):
                start, stop = sorted(random.choices(range(len(changed) + 1), k=2))
                near = min(stop, start + random.randint(1, 8))
                new = random.choice([b"", changed[start:stop], random.randbytes(2), random.choice(ODD)])
                end = random.choice([start, near, near, stop])
                changed = changed[:start] + new + changed[end:] * random.choice([1] * 9 + [0])
            yield changed

    return mutated


@pytest.fixture
def minutes() -> Iterator[None]:
    """Fail a test that is still running after two minutes, as those do that take hours if they fail."""

    def end(*_: object) -> None:
        raise TimeoutError("still running after two minutes")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return a function that finds a real HEP file in the folder ``shared`` next to the repository.

    A test that needs a missing file is skipped, with the name of the file.
    """

    def find(name: str) -> Path:
        path = REPOSITORY.parent / "shared" / name
        if not path.is_file():
            pytest.skip(f"no file {name} in the folder 'shared' next to the repository")
        return path

    return find


#: Programs that can show the report's pages.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return this system's Chromium; tests that need it are skipped with the reason if there is none."""
    reason = "the package playwright is not installed (make test installs it)"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program)
        yield chromium
        chromium.close()


#: Files of the original study, which are evaluated together.
PUBLISHED = (
    "lxplus_gpu_codecarbon_compression_code_carbon.csv",
    "lxplus_gpu_codecarbon_decompression_code_carbon.csv",
    "lxplus_gpu_codecarbon_emissions.csv",
    "lxplus_gpu_codecarbon_train_code_carbon.csv",
    "lxplus_gpu_eco2ai_emission.csv",
    "lxplus_gpu_pyJoule_log_pyJoules_100e.log",
    "lxplus_gpu_pyJoule_pyJoules_total_energy_result_100.csv",
    "lxplus_gpu_pyJoule_pyJoules_total_energy_result_75.csv",
    "lxplus_gpu_zeus_log_zeush_monitor.log",
    "lxplus_gpu_zeus_zeus_1000e.log",
    "m1_cpu_powermetrics_logs_emissions.csv",
    "m1_cpu_scalene_emissions.csv",
    "m1_gpu_emissions.csv",
)


@pytest.fixture(scope="session")
def published(shared: Callable[[str], Path]) -> list[Path]:
    """Files of the original study."""
    return [shared(f"published/{name}") for name in PUBLISHED]


#: Imported as torch by the fake Baler, so that it starts at once.
STAND_IN_TORCH = """
from types import SimpleNamespace
__version__ = "0.0"
cuda = SimpleNamespace(is_available=lambda: False)
seeds, threads = [], []
manual_seed, set_num_threads = seeds.append, threads.append
"""

#: A program with Baler's command line, projects and files, which does not train.
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
    """Install a fake upstream Baler that is found; return the folder of its packages."""
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
    """Find upstream Baler itself; tests that need it are skipped with the reason if it is not installed."""
    default = repository / ".venv-upstream" / "bin" / "python"
    monkeypatch.setenv(install.VARIABLE, os.environ.get(install.VARIABLE, str(default)))
    try:
        return install.find()
    except UnavailableError as error:
        pytest.skip(str(error))
