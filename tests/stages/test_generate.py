"""Stage generate."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from baler_energy.data import pythia8
from baler_energy.data.table import Table
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.stages import generate


def run(*options: str) -> None:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    generate.run(parser.parse_args(options))


def test_a_toy_shard_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "new" / "shard.npz"
    run("--source", "toy", "--rows", "50", "--seed", "4", "--out", str(out))
    table = Table.read(out)
    assert table.data.shape == (50, 24)
    assert table.origin["label"] == "toy data"
    assert [path.name for path in out.parent.iterdir()] == ["shard.npz"]
    run("--source", "toy", "--rows", "50", "--seed", "4", "--out", str(tmp_path / "again.npz"))
    np.testing.assert_array_equal(Table.read(tmp_path / "again.npz").data, table.data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--rows": "0"}, "--rows 0"),
        ({"--rows": "10000000000000000000"}, "--rows 10000000000000000000: must be from 1 to 1,000,000,000,000"),
        ({"--seed": "-1"}, "--seed -1"),
        ({"--seed": "900000000"}, "--seed 900000000"),
    ],
)
@pytest.mark.parametrize("source", ["toy", "pythia8"])
def test_options_out_of_range(tmp_path: Path, source: str, change: dict[str, str], message: str) -> None:
    options = {"--source": source, "--rows": "5", "--seed": "1", "--out": str(tmp_path / "s.npz")} | change
    with pytest.raises(InputError, match=message):
        run(*(f"{name}={value}" for name, value in options.items()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["0", "nan", "1001"])
def test_a_minimum_of_the_hard_scatter_that_is_out_of_range(tmp_path: Path, value: str) -> None:
    options = ("--source", "pythia8", "--rows", "5", "--seed", "1", "--out", str(tmp_path / "s.npz"))
    with pytest.raises(InputError, match=f"--pt-hat-min {float(value)}: must be from 1 to 1000 GeV"):
        run(*options, "--pt-hat-min", value)
    assert not list(tmp_path.iterdir())


def test_toy_data_have_no_hard_scatter(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--pt-hat-min: not supported by source 'toy'"):
        run("--source", "toy", "--rows", "5", "--seed", "1", "--pt-hat-min", "20", "--out", str(tmp_path / "s.npz"))


def test_a_failing_generator_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pythia8, "_PACKAGES", ())
    monkeypatch.setattr(pythia8, "exit_code", lambda *_, **__: -11)
    with pytest.raises(BalerEnergyError, match="code -11"):
        generate.generate("pythia8", 5, 1, tmp_path / "s.npz")
