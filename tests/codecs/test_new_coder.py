"""A new coder is one module and one line of the registry: nothing else names it."""

import bz2
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest

from baler_energy.cli import main
from baler_energy.codecs import packing
from baler_energy.codecs.coders.base import Coder, Numbers, byte_count, level_of
from baler_energy.codecs.packing import Packing
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.records import Measurement
from baler_energy.stages.schema import documentation, json_schema
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


@dataclass(frozen=True)
class Whole(Numbers):
    """The whole of a new module of a lossy word."""

    lossless = False
    usage = "whole (rounds to whole numbers)"

    @classmethod
    def parse(cls, name, parameter):
        if parameter is not None:
            raise ValueError("parameter")
        return cls()

    def latent_type(self, precision):
        return precision

    def column_type(self, dtype):
        return dtype

    def round_latents(self, latents, steps):
        return np.round(latents)

    def round_column(self, values, step):
        return np.round(values)


@pytest.fixture
def registered(monkeypatch):
    for name, word in (("bz2", Bz2), ("whole", Whole)):
        module = ModuleType(f"new_{name}")
        module.WORD = word
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(CODERS, name, (module.__name__,))
    packing._kind.cache_clear()
    yield
    packing._kind.cache_clear()


def test_a_registered_coder_is_a_word_of_the_axis(registered):
    assert Packing.parse("bz2-5").coder == Bz2(5)
    assert Packing.parse("quantise-0.1+bz2").error_bound is None
    assert best_coder(["quantise-0.1+bz2"]) == "bz2"


def test_a_registered_coder_appears_in_messages_help_and_documentation(registered, capsys):
    with pytest.raises(InputError, match=r"bz2 or bz2-9 \(level\); whole \(rounds to whole numbers\)"):
        Packing.parse("unknown")
    for text in (documentation(), json_schema()):
        assert Bz2.usage in text and Whole.usage in text
    with pytest.raises(SystemExit):
        main(["apply", "--help"])
    assert "zfp, bound, bz2, whole." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "error"), [("bz2", 0), ("quantise-0.01+bz2", 0.01), ("whole", None), ("whole+bz2", None)]
)
def test_a_registered_coder_compresses_and_is_measured(registered, tmp_path, words, error):
    toy.generate(300, 1).write(tmp_path / "table.npz")
    quick = ["--meters", "process", "--min-window-s", "0", "--idle-s", "0", "--threads", "1"]
    codec = ["--transform", "identity", "--packing", words]
    data = ["--data", str(tmp_path / "table.npz")]
    assert main(["apply", *data, *codec, *quick, "--out", str(tmp_path / "run")]) == 0
    before, after = (Table.read(tmp_path / name).data for name in ("table.npz", "run/decompress/reconstructed.npz"))
    if error is None:
        np.testing.assert_array_equal(after, np.round(before))
    assert error is None or np.abs(after - before).max() <= error * np.ptp(before, axis=0).max()
    record = Measurement.read(tmp_path / "run/compress/measurement.json")
    assert record.parameters["packing"] == words
    packed = words != "whole"
    for operation in ("compress", "decompress"):
        results = Measurement.read(tmp_path / "run" / operation / "measurement.json").results
        assert (results["coder_startup_s"] or 0) > 0 if packed else results["coder_startup_s"] is None
    assert (record.results["stored_latent_bytes"] < record.results["latent_bytes"]) is packed
