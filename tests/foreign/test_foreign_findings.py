"""Findings from the rows alone, in artificial files with and without each property and in the original study's."""

import numpy as np
import pandas as pd
import pytest

from baler_energy.foreign import read_foreign

START_S = pd.Timestamp("2026-03-01T12:00:00Z").timestamp()
VARIED = (20.0, 33.0, 41.0)


def words(findings):
    return set(findings["finding"])


def one(findings, word, subject=""):
    rows = findings[(findings["finding"] == word) & findings["subject"].str.contains(subject, regex=False)]
    assert len(rows) == 1, f"{len(rows)} findings of {word} {subject}"
    return rows.iloc[0]


def test_constant_powers_and_their_sum(write):
    foreign, findings = read_foreign([write("codecarbon", cpu_w=5.0, ram_gb=16.0)])
    assert one(findings, "constant_power", "cpu")["value"] == pytest.approx(5)
    assert one(findings, "constant_power", "ram")["value"] == pytest.approx(6)
    total = one(findings, "constant_total")
    assert total["value"] == pytest.approx(11) and total["unit"] == "W" and "11.0 W" in total["sentence"]
    energy = foreign[(foreign["quantity"] == "energy") & foreign["value"].notna()]
    assert set(energy["evidence"]) == {"modelled"}
    assert energy["detail"].str.contains("5 W times duration in 3 rows of 10 to 30 s").any()


def test_a_varying_cpu_keeps_the_sum_open(write):
    _, findings = read_foreign([write("codecarbon", cpu_w=VARIED, ram_gb=16.0)])
    assert one(findings, "constant_power")["subject"].startswith("codecarbon ram")
    assert "constant_total" not in words(findings)


def test_a_measured_counter_that_stopped_is_not_believed(write):
    foreign, findings = read_foreign([write("pyjoules")])
    gpu = foreign[(foreign["component"] == "gpu-0") & (foreign["quantity"] == "energy")]
    assert set(gpu["evidence"]) == {"modelled"}
    assert one(findings, "constant_power", "gpu-0")["value"] == pytest.approx(50)


def test_a_constant_is_seen_across_files(write):
    paths = [write("codecarbon", (t,), cpu_w=33.0, name=f"{t}.csv") for t in (10.0, 25.0, 60.0)]
    assert "constant_power" not in words(read_foreign(paths[:2])[1])
    foreign, findings = read_foreign(paths)
    assert one(findings, "constant_power", "cpu")["file"] == "10.0.csv, 25.0.csv, 60.0.csv"
    cpu = foreign[(foreign["component"] == "cpu") & (foreign["quantity"] == "energy")]
    assert set(cpu["evidence"]) == {"modelled"}


def test_ram_by_size_on_two_hosts_and_the_hosts(write):
    paths = [write("codecarbon", (t,), ram_gb=gb, name=f"{gb}.csv") for t, gb in ((100.0, 160.0), (30.0, 15.0))]
    _, findings = read_foreign(paths)
    ram = one(findings, "ram_per_gb")
    assert ram["value"] == pytest.approx(0.375) and ram["unit"] == "W/GB" and "not comparable" in ram["sentence"]
    hosts = one(findings, "hosts")
    assert (
        hosts["value"] == 2 and "160.0 GB: 160.0.csv" in hosts["sentence"] and "15.0 GB: 15.0.csv" in hosts["sentence"]
    )
    assert not {"ram_per_gb", "hosts"} & words(read_foreign(paths[:1])[1])


def nested_pair(write, *, shift_s=0.0, share=0.8, watts=50.0):
    """Write a Zeus log, and codecarbon rows inside its windows: `share` of the time, at `watts` against Zeus' 50 W."""
    lengths = np.random.default_rng(3).uniform(5, 9, 30)
    ends = START_S + np.cumsum(lengths)
    zeus = write("zeus_log", lengths.tolist(), name="zeus.log")
    inner = (share * lengths).tolist()
    powers = (watts * (1 + 0.01 * np.sin(np.arange(30)))).tolist()
    rows = {"ends": ends - 0.1 * lengths + shift_s, "gpu_w": powers, "gpus": 1, "name": "cc.csv"}
    return zeus, write("codecarbon", inner, cpu_w=powers, **rows)


