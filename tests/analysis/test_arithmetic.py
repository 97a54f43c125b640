"""Carbon, statistics and totals."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.carbon import carbon_intensity_g_per_kwh, co2e_kg
from baler_energy.analysis.statistics import mean_interval
from baler_energy.analysis.totals import primary_readings, total
from baler_energy.errors import InputError
from baler_energy.records import Reading
from baler_energy.vocabulary import Evidence, MeterName, Quantity


def test_a_kilowatt_hour_emits_the_intensity():
    assert co2e_kg(3.6e6, 34.8, 1.0) == pytest.approx(0.0348)
    assert co2e_kg(3.6e6, 34.8, 1.5) == pytest.approx(0.0522)


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(1, 1000), st.floats(1, 3))
def test_co2e_is_additive_in_energy(a, b, intensity, pue):
    assert co2e_kg(a + b, intensity, pue) == pytest.approx(co2e_kg(a, intensity, pue) + co2e_kg(b, intensity, pue))


@pytest.mark.parametrize(("country", "expected"), [("CHE", 34.8), ("FRA", 56.0), ("DEU", 381.0), ("POL", 661.9)])
def test_intensities_are_those_of_the_table(country, expected):
    assert carbon_intensity_g_per_kwh(country) == pytest.approx(expected, abs=0.06)


def test_an_unknown_country_is_refused_with_near_ones():
    with pytest.raises(InputError, match="Did you mean"):
        carbon_intensity_g_per_kwh("CHR")


def test_interval_is_students():
    table = pd.DataFrame({"g": ["a"] * 3 + ["b"], "x": [1.0, 2.0, 3.0, 5.0]})
    result = mean_interval(table, ["g"], "x").set_index("g")
    # t(0.975, 2) = 4.30265 (tables); s = 1, n = 3
    assert result.loc["a", "half_width"] == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)
    assert result.loc["a", "mean"] == 2.0
    assert result.loc["b", "n"] == 1
    assert np.isnan(result.loc["b", "half_width"])


def test_missing_values_are_left_out_not_zero():
    table = pd.DataFrame({"g": ["a", "a", "b"], "x": [4.0, None, None]})
    result = mean_interval(table, ["g"], "x")
    assert result["g"].tolist() == ["a"]
    assert result["mean"].tolist() == [4.0]


def energy(meter: str, component: str, value: float | None, evidence: Evidence = Evidence.MEASURED) -> Reading:
    reason = None if value is not None else "unreadable"
    return Reading.of(MeterName(meter), component, Quantity.ENERGY, value, evidence, reason)


MODELLED = Evidence.MODELLED


def test_measured_and_modelled_are_never_added():
    readings = [energy("rapl", "cpu", 10.0), energy("codecarbon", "ram", 5.0, MODELLED)]
    measured = total(readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=False)
    modelled = total(readings, Quantity.ENERGY, MODELLED, uses_gpu=False)
    assert measured is not None and (measured.energy_j, measured.scope) == (10.0, "cpu")
    assert modelled is not None and (modelled.energy_j, modelled.scope) == (5.0, "ram")


def test_one_meter_per_component_and_nothing_twice():
    readings = [
        energy("rapl", "package-0", 10.0),
        energy("rapl", "package-1", 20.0),
        energy("rapl", "cpu", 30.0),
        energy("rapl", "psys", 50.0),
        energy("rapl", "dram", 3.0),
        energy("codecarbon", "cpu", 99.0, MODELLED),
        energy("codecarbon", "ram", 7.0, MODELLED),
    ]
    measured = total(readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=False)
    assert measured is not None and (measured.energy_j, measured.scope) == (33.0, "cpu+dram")
    assert total(readings, Quantity.ENERGY, MODELLED, uses_gpu=False) is None


def test_a_failed_counter_is_replaced_by_the_model_with_its_evidence():
    readings = [energy("rapl", "cpu", None), energy("codecarbon", "cpu", 9.0, MODELLED)]
    assert primary_readings(readings, Quantity.ENERGY, uses_gpu=False)["cpu"].evidence == MODELLED
    assert total(readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=False) is None


def test_a_gpu_only_counts_if_the_run_uses_it():
    readings = [energy("nvml", "gpu", 40.0), energy("rapl", "cpu", 2.0)]
    with_gpu = total(readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=True)
    without = total(readings, Quantity.ENERGY, Evidence.MEASURED, uses_gpu=False)
    assert with_gpu is not None and with_gpu.energy_j == 42.0
    assert without is not None and without.energy_j == 2.0
