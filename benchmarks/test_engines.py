"""The engines compared with the reference and with the machine's matrix products: `make bench`.

Each round runs the reference in float64, a large matrix product in the engine's precision, and the engine, one after
the other, so that changes of the machine's speed affect all three; ratios are medians over rounds. Peak memory is
measured in a separate process. Leave the machine idle meanwhile (some minutes).

To add an operation, add an entry to `OPERATIONS`.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.streaming import streaming_codec
from baler_energy.codecs.baler.training import new_model
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.cores import physical_cores
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.formats import open_source
from baler_energy.meters.process import ProcessMeter
from baler_energy.vocabulary import Quantity

CPU, ARCHITECTURE, BATCH, ROUNDS = torch.device("cpu"), Architecture(24, 12), 512, 7
#: Rows of the table, for training and for the other operations.
TRAINED_ROWS, EPOCHS, CODED_ROWS = 25_600, 2, 204_800
#: Side of the square matrices whose product is the machine's peak.
SIDE = 1536

Work = Callable[[], object]


def _train(engine: str, precision: str, folder: Path) -> Work:
    train = {"reference": training.train, "fast": fast.train}[engine]
    table = toy.generate(TRAINED_ROWS, 1)
    settings = TrainingSettings(epochs=EPOCHS, batch_size=BATCH, seed=1, precision=precision)
    return lambda: train(table.data, table.names, ARCHITECTURE, settings, CPU)


def _compress(engine: str, precision: str, folder: Path) -> Work:
    """From memory to a file with the reference, from file to file with the fast engine: as `baler-energy` does."""
    table, path = toy.generate(CODED_ROWS, 1), folder / "table.npz"
    checkpoint = _untrained(table, precision)
    if engine == "reference":
        codec = InMemoryCodec(checkpoint, CPU, BATCH)
        return lambda: codec.compress(table, folder / "reference.baler")
    table.write(path)
    streaming = streaming_codec(checkpoint, CPU)

    def streamed() -> None:
        with open_source(path) as source:
            streaming.compress(source, folder / "fast.baler")

    return streamed


def _decompress(engine: str, precision: str, folder: Path) -> Work:
    """From a file to memory with the reference, from file to file with the fast engine."""
    table, path = toy.generate(CODED_ROWS, 1), folder / "compressed.baler"
    checkpoint = _untrained(table, precision)
    codec = InMemoryCodec(checkpoint, CPU, BATCH)
    codec.compress(table, path)
    if engine == "reference":
        return lambda: codec.decompress(path)
    streaming = streaming_codec(checkpoint, CPU)
    return lambda: streaming.decompress(path, folder / "reconstructed.npz")


def _untrained(table: Table, precision: str) -> Checkpoint:
    model = new_model(ARCHITECTURE, TrainingSettings(epochs=1, batch_size=BATCH, seed=1, precision=precision))
    return Checkpoint.of(model, Normalisation.of(table.data, table.names), table.names, table.dtypes)


@dataclass(frozen=True)
class Operation:
    """An operation to compare: the work by engine and precision, its number of rows, and its FLOP per row."""

    prepare: Callable[[str, str, Path], Work]
    rows: int
    flop_per_row: int
    only: tuple[tuple[str, str], ...] = ()
    """(engine, precision) that only this operation supports."""


OPERATIONS = {
    "train": Operation(_train, EPOCHS * TRAINED_ROWS, 2 * ARCHITECTURE.training_macs, (("fast", "bfloat16"),)),
    "compress": Operation(_compress, CODED_ROWS, 2 * ARCHITECTURE.encode_macs),
    "decompress": Operation(_decompress, CODED_ROWS, 2 * ARCHITECTURE.decode_macs),
}
ENGINES = (("reference", "float64"), ("reference", "float32"), ("fast", "float64"), ("fast", "float32"))
CASES = [(name, *case) for name, operation in OPERATIONS.items() for case in (*ENGINES, *operation.only)]


@pytest.fixture(params=sorted({1, physical_cores()}), ids=lambda n: f"{n} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread, and all cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "engine", "precision"), CASES)
def test_engine(
    benchmark: BenchmarkFixture,
    report: Callable[[dict[str, str]], None],
    tmp_path: Path,
    threads: int,
    name: str,
    engine: str,
    precision: str,
) -> None:
    """Time an engine, the reference and the machine's peak side by side, and report them."""
    operation = OPERATIONS[name]
    work, product = operation.prepare(engine, precision, tmp_path), _peak(precision)
    (tmp_path / "reference").mkdir()
    reference = operation.prepare("reference", "float64", tmp_path / "reference")
    alongside_s: list[tuple[float, float]] = []
    benchmark.pedantic(
        work, setup=lambda: alongside_s.append((_timed_s(reference), _timed_s(product))), rounds=ROUNDS, warmup_rounds=1
    )
    durations_s = benchmark.stats.stats.data
    turns = list(zip(durations_s, alongside_s[-len(durations_s) :], strict=True))
    rows_per_s = operation.rows / median(durations_s)
    share = median(
        operation.flop_per_row * operation.rows / duration_s * product_s / (2 * SIDE**3)
        for duration_s, (_, product_s) in turns
    )
    row = {
        "operation": name,
        "engine": engine,
        "precision": precision,
        "threads": str(threads),
        "rows/s": f"{rows_per_s:,.0f}",
        "MB/s": f"{rows_per_s * ARCHITECTURE.columns * 8 / 1e6:.1f}",
        "over reference": f"{median(reference_s / duration_s for duration_s, (reference_s, _) in turns):.2f}",
        "share of peak": f"{share:.2f}",
        "peak memory (MB)": f"{_peak_memory_b(name, engine, precision, threads) / 1e6:.0f}",
    }
    benchmark.extra_info.update(row)
    report(row)


def _peak(precision: str) -> Work:
    dtype = getattr(torch, precision)
    left, right = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=product)


def _timed_s(work: Work) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def _peak_memory_b(name: str, engine: str, precision: str, threads: int) -> int:
    """Peak resident memory minus that after the imports, in a separate process; includes a table in memory."""
    words = [sys.executable, Path(__file__), name, engine, precision, str(threads)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main(name: str, engine: str, precision: str, threads: str) -> None:
    """Print the peak of resident memory minus that after the imports (B)."""
    torch.set_num_threads(int(threads))
    imported_b = psutil.Process().memory_info().rss
    meter = ProcessMeter()
    with tempfile.TemporaryDirectory() as folder:
        work = OPERATIONS[name].prepare(engine, precision, Path(folder))
        meter.begin()  # forgets the peak of preparing
        work()
        meter.end()
    (peak_b,) = (reading.value for reading in meter.readings() if reading.quantity is Quantity.MEMORY_PEAK)
    print(round(peak_b - imported_b))


if __name__ == "__main__":
    main(*sys.argv[1:])
