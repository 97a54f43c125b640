"""Stage ``hardware``: what operations cost on a study's machines, as a file for ``forecast``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.errors import InputError
from baler_energy.files import output_file, refuse_source
from baler_energy.stages.file_names import DATA_PACKAGE

if TYPE_CHECKING:
    from baler_energy.analysis.hardware import Hardware, OtherCodec

__all__ = ["EPILOG", "HELP", "add_arguments", "hardware_of", "other_of", "run"]

HELP = "write what operations cost on a study's machines, as a file that `forecast` reads and that can be shared"
EPILOG = """\
example:
  baler-energy study --configfile config/studies/forecast.yaml
  baler-energy hardware --dataset results/forecast/dataset --out laptop.json

The file has the laws of cost that were fitted to the study, with the machine, the dates and the versions; and, if the
study compares codecs, the best other one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--dataset", type=Path, required=True, help="folder of the study's dataset (Parquet)")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE", help="the file to write (JSON)")


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    refuse_source(args.out, [args.dataset / DATA_PACKAGE, *args.dataset.glob("*.parquet")])
    hardware = hardware_of(args.dataset)
    hardware.write(args.out)
    print(f"{args.out}: {len(hardware.laws)} laws of cost, from {hardware.study}")


def hardware_of(dataset: Path) -> "Hardware":
    """Fit the laws of a study.

    Parameters
    ----------
    dataset
        Folder with the tables and ``datapackage.json``, whose title names the study.

    Raises
    ------
    InputError
        A file is missing or damaged, or no law can be fitted.
    """
    from baler_energy.analysis.datapackage import title_of
    from baler_energy.analysis.hardware import Hardware
    from baler_energy.figures.base import Dataset
    from baler_energy.figures.break_even_rows import other_codec

    tables = Dataset(dataset)
    runs, title = tables["runs"], title_of(dataset / DATA_PACKAGE)
    return Hardware.of(runs, title, other_codec(tables, title))


def other_of(dataset: Path) -> "OtherCodec":
    """Return the best other codec of a study that compares codecs.

    Parameters
    ----------
    dataset
        As for `hardware_of`, with all tables.

    Raises
    ------
    InputError
        A file is missing or damaged, or the study has no such codec.
    """
    from baler_energy.analysis.datapackage import title_of
    from baler_energy.figures.base import Dataset
    from baler_energy.figures.break_even_rows import other_codec

    found = other_codec(Dataset(dataset), title_of(dataset / DATA_PACKAGE))
    if found is None:
        raise InputError(
            f"{dataset}: has no other codec at the error of a codec that trains in epochs. Use the dataset of "
            "config/studies/worth.yaml."
        )
    return found
