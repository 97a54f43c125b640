"""The event generator, in a separate process as in studies."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from baler_energy.data.columns import JET_COLUMNS, PARTICLE_KINDS
from baler_energy.data.table import Table
from baler_energy.errors import UnavailableError
from baler_energy.stages import generate

ROWS = 400
GPL = re.compile(r"^ *(import|from) (pythia8mc|fastjet)\b", re.MULTILINE)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Table:
    if any(importlib.util.find_spec(name) is None for name in ("pythia8mc", "fastjet")):
        pytest.skip("pythia8mc or fastjet is not installed")
    path = tmp_path_factory.mktemp("pythia8") / "shard.npz"
    generate.generate("pythia8", ROWS, 7, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["shard.npz"]
    return Table.read(path)


def column(table: Table, name: str) -> np.ndarray:
    return table.data[:, table.names.index(name)]


def test_the_shard_has_exactly_the_requested_rows(shard: Table) -> None:
    assert shard.data.shape == (ROWS, 24)
    assert shard.names == JET_COLUMNS
    assert shard.origin["source"] == "pythia8"
    assert np.isfinite(shard.data).all()


def test_the_jets_are_in_the_acceptance(shard: Table) -> None:
    assert column(shard, "pt").min() >= 3.0
    assert column(shard, "pt").max() > 20.0
    assert np.abs(column(shard, "eta")).max() < 5.5
    assert np.abs(column(shard, "phi")).max() <= np.float32(np.pi)
    assert column(shard, "mass").min() >= 0.0
    area = column(shard, "jet_area")
    assert 0.5 < area.mean() < 1.2
    assert len(np.unique(area)) > ROWS / 2


def test_the_constituents_are_consistent(shard: Table) -> None:
    energies = sum(column(shard, f"{kind}_energy") for kind in PARTICLE_KINDS)
    expected = np.hypot(column(shard, "pt") * np.cosh(column(shard, "eta")), column(shard, "mass"))
    np.testing.assert_allclose(energies, expected, rtol=5e-6)
    counts = sum(column(shard, f"{kind}_multiplicity") for kind in PARTICLE_KINDS)
    np.testing.assert_array_equal(counts, column(shard, "charged_multiplicity") + column(shard, "neutral_multiplicity"))
    assert counts.min() >= 1


def test_the_forward_calorimeter_is_forward(shard: Table) -> None:
    # Jets are round in rapidity, and rapidity equals pseudorapidity only for photons and electrons.
    pz = column(shard, "pt") * np.sinh(column(shard, "eta"))
    energy = np.hypot(column(shard, "pt") * np.cosh(column(shard, "eta")), column(shard, "mass"))
    rapidity = np.abs(np.arctanh(pz / energy))
    assert (column(shard, "hf_em_energy")[rapidity < 2.4] == 0).all()
    assert (column(shard, "photon_energy")[rapidity > 3.6] == 0).all()
    assert (column(shard, "muon_energy")[rapidity > 3.6] == 0).all()
    assert (column(shard, "hf_em_energy")[rapidity > 3.6] > 0).any()


def test_fewer_rows_with_the_same_seed_are_the_first_rows(shard: Table, tmp_path: Path) -> None:
    generate.generate("pythia8", 30, 7, tmp_path / "s.npz")
    np.testing.assert_array_equal(Table.read(tmp_path / "s.npz").data, shard.data[:30])


def test_missing_packages_are_reported_with_the_solutions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"pip install 'baler-energy\[pythia\]'.*source: toy"):
        generate.generate("pythia8", 10, 1, tmp_path / "s.npz")
    assert not list(tmp_path.iterdir())


def test_the_process_itself_reports_missing_packages(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "pythia8mc.py").write_text("raise ImportError('no such wheel')\n")
    path = os.pathsep.join([str(tmp_path), str(repository / "src")])
    options = ["--rows", "5", "--seed", "1", "--pt-hat-min", "20", "--out", str(tmp_path / "s.npz")]
    finished = subprocess.run(
        [sys.executable, "-m", "baler_energy.data.pythia8", *options],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 3
    assert "pip install 'baler-energy[pythia]'" in finished.stderr
    assert not (tmp_path / "s.npz").exists()


def test_no_other_module_imports_the_gpl_packages(repository: Path) -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (repository / "src").rglob("*.py")}
    assert [path.name for path, text in sources.items() if GPL.search(text)] == ["pythia8.py"]
    found = [line[0] for text in sources.values() for line in GPL.finditer(text)]
    assert all(line.startswith(" ") for line in found), "only functions import them"


def test_the_process_that_asks_for_jets_does_not_load_the_gpl_packages(shard: Table) -> None:
    assert shard.origin["source"] == "pythia8"
    assert not {"pythia8mc", "fastjet"} & sys.modules.keys()
