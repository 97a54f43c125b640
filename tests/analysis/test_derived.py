"""Quantities computed from columns: by hand, against what was done to them, and on recorded dimuons."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.derived import compare, derived_values, histograms
from baler_energy.analysis.schema_derived import DERIVED, DERIVED_HISTOGRAMS
from baler_energy.config.derived import Derived
from baler_energy.errors import InputError
from baler_energy.formats import Request
from baler_energy.stages.prepare import prepare_file

NAMES = ("pt_1", "eta_1", "phi_1", "mass_1", "pt_2", "eta_2", "phi_2", "mass_2")
PAIR = Derived(invariant_mass=(NAMES[:4], NAMES[4:]))
RATIO, SUM = Derived(ratio=("a", "b")), Derived(sum=("a", "b", "c"))
WINDOWS = {"J/psi": (2.9, 3.3), "Z": (80.0, 100.0)}


def columns_of(text: str) -> set[str]:
    return {line.partition(" |")[0] for line in text.strip().splitlines()}


def by_hand(row: np.ndarray) -> float:
    """Mass of two particles from energies and momenta."""
    total = np.zeros(4)
    for pt, eta, phi, mass in (row[:4], row[4:]):
        momentum = np.array([pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)])
        total += [math.sqrt(momentum @ momentum + mass**2), *momentum]
    return math.sqrt(max(total[0] ** 2 - total[1:] @ total[1:], 0.0))


@given(
    st.lists(
        st.tuples(st.floats(0.5, 200), st.floats(-2.4, 2.4), st.floats(-3.1, 3.1), st.floats(0, 5)),
        min_size=2,
        max_size=2,
    )
)
def test_an_invariant_mass_is_that_of_the_summed_momenta(particles: list[tuple[float, ...]]) -> None:
    row = np.array(particles).reshape(1, 8)
    assert derived_values(row, NAMES, PAIR)[0] == pytest.approx(by_hand(row[0]), rel=1e-6, abs=1e-4)


def test_two_back_to_back_massless_particles() -> None:
    row = np.array([[45.0, 0.0, 0.0, 0.0, 45.0, 0.0, math.pi, 0.0]])
    assert derived_values(row, NAMES, PAIR) == pytest.approx([90.0])


def test_a_mass_may_be_a_number_and_there_may_be_more_particles() -> None:
    three = Derived(invariant_mass=(("pt_1", "eta_1", "phi_1", 0.0), ("pt_2", "eta_2", "phi_2", 0), NAMES[4:]))
    row = np.array([[45.0, 0.0, 0.0, 99.0, 45.0, 0.0, math.pi, 0.0]])
    # 45 against 90 GeV: energy 135, momentum 45.
    assert derived_values(row, NAMES, three) == pytest.approx([math.sqrt(135**2 - 45**2)])


def test_ratios_and_sums_of_columns() -> None:
    data = np.array([[6.0, 3.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    np.testing.assert_array_equal(derived_values(data, "abc", RATIO), [2.0, math.nan, math.nan])
    np.testing.assert_array_equal(derived_values(data, "abc", SUM), [10.0, 2.0, 2.0])


def test_unphysical_particles_are_undefined() -> None:
    good = [45.0, 0.0, 0.0, 0.1, 45.0, 0.0, 3.0, 0.1]
    rows = np.array([good] * 5)
    rows[1, 0], rows[2, 7], rows[3, 1] = -1.0, -0.1, 2000.0
    assert np.isfinite(derived_values(rows, NAMES, PAIR)).tolist() == [True, False, False, False, True]


def test_rows_in_pieces_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).uniform(0.1, 2, (10, 8))
    whole = derived_values(rows, NAMES, PAIR)
    monkeypatch.setattr("baler_energy.analysis.derived._ROWS", 3)
    np.testing.assert_array_equal(derived_values(rows, NAMES, PAIR), whole)


def sample(rows: int = 6000) -> np.ndarray:
    random = np.random.default_rng(2)
    return np.concatenate([random.normal(91, 2, rows // 2), random.uniform(50, 130, rows // 2)])


def test_a_comparison_has_a_row_for_all_and_for_each_window() -> None:
    before = sample()
    rows = compare(before, before + 0.5, RATIO.changed(windows={"Z": (80, 100), "empty": (0, 1)}))
    assert [row["window"] for row in rows] == [None, "Z", "empty"]
    assert all({"quantity", *row} == columns_of(DERIVED) for row in rows)
    whole, window, empty = rows
    assert whole["residual_median"] == pytest.approx(0.5) and whole["residual_half_width"] == pytest.approx(
        0, abs=1e-12
    )
    assert whole["ks_distance"] > 0.05 and math.isnan(whole["peak_shift"]) and math.isnan(window["ks_distance"])
    assert window["peak_shift"] == pytest.approx(0.5, abs=0.02)
    assert window["entries_before"] == ((before >= 80) & (before < 100)).sum()
    moved = ((before >= 79.5) & (before < 80)).sum(), ((before >= 99.5) & (before < 100)).sum()
    assert window["entries_change"] == moved[0] - moved[1]
    assert window["entries_change_uncertainty"] == pytest.approx(math.sqrt(sum(moved)))
    assert window["entries_before_uncertainty"] == pytest.approx(math.sqrt(window["entries_before"]))
    assert empty["entries_before"] == 0 and math.isnan(empty["residual_median"]) and "0 entries" in empty["reason"]


def test_the_resolution_is_known_as_well_as_order_statistics_allow() -> None:
    before, random = np.full(4000, 50.0), np.random.default_rng(6)
    found = [compare(before, before + random.normal(0, 2, 4000), RATIO)[0] for _ in range(80)]
    for name, value in (("residual_median", 0.0), ("residual_half_width", 2.0 * 0.9945)):
        values = np.array([row[name] for row in found])
        assert values.mean() == pytest.approx(value, abs=4 * values.std() / math.sqrt(80))
        said = np.mean([row[f"{name}_uncertainty"] for row in found])
        # The spread of 80 values is known to 8 %.
        assert said == pytest.approx(values.std(ddof=1), rel=0.3), name
    assert found[0]["relative_residual_half_width"] == pytest.approx(found[0]["residual_half_width"] / 50)


def test_undefined_rows_are_counted_and_in_no_window() -> None:
    before = sample()
    after = before.copy()
    after[:100] = math.nan
    before[-3:] = math.nan
    whole, window = compare(before, after, RATIO.changed(windows={"Z": (80, 100)}))
    assert (whole["undefined_before"], whole["undefined_after"]) == (3, 100)
    inside = ((before[:100] >= 80) & (before[:100] < 100)).sum()
    assert window["entries_change"] == -inside + ((after[-3:] >= 80) & (after[-3:] < 100)).sum()


def test_nothing_defined_is_no_error() -> None:
    nothing = np.full(10, math.nan)
    (whole,) = compare(nothing, nothing, RATIO)
    assert whole["undefined_after"] == 10 and math.isnan(whole["ks_distance"])
    assert histograms(nothing, nothing, RATIO).empty


def test_histograms_hold_the_same_bins_before_and_after() -> None:
    before = sample()
    after = np.where(np.arange(len(before)) < 10, math.nan, before + 1)
    bins = histograms(before, after, RATIO.changed(windows={"Z": (80, 100)}, unit="TeV"))
    assert {"quantity", *bins.columns} == columns_of(DERIVED_HISTOGRAMS)
    assert (bins["unit"] == "TeV").all()
    window = bins[bins["window"] == "Z"]
    counts = window.groupby("kind")["count"].sum()
    assert counts["original"] == ((before >= 80) & (before <= 100)).sum()
    assert counts["reconstructed"] == ((after >= 80) & (after <= 100)).sum()
    whole = bins[bins["window"].isna() & (bins["kind"] == "original")]
    assert len(before) * 0.998 <= whole["count"].sum() <= len(before)


def test_a_mass_that_spans_decades_has_logarithmic_bins() -> None:
    values = np.random.default_rng(1).lognormal(2, 1.5, 5000)
    bins = histograms(values, values, RATIO)
    ratio = bins["high"] / bins["low"]
    assert ratio.max() == pytest.approx(ratio.min(), rel=1e-6)


def test_the_peaks_of_recorded_dimuons(shared, tmp_path) -> None:
    path = shared("data/cms_dimuon2012_20000.parquet")
    table = prepare_file(str(path), Request(), tmp_path / "table.npz", rows=None, seed=1)
    muons = [(f"mu{n}_pt", f"mu{n}_eta", f"mu{n}_phi", 0.10566) for n in (1, 2)]
    mass = Derived(invariant_mass=muons, windows=WINDOWS)
    before = derived_values(table.data, table.names, mass)
    # The file's own mass neglects that of the muons, and is a float32.
    massless = Derived(invariant_mass=[(*muon[:3], 0) for muon in muons])
    recorded = table.data[:, table.names.index("dimuon_mass")]
    np.testing.assert_allclose(derived_values(table.data, table.names, massless), recorded, rtol=1e-4)
    rounded = table.data.astype(np.float16).astype(np.float64)
    rows = {row["window"]: row for row in compare(before, derived_values(rounded, table.names, mass), mass)}
    # Masses of the Review of Particle Physics; the fit is of a core, with radiative tails on one side.
    assert rows["J/psi"]["peak_before"] == pytest.approx(3.097, abs=0.01)
    assert rows["Z"]["peak_before"] == pytest.approx(91.19, abs=0.8)
    assert 0.02 < rows["J/psi"]["width_before"] < 0.05 and 1.5 < rows["Z"]["width_before"] < 3.5
    for row in (rows["J/psi"], rows["Z"]):
        assert abs(row["peak_shift"]) < 5 * row["peak_shift_uncertainty"]
        assert row["peak_shift_uncertainty"] < row["peak_before_uncertainty"] / 3


def test_a_column_that_is_missing_is_refused_before_a_table_is_written(tmp_path) -> None:
    pd.DataFrame({"mu1_pt": [1.0, 2.0, 3.0], "mu2_pt": [1.0, 2.0, 4.0]}).to_parquet(tmp_path / "small.parquet")
    needed = {"data.dimuons.derived.m_mumu": ["mu1_pt", "mu_pt"]}
    with pytest.raises(
        InputError, match=r"data\.dimuons\.derived\.m_mumu: small\.parquet has no column 'mu_pt'\. It has: mu"
    ):
        prepare_file(str(tmp_path / "small.parquet"), Request(), tmp_path / "t.npz", rows=None, seed=1, needed=needed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.parquet"]
