"""Stage ``report``: the first page of Snakemake's HTML report."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.figures.chapters import figures_of
from baler_energy.files import output_file, read_json, refuse_source, write_text
from baler_energy.stages.file_names import DATA_PACKAGE, LEFT_OUT
from baler_energy.variants import CHAPTERS

__all__ = ["EPILOG", "HELP", "add_arguments", "report", "run"]

HELP = "write the first page of the HTML report"
EPILOG = """example:
  baler-energy report --dataset results/laptop/dataset --figures results/laptop/figures/cost \\
      results/laptop/figures/hotspots results/laptop/figures/trust results/laptop/figures/worth \\
      results/laptop/figures/savings --tables results/laptop/tables --out results/laptop/overview.rst

The page is reStructuredText for the `report:` directive of the Snakefile.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the dataset (Parquet)")
    parser.add_argument(
        "--figures",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help=f"folders of the chapters' figures; their names are chapters ({', '.join(CHAPTERS)})",
    )
    parser.add_argument("--tables", type=Path, metavar="DIR", help="folder of the tables: names those without rows")
    parser.add_argument("--out", type=output_file, required=True, help="the page to write (.rst)")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    refuse_source(args.out, [args.dataset / DATA_PACKAGE, *args.dataset.glob("*.parquet")])
    report(args.dataset, args.figures, args.out, args.tables)


def report(dataset: Path, figures: Sequence[Path], out: Path, tables: Path | None = None) -> None:
    """Write the report's first page.

    Parameters
    ----------
    dataset
        Folder with the tables of the schema and ``datapackage.json``, whose title names the study.
    figures
        Folders that stage ``figures`` wrote, named by chapter.
    out
        The reStructuredText file.
    tables
        Folder that stage ``tables`` wrote.

    Raises
    ------
    InputError
        A file is missing or damaged, a folder is not a chapter's, or there are no runs.
    """
    from baler_energy.analysis.datapackage import title_of
    from baler_energy.analysis.statistics import flagged
    from baler_energy.figures.base import Dataset
    from baler_energy.figures.overview import overview

    figures_left_out = {folder.name: _of_chapter(folder) for folder in figures}
    tables_left_out = {} if tables is None else _reasons(tables, "table")
    title = title_of(dataset / DATA_PACKAGE)
    data = Dataset(dataset)
    if data["runs"].empty:
        raise InputError(f"{dataset / 'runs.parquet'}: contains no runs, so there is nothing to report.")
    write_text(out, overview(data, title, figures_left_out, tables_left_out))
    runs = data["runs"]
    counts = f"{runs['run_id'].nunique()} runs with {len(runs)} records, {len(flagged(runs))} of them flagged"
    print(f"{out}: first page of {title}: {counts}")


def _of_chapter(folder: Path) -> dict[str, str]:
    """Read which figures of a chapter were left out: the reason, by title."""
    if folder.name not in CHAPTERS:
        raise InputError(f"{folder}: is not the folder of a chapter; chapters are {', '.join(CHAPTERS)}.")
    reasons = _reasons(folder, "figure")
    titles = {figure.name: figure.title for figure in figures_of(folder.name)}
    if not {name.rpartition("/")[2] for name in reasons} <= set(titles):
        raise _damaged(folder, "figure")
    return {_title(name, titles): reason for name, reason in reasons.items()}


def _title(name: str, titles: Mapping[str, str]) -> str:
    """Return the title of a figure, with the name of the dataset that it is about if the study has several."""
    dataset, _, figure = name.rpartition("/")
    return f"{titles[figure]} ({dataset})" if dataset else titles[figure]


def _reasons(folder: Path, kind: str) -> dict[str, str]:
    """Read why figures or tables were left out."""
    reasons = read_json(folder / LEFT_OUT)
    if not isinstance(reasons, dict):
        raise _damaged(folder, kind)
    return {name: str(reason) for name, reason in reasons.items()}


def _damaged(folder: Path, kind: str) -> InputError:
    return InputError(f"{folder / LEFT_OUT}: does not contain reasons by {kind}; run `baler-energy {kind}s` again.")
