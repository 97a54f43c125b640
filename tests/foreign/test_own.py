"""The study's own readings are judged like those in other tools' files."""

import numpy as np
import pandas as pd
import pytest

from baler_energy.analysis.schema import TABLES
from baler_energy.foreign.own import OWN, constant_readings, own_findings

DURATIONS_S = (1.2, 2.0, 5.0, 1.3)


def study(powers_w, *, hosts="nnnn", durations_s=DURATIONS_S):
    """Make measurements and runs with a window of each duration, and energies of a power (or one for each window)."""
    runs, rows = [], []
    for number, (host, length) in enumerate(zip(hosts, durations_s, strict=True)):
        window = {"run_id": f"{number}", "operation": "train"}
        runs.append(window | {"window_s": length, "hostname": host, "cpu_model": "CPU"})
        for (meter, component), power in powers_w.items():
            value = None if power is None else np.broadcast_to(power, len(durations_s))[number] * length
            reading = {"meter": meter, "component": component, "quantity": "energy", "value": value}
            rows.append(window | reading | {"evidence": "modelled", "primary": True})
        rows.append(window | {"meter": "process", "component": "process", "quantity": "cpu_time", "value": length})
    return pd.DataFrame(rows).astype({"value": "float64"}), pd.DataFrame(runs)


VARIED_W = (5.0, 9.0, 7.0, 6.0)


def test_a_constant_for_memory_is_found_and_the_rest_is_not():
    measurements, runs = study({("codecarbon", "cpu"): VARIED_W, ("codecarbon", "ram"): 20.0})
    found = own_findings(measurements, runs)
    assert list(found) == [column.name for column in TABLES["findings"][1]]
    (row,) = found.to_dict("records")
    assert (row["finding"], row["file"], row["unit"]) == ("constant_power", OWN, "W")
    assert row["value"] == pytest.approx(20) and row["subject"] == "codecarbon ram, n, CPU"
    assert "RAM energy is 20.0 W times duration in all 4 rows of codecarbon on n, CPU" in row["sentence"]
    readings = constant_readings(measurements, runs)
    assert set(readings["component"]) == {"ram"} and len(readings) == 4
    assert readings["power_w"].tolist() == pytest.approx([20.0] * 4)


def test_an_energy_that_only_reflects_the_duration_is_said_to():
    measurements, runs = study({("codecarbon", "cpu"): 8.0, ("codecarbon", "ram"): 20.0, ("codecarbon", "gpu"): None})
    found = own_findings(measurements, runs).set_index("finding")
    total = found.loc["constant_total"]
    assert total["value"] == pytest.approx(28) and "it only reflects the duration" in total["sentence"]
    assert len(found.loc[["constant_power"]]) == 2


def test_measured_energies_and_other_quantities_show_nothing():
    measurements, runs = study({("rapl", "cpu"): VARIED_W})
    assert own_findings(measurements, runs).empty and constant_readings(measurements, runs).empty


def test_windows_of_one_length_prove_nothing():
    measurements, runs = study({("codecarbon", "ram"): 20.0}, durations_s=(1.2, 1.21, 1.2, 1.2))
    assert own_findings(measurements, runs).empty


def test_machines_of_one_kind_are_judged_each_by_itself():
    measurements, runs = study({("codecarbon", "ram"): (20.0, 20.0, 40.0, 20.0)}, hosts="aaba")
    (row,) = own_findings(measurements, runs).to_dict("records")
    assert row["subject"] == "codecarbon ram, a, CPU" and row["value"] == pytest.approx(20)


def test_a_study_without_energies_has_no_findings():
    measurements, runs = study({})
    assert own_findings(measurements, runs).empty and constant_readings(measurements, runs).empty
