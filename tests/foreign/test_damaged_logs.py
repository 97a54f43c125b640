"""Damaged and hostile results of other tools: each ends in one message that names the file, within bounded time."""

from datetime import UTC, datetime

import pytest

from baler_energy.cli import main
from baler_energy.errors import InputError, UnavailableError
from baler_energy.foreign import detect, read_foreign
from baler_energy.foreign.detect import read_file

KINDS = ["codecarbon", "eco2ai", "pyjoules", "pyjoules_log", "zeus_log", "zeus_csv", "carbontracker"]
KINDS += ["carbontracker_output"]
#: Length of a hostile log (characters).
HALF_A_MB = 500_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_read_or_refused_in_one_message(kind, texts, tmp_path, mutations):
    path, read = tmp_path / "file", 0
    for content in mutations(texts[kind].encode()):
        path.write_bytes(content)
        try:
            windows = read_file(path)
        except InputError as error:
            # No mutation needs the handler for what nobody thought of.
            assert str(error).startswith(str(path)) and "is truncated" not in str(error) and len(str(error)) < 1000
        else:
            read += 1
            assert all(value.reason or value.value >= 0 for window in windows for value in window.values)
    assert read  # not all are refused


def test_mutated_files_through_the_command_line(texts, tmp_path, mutations, capsys):
    made = [list(mutations(texts[kind].encode())) for kind in KINDS]
    codes = set()
    for number in range(300):
        paths = [tmp_path / kind for kind in KINDS[number % 8 :][:2]]
        for path in paths:
            path.write_bytes(made[KINDS.index(path.name)][number])
        code = main(["import", *map(str, paths), "--out", str(tmp_path / "out")])
        said = capsys.readouterr().err
        assert code == 0 if not said else code == 2 and any(str(path) in said for path in paths)
        assert "Traceback" not in said and "is truncated" not in said
        codes.add(code)
    assert codes == {0, 2}


def test_an_error_that_nobody_thought_of_is_one_message(write, monkeypatch):
    path = write("codecarbon")
    known = "is truncated, damaged or not a valid result of another tool (x). Export it again, or leave it out."
    for error, kind, words in (
        (RuntimeError("x"), InputError, known),
        (MemoryError(), UnavailableError, "needs more memory than there is"),
    ):

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(detect, "read_text", fail)
        with pytest.raises(kind, match=r"codecarbon\.txt") as caught:
            read_foreign([path])
        assert words in str(caught.value)


@pytest.mark.parametrize("kind", KINDS[:5] + KINDS[6:7])
def test_more_windows_than_fit_into_memory_are_refused_before_they_are_made(kind, write, monkeypatch):
    monkeypatch.setattr(detect, "_MOST_WINDOWS", 1)
    with pytest.raises(InputError, match=rf"{kind}\.txt: has more than 1 rows or windows"):
        read_file(write(kind))


def test_more_values_than_fit_into_memory_are_refused_before_they_are_made(write, monkeypatch):
    """A table may have thousands of columns of devices."""
    monkeypatch.setattr(detect, "_MOST_VALUES", 5)
    with pytest.raises(InputError, match=r"pyjoules\.txt: has more than .* or 5 values"):
        read_file(write("pyjoules"))


# Time


def date(seconds: int) -> str:
    return datetime.fromtimestamp(1.77e9 + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def repeated(text: str) -> str:
    return text * (HALF_A_MB // len(text))


ZEUS = "[2026-01-01 00:00:00,000] [ZeusMonitor](energy.py:1) "
TRACKED = "2026-01-01 00:00:00 - CarbonTracker: "
EPOCH = "".join(
    f"2026-01-01 00:00:00 - {words}\n"
    for words in ("Epoch 1:", "Duration: 0:00:01.00", "Average power usage (W) for gpu: [5.]")
)
ECO2AI = "id,start_time,duration(s),power_consumption(kWh),CO2_emissions(kg),CPU_name,GPU_name\n1,2026-01-01,1,1,1,"
CODECARBON = "timestamp,duration,emissions,energy_consumed,cpu_energy,cpu_model"
JOULES = "begin timestamp : 1; tag : a; duration : 1; package_0 : 1"
HOSTILE = {
    "zeus, a line": ZEUS + repeated("ZeusMonitor Measurement window '"),
    "zeus, its end": ZEUS + "Measurement window '" + repeated("' started "),
    "zeus, brackets": "[" + repeated("[ZeusMonitor]"),
    "zeus, many lines": repeated(ZEUS + "Measurement window 'a' started.\n"),
    "zeus, digits": "Epoch " + repeated("1") + " consumed 1 s and 1 J.",
    "carbontracker, devices": TRACKED + "The following components were found:" + repeated(" a with device(s) b"),
    "carbontracker, spaces": TRACKED + "The following components were found:" + repeated(" "),
    "carbontracker, epochs": f"{TRACKED}carbontracker version {'1' * 150_000}\n"
    + f"{TRACKED}The following components were found: GPU with device(s) {'a' * 150_000}.\n"
    + repeated(EPOCH)[:200_000].rpartition(EPOCH)[0],
    "carbontracker, consumptions": repeated(
        TRACKED + "\nActual consumption:\n\tTime:\t0:00:00\n\tEnergy:\t1 kWh\n\tCO2eq:\t1 g\n"
    ),
    "carbontracker, an array": f"{TRACKED[:22]}Average power usage (W) for gpu: [" + repeated("1\n "),
    "eco2ai, spaces": ECO2AI + "," + repeated(" ") + "x",
    "eco2ai, a long row": ECO2AI + "," + " " * 60_000 + "x",
    "eco2ai, digits": ECO2AI + "," + "1" * 60_000 + "x",
    "eco2ai, epochs": ECO2AI.replace("GPU_name", "epoch") + ",epoch:" + " " * 60_000 + "x",
    "eco2ai, TDP": ECO2AI + "TDP:" + "1" * 60_000 + ",x",
    "pyjoules, domains": JOULES + repeated("; core_1 : 1"),
    "pyjoules, spaces": JOULES + repeated(" "),
    "pyjoules, a number": JOULES + repeated("1") + "x",
    "a header": repeated("a,"),
    "quotes": "timestamp,duration,emissions,energy_consumed\n" + repeated('"'),
    "a number": "start_time,window_name,elapsed_time\n1,a," + "1" * 60_000 + "x",
    "codecarbon, hosts": "\n".join(
        [CODECARBON, *(f"{date(9 * n)},{n % 9 + 1},1,1,{n % 9 + 1},host{n // 3}" for n in range(HALF_A_MB // 60))]
    ),
    "codecarbon, pauses": "\n".join(
        [CODECARBON, *(f"{date(99 * (n + n // 9 * 99))},9,1,1,{n % 5 + 1},a" for n in range(HALF_A_MB // 60))]
    ),
    "codecarbon, a run": "\n".join(
        [f"{CODECARBON},run_id", *(f"{date(n)},{n + 1},1,1,{n + 1},a,r" for n in range(HALF_A_MB // 60))]
    ),
}


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_half_a_megabyte_takes_no_minutes(text, tmp_path, texts):
    path, other = tmp_path / "hostile", tmp_path / "other"
    path.write_text(text)
    other.write_text(texts["zeus_log"])
    try:
        read_foreign([path, other])
    except InputError as error:
        assert str(path) in str(error)
