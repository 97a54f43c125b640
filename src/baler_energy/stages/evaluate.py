"""Stage ``evaluate``: errors and compression ratios of a reconstructed table."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import WINDOW_START, check_outputs, output_folder, write_json, write_parquet
from baler_energy.records import Measurement
from baler_energy.stages.file_names import ERRORS, HISTOGRAMS, RECORD, SUMMARY
from baler_energy.temporaries import remove_temporaries

if TYPE_CHECKING:
    import pandas as pd

    from baler_energy.stages.round_trip import RoundTrip

__all__ = ["EPILOG", "HELP", "add_arguments", "evaluate", "run"]

HELP = "compare a reconstructed table with the original: errors, distributions, compression ratios"
EPILOG = """example:
  baler-energy evaluate --original table.npz --reconstructed run/decompress/reconstructed.npz \\
      --compressed run/compress/table.baler --checkpoint run/train/checkpoint.pt --out run/evaluate

writes errors.parquet, histograms.parquet and, last, summary.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--original", type=Path, required=True, metavar="TABLE", help="table that was compressed")
    parser.add_argument(
        "--reconstructed", type=Path, required=True, metavar="TABLE", help="table of `baler-energy decompress`"
    )
    parser.add_argument("--compressed", type=Path, required=True, metavar="FILE", help="the compressed file")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="the codec's checkpoint, if it has one")
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    print(evaluate(args.original, args.reconstructed, args.compressed, args.checkpoint, args.out))


def evaluate(
    original: Path,
    reconstructed: Path,
    compressed: Path,
    checkpoint: Path | None,
    out: Path,
    held_out: "RoundTrip | None" = None,
) -> str:
    """Write errors of `reconstructed` against `original`, histograms and a summary to `out`; return it in words.

    The compression ratios use the sizes of `compressed` and, if given, of `checkpoint`. `held_out`, if given, is the
    codec applied to rows that it was not trained on; errors and summary include those on them.

    Raises
    ------
    InputError
        A file is missing or invalid, or the two tables do not match.
    """
    from baler_energy.analysis import error_measures  # imports pandas, which --help does not need
    from baler_energy.analysis.histograms import histograms

    check_outputs(out, ERRORS, HISTOGRAMS, SUMMARY)
    before, after = _matching_tables(original, reconstructed)
    compressed_bytes, model_bytes = _size(compressed), None if checkpoint is None else _size(checkpoint)
    source_bytes = before.origin.get("source_bytes")
    sizes = {"float64": before.data.nbytes, "native": before.native_bytes, "source": source_bytes}
    errors = error_measures.column_errors(before.data, after.data, before.names, before.dtypes)
    others = None if held_out is None else error_measures.held_out_errors(errors, _errors_of(held_out))
    binned = histograms(before.data, after.data, before.names, before.dtypes)
    record = reconstructed.parent / RECORD
    start = Measurement.read(record).window.start if record.exists() else None
    for name, frame in ((ERRORS, error_measures.on_all_rows(errors, others)), (HISTOGRAMS, binned)):
        write_parquet(out / name, frame, start)
    summary = {
        # Of the decompression whose table it is about.
        WINDOW_START: None if start is None else start.isoformat(),
        "rows": len(before.data),
        **error_measures.summary(errors),
        **error_measures.held_out_summary(others),
        **error_measures.ratios(sizes, compressed_bytes, model_bytes or 0),
        **{f"{kind}_bytes": size for kind, size in sizes.items()},
        "source_bytes_reason": before.origin.get("source_bytes_reason"),
        "compressed_bytes": compressed_bytes,
        "checkpoint_bytes": model_bytes,
    }
    remove_temporaries(out)
    write_json(out / SUMMARY, summary)
    return f"{out / SUMMARY}: {_words(summary)}"


def _matching_tables(original: Path, reconstructed: Path) -> tuple[Table, Table]:
    before, after = Table.read(original), Table.read(reconstructed)
    for kind, first, second in (("names", before.names, after.names), ("types", before.dtypes, after.dtypes)):
        if first != second:
            raise InputError(
                f"{reconstructed}: the columns' {kind} differ from those of {original}; these are different tables."
            )
    return before, after


def _words(summary: dict[str, Any]) -> str:
    """Describe mean errors and ratio; an error that is not defined for any column is not known."""
    errors = {"range": summary["mean_rms_over_range"], "standard deviation": summary["mean_nrmse"]}
    parts = [f"{100 * error:.3g} % of the {what}" for what, error in errors.items() if error is not None]
    worse = summary["columns_worse_than_mean"]
    words = f"mean RMS error {', '.join(parts) or 'not known'}; ratio {summary['ratio_native_bytes']:.3g}"
    return f"{words}; {worse} of {summary['columns']} columns worse than their mean value" if worse else words


def _errors_of(trip: "RoundTrip") -> "pd.DataFrame":
    from baler_energy.analysis import error_measures

    before, after = trip.original, trip.reconstructed
    return error_measures.column_errors(before.data, after.data, before.names, before.dtypes)


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    if size == 0:
        raise InputError(f"{path}: is empty; create it again.")
    return size
