"""Fake packages of other tools, and a powercap tree for the real packages."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

Fake = Callable[..., ModuleType]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return a maker of modules that can be imported, with their parents."""

    def make(name: str, **contents: object) -> ModuleType:
        parts = name.split(".")
        for depth in range(1, len(parts)):
            parent = ".".join(parts[:depth])
            if not isinstance(sys.modules.get(parent), ModuleType) or not getattr(sys.modules[parent], "fake", False):
                make(parent)
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        vars(module).update(contents, fake=True)
        monkeypatch.setitem(sys.modules, name, module)
        if len(parts) > 1:
            setattr(sys.modules[".".join(parts[:-1])], parts[-1], module)
        return module

    return make


class Counters:
    """RAPL counters as files: two packages at 50 and 30 W with 10 and 5 W of DRAM, and psys at 120 W."""

    POWERS: ClassVar = {"0": 50.0, "0/intel-rapl:0:0": 10.0, "1": 30.0, "1/intel-rapl:1:0": 5.0, "2": 120.0}
    NAMES: ClassVar = {
        "0": "package-0",
        "0/intel-rapl:0:0": "dram",
        "1": "package-1",
        "1/intel-rapl:1:0": "dram",
        "2": "psys",
    }

    def __init__(self, root: Path, max_j: float, start_j: float) -> None:
        self.root = root
        self.control = root / "intel-rapl"
        self._max_uj, self._start_uj = int(max_j * 1e6), start_j * 1e6
        self._files: dict[str, int] = {}
        for key, name in self.NAMES.items():
            folder = self.control / f"intel-rapl:{key}"
            folder.mkdir(parents=True)
            (folder / "name").write_text(f"{name}\n")
            (folder / "max_energy_range_uj").write_text(f"{self._max_uj}\n")
            (root / folder.name).symlink_to(folder)
            self._files[key] = os.open(folder / "energy_uj", os.O_WRONLY | os.O_CREAT)
        self._begin_s = time.monotonic()
        self._stop = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _write(self) -> None:
        elapsed_s = time.monotonic() - self._begin_s
        for key, file in self._files.items():
            count = int(self._start_uj + self.POWERS[key] * elapsed_s * 1e6) % self._max_uj
            os.pwrite(file, b"%020d\n" % count, 0)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self._write()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for file in self._files.values():
            os.close(file)


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Callable[..., Counters]]:
    """Return a maker of running counters."""
    made: list[Counters] = []

    def make(max_j: float = 262_143.0, start_j: float = 0.0) -> Counters:
        made.append(Counters(tmp_path / "powercap", max_j, start_j))
        return made[-1]

    yield make
    for counter in made:
        counter.stop()
