"""Each tool's file: recognised by its content, in SI units, with the evidence; bad files end in one message."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis.schema import TABLES, arrow_schema
from baler_energy.errors import InputError
from baler_energy.foreign import read_foreign
from baler_energy.vocabulary import Evidence, MeterName, Quantity, check_component

KINDS = {
    "codecarbon": "codecarbon",
    "eco2ai": "eco2ai",
    "pyjoules": "pyjoules",
    "pyjoules_log": "pyjoules",
    "zeus_log": "zeus",
    "zeus_csv": "zeus",
    "carbontracker": "carbontracker",
    "carbontracker_output": "carbontracker",
}
START = pd.Timestamp("2026-03-01T12:00:00Z")
JOULES_CUT = b"begin timestamp : 1; tag : a; duration : 1; core_0 : 1\n"


def pick(table, component, quantity="energy"):
    return table[(table["component"] == component) & (table["quantity"] == quantity)].reset_index(drop=True)


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


@pytest.mark.parametrize("kind", ["codecarbon", "eco2ai", "pyjoules", "zeus_csv"])
def test_a_table_without_a_header_is_refused(kind, write):
    path = write(kind)
    path.write_text(path.read_text().split("\n", 1)[1])
    with pytest.raises(InputError, match="not a result of a supported tool"):
        read_foreign([path])


@pytest.mark.parametrize("kind", KINDS)
def test_decimal_commas_are_refused(kind, write):
    path = write(kind)
    path.write_text(re.sub(r"(\d)\.(\d)", r"\1,\2", path.read_text()))
    with pytest.raises(InputError, match=r"row \d+: "):
        read_foreign([path])


def test_no_energy_has_no_emissions(write):
    """A tool that read nothing writes 0 kWh and 0 kg."""
    path = write("carbontracker_output")
    path.write_text(path.read_text().replace("0.001 kWh", "0.000000 kWh").replace("0.5 g", "0.000000 g"))
    foreign, findings = read_foreign([path])
    assert pick(foreign, "machine")["value"].isna().all()
    kg = pick(foreign, "machine", "co2e")
    assert pd.isna(kg["value"][0]) and "0 kg" in kg["reason"][0]
    assert "missing" in set(findings["finding"])


@pytest.mark.parametrize("column", ["emissions", "energy_consumed"])
def test_the_emissions_of_a_missing_energy_are_missing(write, column):
    path = write("codecarbon", version="3.3.2")
    pd.read_csv(path).assign(**{column: 0.0}).to_csv(path, index=False)
    foreign, _ = read_foreign([path])
    kg = pick(foreign, "machine", "co2e")
    assert kg["value"].isna().all() and kg["reason"].notna().all()


@pytest.mark.parametrize("kind", ["eco2ai", "codecarbon", "pyjoules", "zeus_csv"])
def test_an_energy_that_no_machine_uses_in_the_time_is_missing(write, kind):
    """7,200 J in 7 ms would be a megawatt."""
    path = write(kind)
    path.write_text(path.read_text().replace(",10.0,", ",0.0005,").replace(";10.0;", ";0.0005;"))
    foreign, findings = read_foreign([path])
    short = foreign[(foreign["duration_s"] == 0.0005) & (foreign["quantity"] != "duration")]
    assert len(short) and short["value"].isna().all()
    energies = short[short["quantity"] == "energy"]
    assert energies["reason"].str.contains("in 0.0005 s would be|codecarbon found no GPU").all()
    (sentence,) = findings.loc[findings["sentence"].str.contains("more than any machine draws"), "sentence"][:1]
    assert "kW" in sentence
    assert (foreign.loc[foreign["duration_s"] > 1, "value"].dropna() > 0).all()


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("CPU 0 device(s)", None),
        (" 0 device(s)", None),
        ("Tesla T4 0 device(s)", None),
        ("CPU", None),
        ("", None),
        ("Tesla T4 2 device(s)", "Tesla T4"),
        ("Tesla T4 10 device(s)", "Tesla T4"),
    ],
)
def test_a_cpu_is_no_gpu(write, cell, name):
    path = write("eco2ai")
    path.write_text(path.read_text().replace(", 1 device(s),Linux", f",{cell},Linux"))
    foreign, _ = read_foreign([path])
    assert {None if pd.isna(model) else model for model in foreign["gpu_model"]} == {name}


@pytest.mark.parametrize("kind", ["eco2ai", "codecarbon", "pyjoules", "zeus_csv"])
def test_an_energy_in_no_time_is_missing(write, kind):
    path = write(kind)
    path.write_text(path.read_text().replace(",10.0,", ",0.0,").replace(";10.0;", ";0;"))
    foreign, _ = read_foreign([path])
    none = foreign[(foreign["duration_s"] == 0) & (foreign["quantity"] == "energy")]
    assert len(none) and none["value"].isna().all()
    assert none["reason"].str.contains("in 0 s would be inf kW|codecarbon found no GPU").all()


@pytest.mark.parametrize("part", ["cpu", "gpu", "ram"])
def test_a_sum_of_a_tool_that_read_only_some_parts_is_missing(write, part):
    path = write("codecarbon", cpu_w=(20.0, 33.0, 41.0), gpu_w=30.0, gpus=2)
    table = pd.read_csv(path)
    table.loc[1, "energy_consumed"] -= table.loc[1, f"{part}_energy"]
    table.loc[1, f"{part}_energy"] = 0.0
    table.to_csv(path, index=False)
    foreign, findings = read_foreign([path])
    for quantity in ("energy", "co2e"):
        rows = pick(foreign, "machine", quantity)
        assert rows["value"].isna().tolist() == [False, True, False]
        assert f"a part of it, {part}, is missing: " in rows["reason"][1]
    assert findings["sentence"].str.contains(f"no MACHINE energy in 1 row: a part of it, {part}").any()


def test_a_sum_without_a_gpu_that_the_machine_does_not_have_is_whole(write):
    assert pick(read_foreign([write("codecarbon", gpus=None)])[0], "machine")["value"].notna().all()


@pytest.mark.parametrize("powers", ["[50.0 0.0 60.0]", "[50.0 -4.2 60.0]", "0.0"])
def test_a_device_of_carbontracker_without_a_power_is_not_left_out_of_the_sum(write, powers):
    path = write("carbontracker")
    path.write_text(path.read_text().replace("gpu: [50.0]", f"gpu: {powers}"))
    gpu = pick(read_foreign([path])[0], "gpu")
    assert pd.isna(gpu["value"][0]) and "W: it was not read" in gpu["reason"][0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Epoch 2:", "Epoch two:", "row 8: an epoch has two durations"),
        ("cpu: 20.0", "gpu: 20.0", "row 6: the power of gpu occurs twice in an epoch"),
    ],
)
def test_epochs_of_carbontracker_are_not_mixed(write, old, new, words):
    path = write("carbontracker")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        read_foreign([path])


# Bad files


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"a,b\n1,2\n", "not a result of a supported tool"),
        (b"just some words\n", "not a result of a supported tool"),
        (b"\x80\x04\x95pickle", "is not a text file"),
        (b"PK\x03\x04\x00\x00", "is not a text file"),
        (b"timestamp;tag;duration;package_0\n", "no rows"),
        (b"timestamp;tag;duration;package_0;package_0\n1;a;2;3;4\n", "column 'package_0' occurs more than once"),
        (
            b"begin timestamp : 1; tag : a; duration : 2; package_0 : 3; package_0 : 4\n",
            "row 1: domain 'package_0' occurs more than once",
        ),
        (b"timestamp;tag;duration\n1;a;2\n", "row 2: has no domain"),
        (b"timestamp;tag;duration;package_0\n1;a;-2;3\n", "row 2: has a negative duration"),
        (b"[2026-01-01 00:00:00,000] [ZeusMonitor](energy.py:1) Monitoring GPU [0].\n", "no window ended"),
        (b"Epoch 3 consumed 4.6 s and x J.\n", "row 1: the energy is 'x', not a number"),
        (b"Epoch 3 consumed 4.6 s and 5 J.\nEpoch 4 consumed 4.6\n", "row 2: a Zeus line is cut off"),
        (b"begin timestamp : 1; tag : a; dura\n", "row 1: a pyJoules line is cut off"),
        (b"2026-01-01 00:00:00 - carbontracker version 2\n", "without a finished epoch"),
        (b"CarbonTracker: \nActual consumption for 1 epoch(s):\n\tTime:\t0:00:01\n", "row 2: the consumption is cut"),
        (b"a" * 200_000 + b",b\n", "not a result"),
        (b"timestamp;tag;duration;package_0;package_0\n1;a;2;3;4\n", "column 'package_0' occurs more than once"),
        (b"begin timestamp : 1; tag : a; duration : 1; core_0 : 1; core_0 : 1\n", "domain 'core_0' occurs more than"),
        (b"begin timestamp : 1; tag : a; duration : 1; core_0 : 1; core_1 : 1\n" * 2 + JOULES_CUT, "row 3: a pyJoules"),
        (b"timestamp;tag;duration;package_0\n1;a;1e300;3\n", "has a duration of 1e[+]300 s"),
        (b"timestamp;tag;duration;package_0\n1e30;a;1;3\n", "has a time of 1e[+]21 s"),
        (b"timestamp;tag;duration;package_0\n1;a;1;3e200\n", "has energy of 3e[+]194"),
        (b"timestamp;tag;duration;package_0\n1;a;1;1_0\n", "row 2: package_0 is '1_0', not a number"),
        (b'timestamp;tag;duration;package_0\n1;"a;1;3\n2;a;1;3"\n', "row 2: has quotes that do not match"),
        (b"timestamp;tag;duration;package_0;\n1;a;1;3;5\n", "row 2: has a cell in a column without a name"),
        (b"timestamp;tag;duration;package_0\n1;a;1;" + b" " * 70_000 + b"3\n", "row 2: is longer than 65536"),
    ],
)
def test_a_bad_file_ends_in_one_message(content, match, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match) as error:
        read_foreign([path])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (",20.0,", ",abc,", "row 3: duration is 'abc', not a number"),
        (",20.0,", ",nan,", "row 3: duration is 'nan', not a number"),
        (",20.0,", ",-20.0,", "row 3: has no timestamp, or its duration is missing or negative"),
        (",20.0,", ",,", "row 3: has no timestamp, or its duration is missing or negative"),
        ("2026-03-01T12:03:20", "yesterday", "row 3: 'yesterday' is not a date"),
        ("r1,20.0", "r1,5,20.0", "row 3: has 16 cells where the header has 15"),
        (",country_iso_code,", ",cpu_energy,", "column 'cpu_energy' occurs more than once"),
    ],
)
def test_a_damaged_row_is_named(old, new, match, write):
    path = write("codecarbon", version="2.2.0")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=match):
        read_foreign([path])


def test_missing_file_folder_repeated_file_and_no_file(write, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_foreign([tmp_path / "absent.csv"])
    with pytest.raises(InputError, match="cannot be read"):
        read_foreign([tmp_path])
    with pytest.raises(InputError, match="/dev/zero: cannot be read: it is not a file, but a folder, pipe or device"):
        read_foreign([Path("/dev/zero")])
    path = write("eco2ai")
    with pytest.raises(InputError, match="given twice"):
        read_foreign([path, tmp_path / "." / path.name])
    with pytest.raises(InputError, match="No file"):
        read_foreign([])


def test_files_with_the_same_name_are_distinguished(texts, tmp_path):
    paths = [tmp_path / folder / "emissions.csv" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(texts["codecarbon"])
    foreign, _ = read_foreign(paths)
    assert set(foreign["file"]) == {str(path) for path in paths}


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    cut=st.floats(0, 1),
    junk=st.sampled_from(["", "\n", "x", ",", ";", "-", "1e999"]),
)
def test_a_cut_file_is_read_or_refused_but_never_zero(kind, cut, junk, texts, tmp_path_factory):
    text = texts[kind]
    path = tmp_path_factory.mktemp("cut") / "file"
    path.write_text(text[: int(cut * len(text))] + junk)
    try:
        foreign, _ = read_foreign([path])
    except InputError as error:
        assert str(path) in str(error)
    else:
        energy = foreign.loc[foreign["quantity"] == "energy", "value"].dropna()
        assert (energy > 0).all()


# Files that went wrong


def test_real_files_that_went_wrong(shared):
    foreign, _ = read_foreign([shared("faults/ct_65_eight_gpus.log")])
    assert pick(foreign, "gpu")["value"][0] == pytest.approx(82_899, abs=1)
    foreign, _ = read_foreign([shared("faults/zeus_0.8_epochs.log")])
    gpu = pick(foreign, "gpu")
    assert gpu["value"].tolist() == [207.5, 217.5] and gpu["window_start"].notna().all()
    foreign, _ = read_foreign([shared("faults/pyjoules_6_ns.log")])
    assert foreign["duration_s"].iloc[0] == pytest.approx(656_476e-9)
    assert foreign["window_start"].iloc[0].year == 2020
    assert pick(foreign, "core-0")["value"][0] == pytest.approx(6531e-6)
    assert pick(foreign, "package-0")["value"].isna().all()
    foreign, _ = read_foreign([shared("faults/ct_33_output.log")])
    assert pick(foreign, "machine")["value"].isna().all()
