"""Stage forecast: a year at a site, another codec, and the Software Carbon Intensity, by a known law."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forecasts import JOB, UNITS, Capture, intervals, printed, refused
from known_law import ENERGY, IDLE_W, TIME, cost, known_codec, known_runs, point, write_dataset

from baler_energy.analysis.carbon import YEAR_S
from baler_energy.analysis.hardware import Hardware
from baler_energy.analysis.schema import arrow_schema
from baler_energy.analysis.work import work
from baler_energy.cli import main
from baler_energy.formats import open_source
from baler_energy.stages.hardware import hardware_of

#: A year at a site, with CO2e and money.
SITE = [*JOB, "--per-year", "50TB", "--nodes", "20", "--reads", "2", "--volume-per-model", "5TB"]
SITE += ["--country", "CHE", "--pue", "1.2", "--price-per-kwh", "0.25", "--currency", "CHF"]
#: A row of 24 columns in float32.
ROW_B = 96


def site_row(said: str, name: str) -> list[tuple[float, ...]]:
    """Value and ends of each forecast in a row of a site's table (h, W, J, g, CHF)."""
    table = said.split(" a year on ")[1]
    (row,) = re.findall(rf"^ *{re.escape(name)} +(?=\d)(.*)$", table, re.MULTILINE)
    number = r"([\d,.e+-]+)"
    found = re.findall(rf"{number}(?: ([a-zA-Zµ/]+))? \({number} to {number}\)", row)
    return [
        tuple(UNITS[unit] * float(text.replace(",", "")) for text in (value, low, high))
        for value, unit, low, high in found
    ]


def year(volume_b: float = 50e12, models: float = 10, reads: float = 2) -> tuple[float, float]:
    """Node time (s) and energy (J) of a year of `JOB` by the known law."""
    tables = volume_b / (5_000_000 * ROW_B)
    seconds = joules = 0.0
    for operation, count in (("train", models), ("compress", tables), ("decompress", reads * tables)):
        amounts = work(point(rows=5_000_000, epochs=100), operation)
        seconds += count * cost(TIME, amounts)
        joules += count * (cost(ENERGY, amounts) + IDLE_W * cost(TIME, amounts))
    return seconds, joules


@pytest.fixture(scope="module")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Laws of a machine with some noise, as a file."""
    path = tmp_path_factory.mktemp("known") / "known.json"
    hardware_of(write_dataset(path.parent / "dataset", noise=0.01)).write(path)
    return path


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Laws of a machine without noise."""
    return write_dataset(tmp_path_factory.mktemp("exact") / "dataset", noise=0.0)


def test_a_year_at_a_site_is_the_law_times_its_jobs(capsys: Capture, exact: Path) -> None:
    said = printed(capsys, *SITE, "--hardware", exact)
    seconds, joules = year()
    kwh = joules / 3.6e6
    true = (seconds / 3600, joules / seconds, joules, 1.2 * 34.84 * kwh, 1.2 * 0.25 * kwh)
    for name, share in (("all", 1.0), ("all, per TB", 1 / 50)):
        found = site_row(said, name)
        expected = [share * value if number != 1 else value for number, value in enumerate(true)]
        assert [one[0] for one in found] == pytest.approx(expected, rel=0.01)
        assert all(low == pytest.approx(high, rel=0.01) for _, low, high in found), "there is no noise"
    parts = [site_row(said, name) for name in ("train 10 models", "compress", "decompress")]
    assert sum(one[0][0] for one in parts) == pytest.approx(seconds / 3600, rel=0.01)
    idle_j = IDLE_W * (20 * YEAR_S - seconds)
    share = re.search(r"busy for ([\d.]+) % \(.*\) of the year; nodes needed: 1 \(1 to 1\)", said)
    assert share is not None and float(share[1]) == pytest.approx(100 * seconds / (20 * YEAR_S), rel=0.01)
    idle = re.search(r"Idle, a node uses 20 W \(measured\).*: energy \(measured\) ([\d,]+) kWh", said)
    assert idle is not None and float(idle[1].replace(",", "")) == pytest.approx(idle_j / 3.6e6, rel=0.01)
    mean = re.search(r"([\d,.]+) W \(\S+ to \S+\) on average over the year", said)
    assert mean is not None and float(mean[1]) == pytest.approx((joules + idle_j) / YEAR_S, rel=0.01)
    for words in ("50 TB a year on 20 nodes", "tables of 480 MB", "96 B a row", "a model for each 5 TB", "2 times"):
        assert words in said, words
    assert "assumed to take 4 B" in said and "No other codec to compare with: baler-energy study known has none" in said


