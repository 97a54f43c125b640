"""Each tool's file: recognised by its content, in SI units, with the evidence."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from foreign_tables import KINDS, pick

from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.errors import InputError
from baler_energy.foreign import read_foreign
from baler_energy.vocabulary import Evidence, MeterName, Quantity, check_component

START = pd.Timestamp("2026-03-01T12:00:00Z")


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_known_by_its_content_and_fits_the_schema(kind, write):
    foreign, findings = read_foreign([write(kind, name="results.dat")])
    assert set(foreign["meter"]) == {KINDS[kind]}
    assert list(foreign) == [c.name for c in TABLES["foreign"][1]]
    pa.Table.from_pandas(foreign, schema=arrow_schema("foreign"), preserve_index=False)
    pa.Table.from_pandas(findings, schema=arrow_schema("findings"), preserve_index=False)
    for row in foreign.itertuples():
        assert MeterName(row.meter) and Evidence(row.evidence) and check_component(row.component)
        assert row.unit == Quantity(row.quantity).unit
        assert row.detail
        assert pd.isna(row.value) == (row.reason is not None and not pd.isna(row.reason))
        assert row.file == "results.dat"
    energy = foreign.loc[foreign["quantity"] == "energy", "value"].dropna()
    assert len(energy) and (energy > 0).all()


@pytest.mark.parametrize("version", ["2.2.0", "2.3.1", "2.8.3", "3.3.2"])
def test_codecarbon_of_any_version(version, write):
    path = write("codecarbon", version=version, gpu_w=(30.0, 45.0, 60.0), gpus=1)
    foreign, _ = read_foreign([path])
    assert set(foreign["tool_version"]) == {version}
    assert pick(foreign, "cpu")["value"].tolist() == pytest.approx([420, 840, 1260])
    assert pick(foreign, "gpu")["value"].tolist() == pytest.approx([300, 900, 1800])
    assert pick(foreign, "ram")["value"].tolist() == pytest.approx([600, 1200, 1800])
    assert pick(foreign, "machine")["value"].tolist() == pytest.approx([1320, 2940, 4860])
    assert pick(foreign, "machine", "duration")["value"].tolist() == [10, 20, 30]
    assert pick(foreign, "machine", "co2e")["value"][0] == pytest.approx(0.4 * 1320 / 3.6e6)
    assert set(foreign["ram_bytes"]) == {160 * 2.0**30}
    assert foreign["window_start"].iloc[0] == START + pd.Timedelta(seconds=90)  # the time stamp is the row's end


def test_codecarbon_evidence(write):
    foreign, _ = read_foreign([write("codecarbon", cpu_w=(20.0, 33.0, 41.0), gpu_w=(30.0, 45.0, 60.0), gpus=1)])
    assert set(pick(foreign, "cpu")["evidence"]) == {"unknown"}
    assert "no column says" in pick(foreign, "cpu")["detail"][0]
    assert set(pick(foreign, "gpu")["evidence"]) == {"measured"}
    assert set(pick(foreign, "ram")["evidence"]) == {"modelled"}
    assert set(pick(foreign, "machine")["evidence"]) == {"modelled"}
    assert (
        pick(foreign, "machine")["detail"][0]
        == "sum of parts with different evidence: cpu unknown, gpu measured, ram modelled"
    )
    assert set(pick(foreign, "machine", "co2e")["evidence"]) == {"modelled"}


def test_a_single_row_at_codecarbons_default_power_is_modelled(write):
    foreign, _ = read_foreign([write("codecarbon", (100.0,), cpu_w=42.5)])
    assert pick(foreign, "cpu")["evidence"][0] == "modelled"
    assert "unknown CPU" in pick(foreign, "cpu")["detail"][0]


@pytest.mark.parametrize("gpus", [None, 0, 1])
def test_a_gpu_of_zero_joules_is_missing_with_its_reason(gpus, write):
    foreign, findings = read_foreign([write("codecarbon", gpus=gpus)])
    gpu = pick(foreign, "gpu")
    assert gpu["value"].isna().all()
    assert gpu["reason"].str.contains("Tesla T4" if gpus else "no GPU").all()
    assert "missing" in set(findings["finding"])


def test_columns_that_are_absent_or_empty_are_null_with_a_reason(write):
    path = write("codecarbon")
    table = pd.read_csv(path).drop(columns=["cpu_energy", "cpu_model", "ram_total_size"])
    table["ram_energy"] = None
    table.assign(new_thing=3).to_csv(path, index=False)
    foreign, _ = read_foreign([path])
    assert pick(foreign, "cpu")["reason"].tolist() == ["the file has no value in column cpu_energy"] * 3
    assert pick(foreign, "ram")["value"].isna().all()
    assert foreign["cpu_model"].isna().all() and foreign["ram_bytes"].isna().all()


def test_a_negative_energy_is_missing(write):
    path = write("pyjoules")
    path.write_text(path.read_text().replace(";500000\n", ";-261843000\n"))
    foreign, _ = read_foreign([path])
    gpu = pick(foreign, "gpu-0")
    assert pd.isna(gpu["value"][0]) and "-2.618e+05 J" in gpu["reason"][0] and "wrapped" in gpu["reason"][0]
    assert gpu["value"][1] == 1000


def test_pyjoules_units(write):
    foreign, _ = read_foreign([write("pyjoules")])
    assert pick(foreign, "gpu-0")["value"].tolist() == [500, 1000, 1500]  # mJ
    assert pick(foreign, "package-0")["value"].tolist() == pytest.approx([100, 200, 300])  # uJ
    assert pick(foreign, "dram-0")["value"].tolist() == pytest.approx([20, 40, 60])
    assert foreign["window_start"].iloc[0] == START
    foreign, _ = read_foreign([write("pyjoules_log")])
    assert pick(foreign, "gpu-0")["value"].tolist() == [500, 1000, 1500]


def test_eco2ai_has_one_modelled_energy(write):
    foreign, _ = read_foreign([write("eco2ai")])
    assert pick(foreign, "machine")["value"].tolist() == pytest.approx([400, 880, 1440])
    assert set(pick(foreign, "machine")["evidence"]) == {"modelled"}
    assert "TDP of 100 W" in pick(foreign, "machine")["detail"][0]
    assert foreign["epoch"].unique().tolist() == [1, 2, 3]
    assert set(foreign["cpu_model"]) == {"Intel(R) Xeon(R) Test CPU"}
    assert foreign["gpu_model"].isna().all()


def test_zeus_log(write):
    path = write("zeus_log")
    foreign, _ = read_foreign([path])
    assert pick(foreign, "gpu")["value"].tolist() == [500, 1000, 1500]
    assert pick(foreign, "gpu")["window_start"].tolist() == [START + pd.Timedelta(seconds=s) for s in (0, 10, 30)]
    assert pick(foreign, "gpu")["epoch"].tolist() == [0, 1, 2]
    path.write_text(
        "\n".join(line for line in path.read_text().splitlines() if not line.startswith("Epoch 1 consumed"))
    )
    foreign, _ = read_foreign([path])
    gpu = pick(foreign, "gpu")
    assert gpu["value"].fillna(-1).tolist() == [500, -1, 1500]
    assert gpu["duration_s"].tolist() == [10, 20, 30]  # from the dates of its lines
    assert "no line with its energy" in gpu["reason"][1]


def test_zeus_table(write):
    foreign, _ = read_foreign([write("zeus_csv")])
    assert pick(foreign, "gpu-0")["value"][0] == 500 and pick(foreign, "gpu-1")["value"][0] == 400


def test_a_log_of_two_tools_gives_both(texts, tmp_path):
    path = tmp_path / "both.log"
    path.write_text(texts["zeus_log"] + texts["pyjoules_log"])
    foreign, _ = read_foreign([path])
    assert foreign["meter"].value_counts().to_dict() == {"zeus": 6, "pyjoules": 6}


@pytest.mark.parametrize(
    ("cpu", "evidence"),
    [
        ("cpu:0", "measured"),
        ("cpu:0, dram:0", "measured"),
        ("Intel Core i5-7600", "modelled"),
        ("CPU", "unknown"),
    ],
)
def test_carbontracker_epochs(cpu, evidence, write):
    foreign, _ = read_foreign([write("carbontracker", cpu)])
    assert pick(foreign, "cpu")["value"].tolist() == pytest.approx([2010, 15])
    assert set(pick(foreign, "cpu")["evidence"]) == {evidence}
    gpu = pick(foreign, "gpu")
    assert gpu["value"][0] == pytest.approx(5025) and "too short" in gpu["reason"][1]
    assert set(gpu["evidence"]) == {"measured"} and set(foreign["gpu_model"]) == {"Tesla T4"}
    assert set(foreign["tool_version"]) == {"2.4.7"}
    assert foreign["window_start"].iloc[0] == START - pd.Timedelta(seconds=100.5)


def test_carbontracker_output_is_the_actual_consumption_alone(write):
    foreign, _ = read_foreign([write("carbontracker_output")])
    assert pick(foreign, "machine")["value"].tolist() == [3600]
    assert "PUE" in pick(foreign, "machine")["detail"][0]
    assert pick(foreign, "machine", "co2e")["value"][0] == pytest.approx(0.5e-3)
    assert pick(foreign, "machine", "duration")["value"][0] == 101


# Text that is cut, units, names


@pytest.mark.parametrize("devices", [1, 5, 6, 8, 16, 100])
def test_carbontrackers_array_of_any_number_of_gpus(devices, write):
    """NumPy wraps an array after 75 characters."""
    path, powers = write("carbontracker"), 100.12345678 + np.arange(devices)
    text = path.read_text().replace("gpu: [50.0]", f"gpu: {powers}")
    assert devices < 6 or str(powers).count("\n")
    path.write_text(text)
    foreign, _ = read_foreign([path])
    assert pick(foreign, "gpu")["value"][0] == pytest.approx(powers.sum() * 100.5)
    assert pick(foreign, "cpu")["value"][0] == pytest.approx(2010)
    if devices > 5:
        path.write_text(text[: text.index("]")].rsplit("\n", 1)[0] + "\n" + text[text.index("]\n") + 2 :])
        with pytest.raises(InputError, match="row 5: the powers are cut off"):
            read_foreign([path])


def test_an_array_that_numpy_shortened_is_refused(write):
    path = write("carbontracker")
    path.write_text(path.read_text().replace("gpu: [50.0]", "gpu: [50.0 50.1 ... 50.2 50.3]"))
    with pytest.raises(InputError, match=r"row 5: the power of gpu is '\.\.\.', not a number"):
        read_foreign([path])


@pytest.mark.parametrize(("old", "new"), [("kWh", "Wh"), (" kWh", ""), ("0.5 g", "0.5 kg"), ("CO2eq", "CO2")])
def test_carbontrackers_units_are_checked(old, new, write):
    path = write("carbontracker_output")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match="row 3: the consumption is cut off, or not in kWh and g"):
        read_foreign([path])


def test_zeus_logs_by_the_name_of_the_module_since_0_8(write):
    path = write("zeus_log")
    text = path.read_text().replace("[ZeusMonitor]", "[zeus.monitor.energy]")
    path.write_text(text)
    foreign, _ = read_foreign([path])
    gpu = pick(foreign, "gpu")
    assert gpu["value"].tolist() == [500, 1000, 1500]
    assert gpu["window_start"].tolist() == [START + pd.Timedelta(seconds=s) for s in (0, 10, 30)]
    path.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("Epoch")))
    assert pick(read_foreign([path])[0], "gpu")["reason"].str.contains("no line with its energy").tolist() == [True] * 3


@pytest.mark.parametrize("unit_s", [1, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("kind", ["pyjoules", "pyjoules_log"])
def test_pyjoules_times_in_any_unit(unit_s, kind, write):
    path = write(kind, durations=(0.25, 0.5, 10.0))
    expected, _ = read_foreign([path])
    times = re.compile(r"(timestamp : |duration : |fit;|^)(\d+\.\d+)", re.MULTILINE)
    path.write_text(times.sub(lambda found: f"{found[1]}{float(found[2]) / unit_s:.2f}", path.read_text()))
    foreign, _ = read_foreign([path])
    assert foreign["value"].tolist() == pytest.approx(expected["value"].tolist())
    assert foreign["duration_s"].tolist() == pytest.approx(expected["duration_s"].tolist())
    off = (foreign["window_start"] - expected["window_start"]).abs()
    assert (off <= pd.Timedelta(microseconds=2)).all()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\r\n", "\r"])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_other_systems(encoding, ending, kind, write):
    path = write(kind)
    expected, _ = read_foreign([path])
    path.write_bytes(path.read_text().replace("\n", ending).encode(encoding))
    pd.testing.assert_frame_equal(read_foreign([path])[0], expected)
