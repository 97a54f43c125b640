"""The toy jets: the columns are consistent, vary, and depend on the seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.data import toy
from baler_energy.data.columns import JET_COLUMNS, JET_DTYPES, PARTICLE_KINDS, assemble
from baler_energy.data.table import Table


@pytest.fixture(scope="module")
def table() -> Table:
    return toy.generate(20_000, seed=3)


def column(table: Table, name: str) -> np.ndarray:
    return table.data[:, table.names.index(name)]


def by_kind(table: Table, what: str) -> np.ndarray:
    return np.stack([column(table, f"{kind}_{what}") for kind in PARTICLE_KINDS], axis=1)


def test_the_columns_are_those_of_the_example() -> None:
    assert len(JET_COLUMNS) == len(JET_DTYPES) == 24
    assert JET_COLUMNS[:7] == (
        *("pt", "eta", "phi", "mass", "jet_area"),
        *("charged_hadron_energy", "neutral_hadron_energy"),
    )
    assert JET_COLUMNS[11:13] == ("hf_em_energy", "charged_hadron_multiplicity")
    assert JET_COLUMNS[19:] == (
        *("charged_em_energy", "charged_muon_energy", "neutral_em_energy"),
        *("charged_multiplicity", "neutral_multiplicity"),
    )
    assert [name for name, dtype in zip(JET_COLUMNS, JET_DTYPES, strict=True) if dtype == "int32"] == [
        name for name in JET_COLUMNS if name.endswith("multiplicity")
    ]


def test_every_column_varies_and_is_finite(table: Table) -> None:
    assert np.isfinite(table.data).all()
    assert (np.ptp(table.data, axis=0) > 0).all()


def test_the_energies_are_consistent(table: Table) -> None:
    momentum = column(table, "pt") * np.cosh(column(table, "eta"))
    energy = np.hypot(momentum, column(table, "mass"))
    np.testing.assert_allclose(by_kind(table, "energy").sum(axis=1), energy, rtol=2e-6)


def test_the_sums_are_consistent(table: Table) -> None:
    counts = {kind: column(table, f"{kind}_multiplicity") for kind in PARTICLE_KINDS}
    np.testing.assert_array_equal(column(table, "charged_em_energy"), column(table, "electron_energy"))
    np.testing.assert_array_equal(column(table, "charged_muon_energy"), column(table, "muon_energy"))
    neutral_em = column(table, "photon_energy") + column(table, "hf_em_energy")
    np.testing.assert_allclose(column(table, "neutral_em_energy"), neutral_em, rtol=1e-6)
    charged = counts["charged_hadron"] + counts["electron"] + counts["muon"]
    np.testing.assert_array_equal(column(table, "charged_multiplicity"), charged)
    total = by_kind(table, "multiplicity").sum(axis=1)
    np.testing.assert_array_equal(column(table, "neutral_multiplicity"), total - charged)


def test_kinds_with_energy_have_constituents(table: Table) -> None:
    energies, counts = by_kind(table, "energy"), by_kind(table, "multiplicity")
    np.testing.assert_array_equal(energies > 0, counts > 0)
    np.testing.assert_array_equal(counts, np.round(counts))
    assert (counts.sum(axis=1) >= 1).all()


def test_the_forward_calorimeter_is_forward(table: Table) -> None:
    forward = column(table, "hf_hadron_energy") + column(table, "hf_em_energy")
    eta = np.abs(column(table, "eta"))
    assert (forward[eta < 2.7] == 0).all()
    assert (forward[eta > 3.3] > 0).all()


def test_pt_is_heavy_tailed_and_correlated_with_mass(table: Table) -> None:
    pt = column(table, "pt")
    assert pt.min() >= 3.0
    assert np.quantile(pt, 0.999) > 8 * np.median(pt)
    assert np.corrcoef(np.log(pt), np.log(column(table, "mass")))[0, 1] > 0.5


def test_values_are_float32_values(table: Table) -> None:
    np.testing.assert_array_equal(table.data, table.data.astype(np.float32).astype(np.float64))


def test_it_is_labelled(table: Table) -> None:
    assert table.origin["source"] == "toy"
    assert table.origin["label"] == "toy data"
    assert table.origin["source_bytes"] is None
    assert table.origin["source_bytes_reason"]


@given(rows=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_the_same_seed_gives_the_same_table(rows: int, seed: int) -> None:
    first = toy.generate(rows, seed)
    assert first.data.shape == (rows, 24)
    np.testing.assert_array_equal(first.data, toy.generate(rows, seed).data)
    assert not np.array_equal(first.data, toy.generate(rows, seed + 1).data)


def test_assemble_counts_by_hand() -> None:
    energies = np.array([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]])
    counts = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
    row = assemble(np.array([[9.0, 0.5, 1.0, 2.0, 0.7]]), energies, counts)[0]
    assert row[19:].tolist() == [8.0, 16.0, 68.0, 1 + 4 + 5, 2 + 3 + 6 + 7]
    assert row[4] == np.float32(0.7)
