"""Stage ``tables``: the report's tables, as CSV and HTML."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.figures.catalogue import CATALOGUE
from baler_energy.files import atomic_path, write_text

if TYPE_CHECKING:
    import pandas as pd

    from baler_energy.figures.base import Tables

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "tables"]

HELP = "write the report's tables as CSV and HTML"
EPILOG = """example:
  baler-energy tables --dataset results/laptop/dataset --out results/laptop/tables

Writes original_layout, summary, ratios and flagged, each as NAME.csv (numbers, SI units) and NAME.html (to be read).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the dataset (Parquet)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    tables(args.dataset, args.out)


def tables(dataset: Path, out: Path) -> None:
    """Write each table of the catalogue as CSV and as a self-contained HTML page.

    Parameters
    ----------
    dataset
        Folder with the tables of the schema.
    out
        Folder for ``NAME.csv`` and ``NAME.html``.

    Raises
    ------
    InputError
        A table of the dataset is missing or damaged, or holds no run.
    """
    from baler_energy.errors import InputError
    from baler_energy.figures import tabulation
    from baler_energy.figures.base import Dataset, NoData
    from baler_energy.figures.page import html_page

    data = Dataset(dataset)
    try:
        frames = {
            "original_layout": tabulation.original_layout(data),
            "summary": tabulation.summary(data),
            "ratios": tabulation.ratios(data),
            "flagged": tabulation.flagged(data),
        }
    except NoData as reason:
        raise InputError(f"{dataset}: {reason}; the tables need at least one.") from reason
    for name, frame in frames.items():
        with atomic_path(out / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
        entry = CATALOGUE["tables"][name]
        notes = [*_notes(name, frame, data), entry.caption]
        write_text(out / f"{name}.html", html_page(entry.title, notes, _readable(name, frame)))


def _notes(name: str, frame: "pd.DataFrame", data: "Tables") -> list[str]:
    """Give the sentences that depend on the data."""
    from baler_energy.figures import tabulation

    toy = ["Toy data, not physics."] if (data["runs"]["source"] == "toy").any() else []
    if name == "original_layout":
        return [*toy, tabulation.original_words(data)]
    if name == "ratios":
        return [*toy, *(tabulation.saving(row) for row in frame.to_dict("records"))]
    if name == "flagged":
        modelled = int(data["runs"]["flags"].str.contains("modelled_only").sum())
        return [*toy, f"{len(frame)} of {len(data['runs'])} records are listed; {modelled} are modelled_only."]
    return toy


def _readable(name: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Turn numbers into text with units."""
    import pandas as pd

    readers = {"original_layout": _read_original, "summary": _read_summary, "ratios": _read_ratios}
    if name in readers:
        return pd.DataFrame(readers[name](frame))
    return pd.DataFrame(
        {
            "run": frame["run_id"],
            "operation": frame["operation"],
            "flags": frame["flags"],
            "other processes": [_or(f"{100 * v:.1f} %", v) for v in frame["contamination"]],
            "window": [f"{v:.2f} s" for v in frame["window_s"]],
        }
    )


def _or(text: str, value: Any, missing: str = "not known") -> str:
    import pandas as pd

    return missing if pd.isna(value) else text


def _read_original(frame: "pd.DataFrame") -> list[dict[str, str]]:
    """Put components in columns, as the original slides do."""
    from baler_energy.figures.selection import device_name, spread_text

    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in frame.to_dict("records"):
        device = device_name(cell["device"])
        row = rows.setdefault((device, cell["operation"]), {"operation": cell["operation"], "run on": device})
        text = f"not measured: {cell['reason']}"
        if cell["n"]:
            joules = spread_text(cell["energy_j"], cell["half_width_j"])
            text = f"{cell['energy_kwh']:.3g} kWh\n{joules} J\n{cell['evidence']}, n = {cell['n']}"
        if cell["component"].startswith("total"):
            column, text = f"total, {cell['evidence']}", f"{text}\n({cell['component'].removeprefix('total of ')})"
        else:
            column = cell["component"].upper()
        row[column] = f"{row[column]}\n{text}" if column in row else text
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return [{column: row.get(column, "none") for column in columns} for row in rows.values()]


def _read_summary(frame: "pd.DataFrame") -> list[dict[str, str]]:
    from baler_energy.figures.selection import device_name, spread_text

    return [
        {
            "dataset": row["dataset"] + (" (toy)" if row["source"] == "toy" else ""),
            "rows": f"{row['rows']:,}",
            "epochs": f"{row['epochs']}",
            "batch size": f"{row['batch_size']}",
            "ratio asked": f"{row['compression_ratio']:g}",
            "precision": row["precision"],
            "run on": device_name(row["device"]),
            "operation": row["operation"],
            "n": f"{row['n']}" + (f" ({row['flagged_runs']} flagged)" if row["flagged_runs"] else ""),
            "energy (J)": _or(
                spread_text(row["energy_j"], row["energy_half_width_j"]), row["energy_j"], "not measured"
            ),
            "evidence": _or(f"{row['energy_evidence']}, {row['energy_scope']}", row["energy_j"], "none"),
            "duration (s)": spread_text(row["duration_s"], row["duration_half_width_s"]),
            "CO2e (mg)": _or(
                spread_text(row["co2e_kg"], row["co2e_half_width_kg"], factor=1e6), row["co2e_kg"], "not known"
            ),
            "mean RMS / range": _or(
                spread_text(row["mean_rms_over_range"], row["mean_rms_over_range_half_width"]),
                row["mean_rms_over_range"],
            ),
        }
        for row in frame.to_dict("records")
    ]


def _read_ratios(frame: "pd.DataFrame") -> list[dict[str, str]]:
    from baler_energy.figures.tabulation import RATIOS

    return [
        {
            "dataset": row["dataset"],
            "rows": f"{row['rows']:,}",
            "columns": f"{row['columns']}",
            "latent columns": f"{row['latent_columns']}",
            "compressed file (B)": f"{row['compressed_bytes']:,.0f}",
            **{label: _or(f"{row[name]:.3f}", row[name]) for name, label in RATIOS.items()},
        }
        for row in frame.to_dict("records")
    ]
