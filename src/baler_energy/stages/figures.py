"""Stage ``figures``: the figures of one chapter, as SVG, PNG and HTML."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from baler_energy.figures.chapters import figures_of
from baler_energy.files import discard, output_folder, write_json, write_text
from baler_energy.progress import announce, progress
from baler_energy.stages.file_names import LEFT_OUT
from baler_energy.variants import CHAPTERS

__all__ = ["EPILOG", "HELP", "add_arguments", "figures", "run"]

HELP = "draw the figures of one chapter of the report"
EPILOG = """examples:
  baler-energy figures --dataset results/laptop/dataset --chapter cost --out results/laptop/figures/cost

Writes NAME.svg, NAME.png and NAME.html (a page that zooms), and left_out.json with the reason for each figure that has
no data here. In a study with several datasets, figures about one of them are in a folder with its name.
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
        Folder for ``NAME.svg``, ``NAME.png``, ``NAME.html`` and ``left_out.json``. With several datasets, ``NAME`` of a
        figure about one of them is ``DATASET/NAME``.

    Returns
    -------
    dict
        For each figure that was left out: the reason, by name.

    Raises
    ------
    InputError
        A table is missing or damaged.
    """
    from baler_energy.figures.base import Dataset, NoData, Tables, by_dataset
    from baler_energy.figures.page import figure_page
    from baler_energy.figures.style import save

    tables: Tables = Dataset(dataset)
    each, whole = by_dataset(tables), {"": tables}
    chosen = [
        (figure, name, part)
        for figure in figures_of(chapter)
        for name, part in (each if figure.by_dataset else whole).items()
    ]
    left_out, drawn = dict[str, str](), set[str]()
    for figure, name, part in progress(chosen, total=len(chosen), label=f"figures {chapter}", unit="figure"):
        path = (Path(name) / figure.name).as_posix()
        try:
            save(figure.draw(part, name), out / name, figure.name)
        except NoData as reason:
            left_out[path] = str(reason)
            announce(f"{path} is left out: {reason}")
        else:
            svg, png = ((out / f"{path}.{kind}").read_bytes() for kind in ("svg", "png"))
            title = f"{figure.title} ({name})" if name else figure.title
            write_text(out / f"{path}.html", figure_page(title, figure.caption, svg, png))
            drawn.add(path)
    names = {figure.name for figure in figures_of(chapter)}
    own = {(Path(name) / figure).as_posix() for name in ("", *each) for figure in names}
    _remove_stale(out, own - drawn)
    write_json(out / LEFT_OUT, left_out)
    missing = f", {len(left_out)} left out: {out / LEFT_OUT}" if left_out else ""
    print(f"{out}: {len(drawn)} figure{'' if len(drawn) == 1 else 's'}{missing}")
    return left_out


def _remove_stale(out: Path, names: Iterable[str]) -> None:
    """Remove figures that an earlier call drew; the folder may have other pictures, of the user."""
    for name in names:
        for suffix in (".svg", ".png", ".html"):
            discard(out / f"{name}{suffix}")
