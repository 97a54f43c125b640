"""A new coder is one module and one line of the registry: nothing else names it."""

import bz2
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest

from baler_energy.codecs import packing
from baler_energy.codecs.coders.base import Coder, byte_count, level_of
from baler_energy.codecs.packing import Packing
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.records import Measurement
from baler_energy.stages.trials import best_coder
from baler_energy.variants import CODERS


@dataclass(frozen=True)
class Bz2(Coder):
    """The whole of a new coder's module."""

    level: int = 9

    suffix = "bz2"
    usage = "bz2 or bz2-9 (level)"

    @classmethod
    def parse(cls, name, parameter):
        return cls(level_of(parameter, 1, 9, 9))

    def encode(self, values):
        return bz2.compress(np.ascontiguousarray(values).tobytes(), self.level)

    def decode(self, packed, dtype, shape):
        content = bz2.decompress(packed)
        if len(content) != byte_count(dtype, shape):
            raise ValueError("size")
        return np.frombuffer(content, dtype).reshape(shape).copy()


@pytest.fixture
def registered(monkeypatch):
    module = ModuleType("new_coder")
    module.WORD = Bz2
    monkeypatch.setitem(sys.modules, "new_coder", module)
    monkeypatch.setitem(CODERS, "bz2", ("new_coder",))
    packing._kind.cache_clear()
    yield
    packing._kind.cache_clear()


def test_a_registered_coder_is_a_word_of_the_axis(registered):
    assert Packing.parse("bz2-5").coder == Bz2(5)
    assert Packing.parse("quantise-0.1+bz2").error_bound is None
    assert best_coder(["quantise-0.1+bz2"]) == "bz2"


@pytest.mark.parametrize("words", ["bz2", "quantise-0.01+bz2"])
def test_a_registered_coder_compresses_and_is_measured(registered, tmp_path, words):
    from baler_energy.cli import main

    toy.generate(300, 1).write(tmp_path / "table.npz")
    quick = ["--meters", "process", "--min-window-s", "0", "--idle-s", "0", "--threads", "1"]
    codec = ["--transform", "identity", "--packing", words]
    data = ["--data", str(tmp_path / "table.npz")]
    assert main(["apply", *data, *codec, *quick, "--out", str(tmp_path / "run")]) == 0
    before, after = (Table.read(tmp_path / name).data for name in ("table.npz", "run/decompress/reconstructed.npz"))
    assert np.abs(after - before).max() <= (0 if words == "bz2" else 0.01 * np.ptp(before, axis=0).max())
    record = Measurement.read(tmp_path / "run/compress/measurement.json")
    assert record.parameters["packing"] == words
    assert record.results["stored_latent_bytes"] < record.results["latent_bytes"]
