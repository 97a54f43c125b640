"""Lines that copy data, in ours and in upstream Baler, with the tracer of `baler-energy profile --profiler copies`.

    python benchmarks/copies.py --table results/laptop/data/jets/rows~30000/table.npz
    PYTHONPATH=src OTHER/bin/python benchmarks/copies.py --table TABLE --upstream CHECKOUT

The second command needs a Python with upstream's requirements (torch, scikit-learn, matplotlib, tqdm) and a checkout of
github.com/baler-collaboration/baler. Prints a table for docs/hotspots.md: a row per line of code, with the bytes that
it writes into new arrays, divided by the bytes of the table as float64, and its share of the operation's time.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from baler_energy.profilers import copies

OPERATIONS = ("train", "compress", "decompress")
CONFIG = """
def set_config(c):
    values = dict(
        input_path="table.npz", data_dimension=1, compression_ratio=2.0, apply_normalization=True, model_name="AE",
        model_type="dense", epochs={epochs}, lr=0.001, batch_size={batch_size}, early_stopping=False,
        lr_scheduler=False, save_error_bounded_deltas=False, error_bounded_requirement=10, custom_norm=False,
        reg_param=0.001, RHO=0.05, test_size=0, extra_compression=False, intermittent_model_saving=False,
        intermittent_saving_patience=100, mse_avg=False, mse_sum=True, emd=False, l1=True, activation_extraction=False,
        deterministic_algorithm=False, type_list=["float64"] * {columns}, convert_to_blocks=False,
        separate_model_saving=False, early_stopping_patience=100, min_delta=0, lr_scheduler_patience=50,
    )
    for name, value in values.items():
        setattr(c, name, value)
"""


def main() -> None:
    """Trace ours or upstream Baler, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="table of `baler-energy prepare`")
    parser.add_argument("--upstream", type=Path, help="checkout of upstream Baler; without it, ours")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=512)
    args = parser.parse_args()
    args.table = args.table.absolute()
    with tempfile.TemporaryDirectory() as folder:
        prepare = _upstream if args.upstream else _ours
        with contextlib.redirect_stdout(sys.stderr):
            operations, package = prepare(args, Path(folder))
        with np.load(args.table) as arrays:
            table_bytes = arrays["data"].size * 8
        batch_bytes = table_bytes * args.batch_size / len(_rows(args.table))
        print("| operation | line | bytes / table | share of time | code |\n|---|---|---|---|---|")
        for name, operation in operations.items():
            with contextlib.redirect_stdout(sys.stderr):
                rows = copies.profile(
                    lambda operation=operation: operation,
                    package,
                    at_once_bytes=round(batch_bytes / 8),
                    smallest_bytes=round(0.1 * table_bytes),
                )
            for row in rows:
                place = f"{(row.file or '').rpartition('/')[2]}:{row.line}"
                print(
                    f"| {name} | `{place}` | {row.bytes / table_bytes:.1f} | {100 * row.self_share:.1f} % |"
                    f" `{row.name.partition('  #')[0]}` |"
                )


def _rows(table: Path) -> np.ndarray:
    with np.load(table) as arrays:
        return arrays["data"]


def _ours(args: argparse.Namespace, folder: Path) -> tuple[dict[str, Callable[[], object]], Path]:
    import torch

    import baler_energy
    from baler_energy.codecs.baler.architecture import Architecture
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.in_memory import InMemoryCodec
    from baler_energy.codecs.baler.settings import TrainingSettings
    from baler_energy.codecs.baler.training import train
    from baler_energy.data.table import Table

    table, device = Table.read(args.table), torch.device("cpu")
    columns = table.data.shape[1]
    architecture = Architecture(columns, -(-columns // 2))
    settings = TrainingSettings(epochs=args.epochs, batch_size=args.batch_size, seed=1)

    def training() -> object:
        return train(table.data, table.names, architecture, settings, device)

    trained = training()
    checkpoint = Checkpoint.of(trained.model, trained.normalisation, table.names, table.dtypes)
    codec = InMemoryCodec(checkpoint, device, args.batch_size)
    path = folder / "table.baler"
    codec.compress(table, path)
    operations = {
        "train": training,
        "compress": lambda: codec.compress(table, path),
        "decompress": lambda: codec.decompress(path),
    }
    return operations, Path(baler_energy.__file__).parent


def _upstream(args: argparse.Namespace, folder: Path) -> tuple[dict[str, Callable[[], object]], Path]:
    checkout = args.upstream.absolute()
    with np.load(args.table) as arrays:
        np.savez(folder / "table.npz", data=arrays["data"], names=arrays["names"])
        columns = arrays["data"].shape[1]
    project = folder / "workspaces" / "w" / "p"
    for name in ("config", "output/training", "output/compressed_output", "output/decompressed_output"):
        (project / name).mkdir(parents=True)
    text = CONFIG.format(epochs=args.epochs, batch_size=args.batch_size, columns=columns)
    (project / "config" / "p_config.py").write_text(text)
    os.chdir(folder)
    sys.path[:0] = [str(checkout), str(folder)]
    from baler.baler import main as baler

    def run(mode: str) -> None:
        sys.argv = ["baler", "--project", "w", "p", "--mode", mode]
        baler()

    for mode in OPERATIONS:
        run(mode)
    return {mode: lambda mode=mode: run(mode) for mode in OPERATIONS}, checkout / "baler"


if __name__ == "__main__":
    main()
