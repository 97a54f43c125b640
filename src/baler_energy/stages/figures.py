"""Stage ``figures``: the figures of one chapter, as SVG, PNG and HTML."""

import argparse
from pathlib import Path

from baler_energy.figures.chapters import figures_of
from baler_energy.files import output_folder, write_json, write_text
from baler_energy.progress import announce, progress
from baler_energy.stages.file_names import LEFT_OUT
from baler_energy.variants import CHAPTERS

__all__ = ["EPILOG", "HELP", "add_arguments", "figures", "run"]

HELP = "draw the figures of one chapter of the report"
EPILOG = """examples:
  baler-energy figures --dataset results/laptop/dataset --chapter cost --out results/laptop/figures/cost

Writes NAME.svg, NAME.png and NAME.html (a page that zooms), and left_out.json with the reason for each figure that has
no data here.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the dataset (Parquet)")
    parser.add_argument("--chapter", choices=tuple(CHAPTERS), required=True, help="chapter of the report")
    parser.add_argument("--out", type=output_folder, required=True, help="folder of the figures")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    figures(args.dataset, args.chapter, args.out)


def figures(dataset: Path, chapter: str, out: Path) -> dict[str, str]:
    """Draw a chapter's figures, and remove those of an earlier call that no longer have data.

    Parameters
    ----------
    dataset
        Folder with the tables of the schema.
    chapter
        Key of `CHAPTERS`.
    out
        Folder for ``NAME.svg``, ``NAME.png``, ``NAME.html`` and ``left_out.json``.

    Returns
    -------
    dict
        For each figure that was left out: the reason, by name.

    Raises
    ------
    InputError
        A table is missing or damaged.
    """
    from baler_energy.figures.base import Dataset, NoData
    from baler_energy.figures.page import figure_page
    from baler_energy.figures.style import save

    chosen, tables = figures_of(chapter), Dataset(dataset)
    left_out, drawn = dict[str, str](), set[str]()
    for figure in progress(chosen, total=len(chosen), label=f"figures {chapter}", unit="figure"):
        try:
            save(figure.draw(tables), out, figure.name)
        except NoData as reason:
            left_out[figure.name] = str(reason)
            announce(f"{figure.name} is left out: {reason}")
        else:
            svg, png = ((out / f"{figure.name}.{kind}").read_bytes() for kind in ("svg", "png"))
            write_text(out / f"{figure.name}.html", figure_page(figure.title, figure.caption, svg, png))
            drawn.add(figure.name)
    _remove_stale(out, drawn)
    write_json(out / LEFT_OUT, left_out)
    return left_out


def _remove_stale(out: Path, drawn: set[str]) -> None:
    """Remove figures that an earlier call drew and this one did not."""
    for path in out.glob("*.*"):
        if path.suffix in (".svg", ".png", ".html") and path.stem not in drawn:
            path.unlink()
