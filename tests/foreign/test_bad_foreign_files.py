"""Other tools' files: what is impossible or absent is missing, with its reason; bad files end in one message."""

import re
from pathlib import Path

import pandas as pd
import pytest
from foreign_tables import KINDS, pick
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.errors import InputError
from baler_energy.foreign import read_foreign

JOULES_CUT = b"begin timestamp : 1; tag : a; duration : 1; core_0 : 1\n"


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
        ("r1-20,20.0", "r1-20,5,20.0", "row 3: has 16 cells where the header has 15"),
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
