"""The published formulas, compared with numbers calculated by hand."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.electricity import Electricity
from baler_energy.analysis.formulas import cpu_tdp_w, formula_rows, green_algorithms, ml_co2, strubell
from baler_energy.records import Contamination, Measurement, Reading, Window
from baler_energy.vocabulary import Evidence, MeterName, Operation, Quantity

HOUR_S = 3600.0


def record(*, device: str = "cpu", cpu_model: str = "Intel(R) Xeon(R) Silver 4216 CPU @ 2.10GHz", measured=True):
    evidence = Evidence.MEASURED if measured else Evidence.MODELLED
    readings = []
    for component, meter, watts in (("cpu", MeterName.RAPL, 50.0), ("dram", MeterName.RAPL, 10.0)):
        readings += [
            Reading.of(meter, component, Quantity.ENERGY, watts * HOUR_S, evidence),
            Reading.of(meter, component, Quantity.POWER_MEAN, watts, evidence),
        ]
    readings.append(Reading.of(MeterName.SAMPLER, "machine", Quantity.UTILISATION_MEAN, 0.5))
    return Measurement(
        run_id="x",
        operation=Operation.TRAIN,
        parameters={"device": device},
        iterations=1,
        window=Window(start=datetime(2026, 1, 1, tzinfo=UTC), duration_s=HOUR_S),
        readings=tuple(readings),
        idle=None,
        contamination=Contamination(fraction=0.0, other_cpu_s=0.0, logical_cpus=2),
        flags=(),
        provenance={"machine": {"cpu_model": cpu_model, "memory_bytes": 100e9}},
    )


def rows_of(made: Measurement, **options):
    given = {"cpu_tdp_w": None, "gpu_tdp_w": None, "electricity": Electricity(2.0, value_g_per_kwh=100.0)} | options
    return {(row["tool"], row["quantity"]): row for row in formula_rows(made, **given)}


def test_strubell_has_its_own_pue_and_pounds():
    estimate = strubell(HOUR_S, 100.0, 20.0, 0.0)
    assert estimate.energy_j == pytest.approx(1.58 * 0.120 * 3.6e6)
    assert estimate.co2e_kg == pytest.approx(1.58 * 0.120 * 0.4327, rel=1e-4)


def test_green_algorithms_adds_memory_and_multiplies_by_the_sites_pue():
    estimate = green_algorithms(
        HOUR_S, cpu_tdp_w=100, usage=0.5, gpu_tdp_w=70, memory_bytes=64e9, pue=1.67, intensity_g_per_kwh=400
    )
    kwh = (50 + 70 + 64 * 0.3725) * 1.67 / 1000
    assert estimate.energy_j == pytest.approx(kwh * 3.6e6)
    assert estimate.co2e_kg == pytest.approx(kwh * 0.4)


def test_the_ml_emissions_calculator_is_hours_times_tdp_times_intensity():
    estimate = ml_co2(2 * HOUR_S, 250.0, 432.0)
    assert (estimate.energy_j, estimate.co2e_kg) == pytest.approx((0.5 * 3.6e6, 0.216))
    assert ml_co2(1.0, 250.0, None).co2e_kg is None


@given(st.floats(0.1, 1e6), st.floats(1, 1e3), st.floats(0, 1), st.floats(1, 3))
def test_energies_are_proportional_to_time_and_rise_with_every_input(duration_s, watts, usage, pue):
    def made(**changes):
        inputs = {"cpu_tdp_w": watts, "usage": usage, "gpu_tdp_w": 0.0, "memory_bytes": 1e9, "pue": pue}
        return green_algorithms(duration_s, **inputs | changes, intensity_g_per_kwh=None).energy_j

    assert made(usage=min(1.0, usage + 0.1)) >= made() > 0
    assert made(pue=pue * 2) == pytest.approx(2 * made())
    assert strubell(2 * duration_s, watts, 0, 0).energy_j == pytest.approx(
        2 * strubell(duration_s, watts, 0, 0).energy_j
    )


@pytest.mark.parametrize(
    ("model", "tdp_w"),
    [
        ("Intel(R) Xeon(R) Silver 4216 CPU @ 2.10GHz", 100),
        ("AMD EPYC 7742 64-Core Processor", 225),
        ("AMD Ryzen 7 5800X 8-Core Processor", 105),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", 15),
        ("Apple M1", 10),
        ("Intel(R) Xeon(R) Processor", None),
        (None, None),
    ],
)
def test_a_cpus_tdp_is_that_of_the_table_or_unknown(model, tdp_w):
    assert cpu_tdp_w(model) == tdp_w


def test_a_record_gets_all_three_and_our_energy():
    rows = rows_of(record())
    ours_j = 60 * HOUR_S
    assert {row["evidence"] for row in rows.values()} == {"modelled"}
    assert rows["strubell", "energy"]["ratio"] == pytest.approx(1.58)
    assert rows["green_algorithms", "energy"]["value"] == pytest.approx((100 * 0.5 + 37.25) * 2.0 * HOUR_S)
    assert rows["ml_co2", "energy"]["ratio"] == pytest.approx(100 * HOUR_S / ours_j)
    assert rows["ml_co2", "energy"]["ours_scope"] == "cpu+dram"
    assert rows["ml_co2", "co2e"]["value"] == pytest.approx(0.1 * 0.1)
    assert "TDP 100 W" in rows["ml_co2", "energy"]["assumptions"]


def test_unknown_values_are_null_with_the_key_to_set():
    rows = rows_of(record(cpu_model="Some CPU"))
    assert rows["ml_co2", "energy"]["value"] is None
    assert "set peers.cpu_tdp_w" in rows["ml_co2", "energy"]["reason"]
    assert rows_of(record(cpu_model="Some CPU"), cpu_tdp_w=65.0)["ml_co2", "energy"]["value"] == 65 * HOUR_S
    on_gpu = rows_of(record(device="cuda"))
    assert "set peers.gpu_tdp_w" in on_gpu["green_algorithms", "energy"]["reason"]
    assert rows_of(record(device="cuda"), gpu_tdp_w=70.0)["ml_co2", "energy"]["value"] == 70 * HOUR_S


def test_without_an_intensity_only_strubell_has_co2e():
    rows = rows_of(record(), electricity=Electricity(1.0))
    assert rows["ml_co2", "co2e"]["value"] is None
    assert "carbon intensity" in rows["ml_co2", "co2e"]["reason"]
    assert rows["strubell", "co2e"]["value"] > 0