def test_too_few_nodes_are_reported_with_the_number_that_is_needed(capsys: Capture, exact: Path) -> None:
    words = [*JOB, "--per-year", "0.5PB", "--nodes", "2", "--reads", "2", "--volume-per-model", "5TB"]
    said = printed(capsys, *words, "--hardware", exact)
    assert "0.5PB" in words and "500 TB a year on 2 nodes" in said
    seconds, joules = year(500e12, 100)
    needed = math.ceil(seconds / YEAR_S)
    assert needed > 2
    years = re.search(rf"TOO FEW NODES: the work takes ([\d.]+) years .* on 2; nodes needed: {needed} \(", said)
    assert years is not None and float(years[1]) == pytest.approx(seconds / (2 * YEAR_S), rel=0.01)
    assert site_row(said, "all")[2][0] == pytest.approx(joules, rel=0.01), "the energy is that of all the work"


def test_intervals_are_carried_to_the_year(capsys: Capture, hardware: Path) -> None:
    said = printed(capsys, *SITE, "--hardware", hardware)
    total = site_row(said, "all")
    assert len(total) == 5 and all(low < value < high for value, low, high in total)
    parts = [site_row(said, name) for name in ("train 10 models", "compress", "decompress")]
    for column in (0, 2):
        low, high = (sum(one[column][end] for one in parts) for end in (1, 2))
        assert low <= total[column][1] * 1.01 and total[column][2] <= high * 1.01, "independent deviations do not add"
    (time, *_), (job, *_) = parts[1], intervals(said, "compress")
    tables = 50e12 / (5e6 * ROW_B)
    assert time == pytest.approx([one * tables / 3600 for one in job], rel=0.02)


def test_data_that_are_never_read_have_no_decompression(capsys: Capture, exact: Path) -> None:
    said = printed(capsys, *SITE[:-8], "--reads", "0", "--hardware", exact)
    assert site_row(said, "all")[0][0] == pytest.approx(year(reads=0)[0] / 3600, rel=0.01)
    assert not re.search(r"^ *decompress ", said.split(" a year on ")[1], re.MULTILINE)


def test_another_codec_is_compared_for_the_same_volume(capsys: Capture, exact: Path, tmp_path: Path) -> None:
    path = tmp_path / "with.json"
    found = hardware_of(exact).model_copy(update={"other": known_codec()})
    found.write(path)
    said = printed(capsys, *SITE, "--hardware", path)
    # 50,000 GB compressed in 3 s each, and read twice in 1 s each.
    (hours, *_), (watts, *_), (joules, *_), *_ = site_row(said, "quantise+pcodec")
    assert (hours, watts, joules) == pytest.approx((50_000 * 5 / 3600, 10.0, 50_000 * 50), rel=0.01)
    assert site_row(said, "quantise+pcodec, per TB")[0][0] == pytest.approx(5000 / 3600, rel=0.01)
    seconds, energy = year()
    times = re.search(
        r"This work takes ([\d.,]+) \(.*?\) times its node time and ([\d.,]+) \(.*?\) times its energy", said
    )
    assert times is not None
    assert [float(one.replace(",", "")) for one in times.groups()] == pytest.approx(
        (seconds / 250_000, energy / 2_500_000), rel=0.01
    )
    assert "best other codec at the error of baler 1/2, 5 epochs (RMS residual / range 1 %" in said
    assert "its ratio is 20 instead of 2. From worth, on Example CPU." in said

    found.model_copy(update={"other": known_codec(evidence="modelled")}).write(path)
    said = printed(capsys, *SITE, "--hardware", path)
    assert len(site_row(said, "quantise+pcodec")) == 1, "only its time"
    assert "Energies are not compared, as they are not both modelled." in said


def test_modelled_energy_has_no_idle_power(capsys: Capture, tmp_path: Path) -> None:
    said = printed(capsys, *SITE, "--hardware", write_dataset(tmp_path / "dataset", measured=False))
    assert "power of a node (modelled)" in said and "energy (modelled)" in said and "(measured)" not in said
    assert "What idle nodes use is unknown" in said and "on average over the year" not in said


