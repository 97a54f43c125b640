"""Stage ``tables``: the report's tables, as CSV and HTML."""

import argparse
from pathlib import Path

from baler_energy.figures.catalogue import CATALOGUE
from baler_energy.files import atomic_path, write_text

__all__ = ["EPILOG", "HELP", "add_arguments", "run", "tables"]

HELP = "write the report's tables as CSV and HTML"
EPILOG = """example:
  baler-energy tables --dataset results/laptop/dataset --out results/laptop/tables

Writes original_layout, summary, metrics, glossary, ratios, engines, models, variation, peers, findings, calibration,
temperatures, counters and flagged, each as NAME.csv (numbers, SI units) and NAME.html (to be read). A table that this
study has nothing for is empty and says why.
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
    from baler_energy.figures import efficiency_tables, engine_tables, tabulation, trust_tables
    from baler_energy.figures.base import Dataset, NoData
    from baler_energy.figures.counters import counters
    from baler_energy.figures.models import models
    from baler_energy.figures.page import html_page
    from baler_energy.figures.readable import notes, readable
    from baler_energy.figures.temperatures import temperatures

    data = Dataset(dataset)
    try:
        frames = {
            "original_layout": tabulation.original_layout(data),
            "summary": tabulation.summary(data),
            "metrics": efficiency_tables.metrics(data),
            "glossary": efficiency_tables.glossary(),
            "ratios": tabulation.ratios(data),
            "engines": engine_tables.engines(data),
            "models": models(data),
            "variation": trust_tables.variation(data),
            "peers": trust_tables.peers(data),
            "findings": trust_tables.findings(data),
            "calibration": trust_tables.calibration(data),
            "temperatures": temperatures(data),
            "counters": counters(data),
            "flagged": tabulation.flagged_runs(data),
        }
    except NoData as reason:
        raise InputError(f"{dataset}: {reason}; the tables need at least one.") from reason
    for name, frame in frames.items():
        with atomic_path(out / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
        entry = CATALOGUE["tables"][name]
        words = [*notes(name, frame, data), entry.caption]
        write_text(out / f"{name}.html", html_page(entry.title, words, readable(name, frame)))