def test_windows_inside_windows_agree_on_power_not_energy(write):
    _, findings = read_foreign(nested_pair(write, watts=51.0))
    nested = one(findings, "nested", "zeus and codecarbon")
    assert nested["value"] == pytest.approx(0.2) and "A fifth (20.0%)" in nested["sentence"]
    assert one(findings, "nested_power", "gpu")["value"] == pytest.approx(0.02, abs=0.002)
    energy = one(findings, "nested_energy", "gpu")
    assert energy["value"] == pytest.approx(0.8 * 1.02, abs=0.003)
    assert "agree on GPU power within" in energy["sentence"] and "but not on energy" in energy["sentence"]


def test_windows_of_another_hour_are_not_nested(write):
    assert not words(read_foreign(nested_pair(write, shift_s=3600.0))[1]) & {"nested", "nested_power", "nested_energy"}


def test_nested_tools_that_differ_on_power_are_reported(write):
    _, findings = read_foreign(nested_pair(write, watts=80.0))
    assert "differ on GPU power by 60%" in one(findings, "nested_power", "gpu")["sentence"]
    assert "but not on energy" not in one(findings, "nested_energy", "gpu")["sentence"]


def test_one_counter_read_by_two_tools_in_one_log(write, tmp_path):
    lengths = np.random.default_rng(1).uniform(4, 6, 20).round(2).tolist()
    path = tmp_path / "both.log"
    zeus = write("zeus_log", [t + 0.01 for t in lengths]).read_text()
    for length in lengths:  # the same joules in the larger window
        zeus = zeus.replace(
            f"consumed {length + 0.01} s and {50.0 * (length + 0.01)} J",
            f"consumed {length + 0.01} s and {50.0 * length} J",
        )
    path.write_text(zeus + write("pyjoules_log", lengths, start=START_S - 7200).read_text())  # UTC, two zones away
    _, findings = read_foreign([path])
    assert "nested" in words(findings)
    same = one(findings, "same_counter")
    assert same["value"] == 1 and "agreement, not accuracy" in same["sentence"]


def separate_pair(write, wobble):
    """Write a Zeus log and a pyJoules log, a day apart; the power in both is 50 W, plus or minus `wobble`."""
    numbers = np.random.default_rng(2)
    lengths = np.array([30.0, 20.0, *numbers.uniform(4.9, 5.1, 30)]).round(3)
    powers = 50 * (1 + wobble * numbers.uniform(-1, 1, 32))
    zeus = write("zeus_log", lengths.tolist())
    joules = write("pyjoules_log", lengths.tolist(), start=START_S + 90000)
    for length, power in zip(lengths, powers, strict=True):
        zeus.write_text(zeus.read_text().replace(f" {50.0 * length} J.", f" {power * length} J."))
        before = f"{length}; nvidia_gpu_0 : "
        joules.write_text(
            joules.read_text().replace(f"{before}{50 * length * 1e3:.0f}", f"{before}{power * length * 1e3:.0f}")
        )
    return zeus, joules


def test_separate_runs_with_the_same_mean_read_the_same_counter(write):
    _, findings = read_foreign(separate_pair(write, 0.1))
    same = one(findings, "same_counter", "zeus and pyjoules")
    assert same["value"] == pytest.approx(1, abs=0.001) and "without the first two" in same["sentence"]


def test_two_constants_are_not_the_same_counter(write):
    assert "same_counter" not in words(read_foreign(separate_pair(write, 0.0))[1])


def test_the_factor_between_two_totals(write):
    lengths = np.random.default_rng(5).uniform(4, 6, 40).tolist()
    ends = START_S + 90000 + np.cumsum(lengths)
    paths = [write("eco2ai", lengths, watts=20.0), write("codecarbon", lengths, ends=ends, cpu_w=40.0, ram_gb=160.0)]
    _, findings = read_foreign(paths)
    factor = one(findings, "factor", "codecarbon and eco2ai")
    assert factor["value"] == pytest.approx(100 / 22, rel=0.02)
    assert "In two runs of 40 windows" in factor["sentence"]
    other = write("codecarbon", lengths, ends=ends, cpu_model="Another CPU", name="other.csv")
    assert "factor" not in words(read_foreign([paths[0], other])[1])


# The original study


@pytest.fixture(scope="module")
def study(published):
    return read_foreign(published)