def test_operations_of_different_evidence_have_no_total_of_energy(capsys: Capture, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset")
    runs = pd.concat(
        [known_runs(operations=["train"]), known_runs(operations=["compress", "decompress"], measured=False)]
    )
    table = pa.Table.from_pandas(runs, schema=arrow_schema("runs"), preserve_index=False)
    pq.write_table(table, folder / "runs.parquet")
    said = printed(capsys, *SITE, "--hardware", folder)
    assert "No total of energy: the operations differ in its evidence or components." in said
    assert len(site_row(said, "all")) == 1 and "What idle nodes use is unknown" in said


def test_without_a_law_for_an_operation_there_is_no_total(capsys: Capture, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", operations=["train", "compress"])
    said = printed(capsys, *SITE, "--hardware", folder)
    assert "No total: there is no law for decompress." in said and not re.search(r"^ *all ", said, re.MULTILINE)


STATED = ["--machine-co2e-kg", "1200", "--lifetime-years", "4", "--citation", "data sheet"]


def test_the_software_carbon_intensity_has_the_time_of_the_machine(capsys: Capture, exact: Path) -> None:
    said = printed(capsys, *SITE, *STATED, "--reserved-share", "0.5", "--hardware", exact)
    amounts = work(point(rows=5_000_000, epochs=100), "train")
    seconds = cost(TIME, amounts)
    joules = cost(ENERGY, amounts) + IDLE_W * seconds
    grams = 1.2 * 34.84 * joules / 3.6e6 + 1e3 * 1200 * 0.5 * seconds / (4 * YEAR_S)
    assert intervals(said, "train")[-1][0] == pytest.approx(grams / (5e6 * ROW_B / 1e9), rel=0.01)
    seconds, joules = year()
    grams = 1.2 * 34.84 * joules / 3.6e6 + 1e3 * 1200 * 0.5 * seconds / (4 * YEAR_S)
    for name in ("all", "all, per TB"):
        assert site_row(said, name)[-1][0] == pytest.approx(grams / 50_000, rel=0.01), "a rate: of any volume"
    assert "SCI (modelled)" in said and "1200 kg over 4 years, reserved share 0.5 (data sheet)" in said
    twice = printed(capsys, *JOB, "--country", "CHE", *STATED, "--row-bytes", "192", "--hardware", exact)
    once = printed(capsys, *JOB, "--country", "CHE", *STATED, "--hardware", exact)
    assert intervals(once, "train")[-1][0] == pytest.approx(2 * intervals(twice, "train")[-1][0], rel=0.01)
    assert "No SCI: give --machine-co2e-kg" in printed(capsys, *JOB, "--hardware", exact)
    assert "No SCI: it needs the CO2e." in printed(capsys, *JOB, *STATED, "--hardware", exact)


def test_the_size_of_a_row_comes_from_the_file(capsys: Capture, hardware: Path, repository: Path) -> None:
    (file,) = (repository / "tests/formats/fixtures").glob("*.parquet")
    said = printed(capsys, "--file", file, "--epochs", "1", "--per-year", "1TB", "--hardware", hardware)
    with open_source(str(file)) as source:
        row_b = sum(np.dtype(name).itemsize for name in source.dtypes)
    assert f"({row_b} B a row as recorded)" in said and "assumed" not in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--nodes", "20"], "--nodes: no effect without --per-year"),
        (["--worth", "x", "--reads", "2"], "--reads, --worth: no effect without --per-year"),
        (["--row-bytes", "96"], "--row-bytes: no effect without --per-year or --machine-co2e-kg"),
        (["--machine-co2e-kg", "1200"], "--lifetime-years, --citation: missing"),
        (["--reserved-share", "0.5"], "--machine-co2e-kg, --lifetime-years, --citation: missing"),
        ([*STATED, "--reserved-share", "2"], "--reserved-share 2: should be less than or equal to 1"),
        (["--per-year", "1TB", "--worth", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_about_a_site_are_one_message(capsys: Capture, hardware: Path, words: list[str], reason: str) -> None:
    assert reason in refused(capsys, *JOB, *words, "--hardware", hardware)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--per-year", "50"], "'50' is not a size from above 0 to 1e6EB with its unit, such as 50TB"),
        (["--per-year", "0TB"], "'0TB' is not a size"),
        (["--per-year", "1e290EB"], "'1e290EB' is not a size"),
        (["--per-year", "1TB", "--nodes", "2.5"], "'2.5' is not a whole number"),
        (["--per-year", "1TB", "--nodes", "0"], "'0' is not a number of at least 1"),
        (["--per-year", "1TB", "--volume-per-model", "-1TB"], "--volume-per-model"),
        (["--per-year", "1TB", "--reads", "-1"], "--reads"),
    ],
)
def test_values_that_no_site_has_are_refused(capsys: Capture, hardware: Path, words: list[str], reason: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["forecast", *JOB, *words, "--hardware", str(hardware)])
    assert left.value.code == 2 and reason in capsys.readouterr().err


def test_a_dataset_without_other_codecs_is_refused_by_name(capsys: Capture, hardware: Path, exact: Path) -> None:
    said = refused(capsys, *JOB, "--per-year", "1TB", "--worth", exact, "--hardware", hardware)
    assert f"{exact}: has no other codec" in said and "config/studies/worth.yaml" in said


def test_a_hardware_file_of_an_earlier_version_names_no_other_codec(hardware: Path, tmp_path: Path) -> None:
    text = hardware.read_text()
    assert text.endswith(',"other":null}\n')
    (tmp_path / "old.json").write_text(text.replace(',"other":null', ""))
    assert Hardware.read(tmp_path / "old.json") == Hardware.read(hardware)