def test_published_m1_rows_are_a_constant_11_w(study):
    foreign, findings = study
    total = one(findings, "constant_total")
    assert total["value"] == pytest.approx(11.0, abs=0.01) and "Apple M1" in total["subject"]
    assert "cpu 5.0 W + ram 6.0 W" in total["sentence"]
    m1 = foreign[foreign["file"].str.startswith("m1_") & (foreign["quantity"] == "energy") & foreign["value"].notna()]
    assert set(m1["evidence"]) == {"modelled"}
    assert set(m1["component"]) == {"cpu", "ram", "machine"}  # zeros of its GPU are missing values, not 0 J


@pytest.mark.parametrize(
    "name", ["m1_cpu_powermetrics_logs_emissions.csv", "m1_cpu_scalene_emissions.csv", "m1_gpu_emissions.csv"]
)
def test_each_published_m1_file_has_a_finding_alone(name, shared):
    _, findings = read_foreign([shared(f"published/{name}")])
    assert one(findings, "constant_total")["value"] == pytest.approx(11.0, abs=0.01)


def test_published_cpu_is_a_constant_on_the_gpu_host(study):
    foreign, findings = study
    assert one(findings, "constant_power", "cpu, Intel")["value"] == pytest.approx(42.5, abs=0.01)
    cpu = foreign[(foreign["component"] == "cpu") & (foreign["quantity"] == "energy")]
    assert set(cpu["evidence"]) == {"modelled"}
    gpu = foreign[(foreign["component"] == "gpu") & (foreign["meter"] == "codecarbon") & foreign["value"].notna()]
    assert set(gpu["evidence"]) == {"measured"}


def test_published_ram_power_is_proportional_to_the_memory(study, published):
    _, findings = study
    assert one(findings, "ram_per_gb")["value"] == pytest.approx(0.375, abs=5e-4)
    assert one(findings, "hosts")["value"] == 3
    phases = [path for path in published if path.name.endswith("_code_carbon.csv")]
    _, findings = read_foreign(phases)
    sentence = one(findings, "ram_per_gb")["sentence"]
    assert "160.7 GB" in sentence and "15.0 GB" in sentence and "not comparable" in sentence
    assert one(findings, "hosts")["value"] == 2


def test_published_zeus_and_codecarbon_are_nested(study):
    _, findings = study
    nested = one(findings, "nested", "zeus and codecarbon")
    assert nested["value"] == pytest.approx(1 / 6, abs=0.01) and "1000 windows" in nested["sentence"]
    assert "A sixth" in nested["sentence"]
    assert abs(one(findings, "nested_power", "zeus and codecarbon")["value"]) < 0.04
    assert one(findings, "nested_energy", "zeus and codecarbon")["value"] == pytest.approx(0.0689 / 0.0805, abs=0.002)


def test_published_totals_and_agreement(study):
    _, findings = study
    assert one(findings, "factor")["value"] == pytest.approx(3.8, abs=0.05)
    apart = findings[(findings["finding"] == "same_counter") & findings["file"].str.contains("pyJoules_100e.log")]
    assert len(apart) == 1 and "agreement, not accuracy" in apart["sentence"].iloc[0]
    assert "225.0 J" in apart["sentence"].iloc[0] and apart["value"].iloc[0] == pytest.approx(1, abs=0.005)
    inside = findings[
        (findings["finding"] == "same_counter") & (findings["file"] == "lxplus_gpu_zeus_log_zeush_monitor.log")
    ]
    assert len(inside) == 1 and inside["value"].iloc[0] > 0.9


def test_published_totals_are_those_of_the_files(study):
    foreign, _ = study
    energy = foreign[foreign["quantity"] == "energy"].groupby(["file", "component"])["value"].sum()
    assert energy["lxplus_gpu_zeus_zeus_1000e.log", "gpu"] == pytest.approx(289_927, abs=1)
    assert energy["lxplus_gpu_eco2ai_emission.csv", "machine"] / 3.6e6 == pytest.approx(0.0558, abs=1e-4)
    assert energy["lxplus_gpu_codecarbon_emissions.csv", "machine"] / 3.6e6 == pytest.approx(0.2127, abs=1e-4)
    assert energy["lxplus_gpu_pyJoule_pyJoules_total_energy_result_75.csv", "gpu-0"] == pytest.approx(17508.765)
