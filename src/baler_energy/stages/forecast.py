"""Stage ``forecast``: time, energy, CO2e and cost of a job that has not run, from laws that were fitted to a study."""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baler_energy.codecs.engines import check_values, operations_of
from baler_energy.config.options import add_options, option
from baler_energy.config.own_file import OwnFile
from baler_energy.config.parameters import AXES, applies
from baler_energy.config.sections import Embodied
from baler_energy.config.study import Study
from baler_energy.data.checks import check_rows
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source
from baler_energy.provenance import cpu_model
from baler_energy.stages.file_options import number_type, whole_type
from baler_energy.stages.forecast_site import Job, Part, add_site_arguments, site_lines, site_of
from baler_energy.stages.forecast_text import Rates, costs, words
from baler_energy.stages.hardware import hardware_of, other_of
from baler_energy.stages.options import PointOptions
from baler_energy.vocabulary import Evidence

if TYPE_CHECKING:
    from baler_energy.analysis.electricity import Electricity
    from baler_energy.analysis.hardware import Hardware
    from baler_energy.analysis.law import Law

__all__ = ["EPILOG", "HELP", "add_arguments", "forecast_lines", "run"]

HELP = "forecast time, energy, CO2e and cost of a job that has not run, with 90 % intervals"
EPILOG = """\
examples:
  baler-energy forecast --rows 500e6 --columns 24 --epochs 100 --country CHE
  baler-energy forecast --file events.root --tree Events --epochs 10 --engine fast --precision float32
  baler-energy forecast --rows 1e6 --columns 24 --epochs 5 --hardware laptop.json
  baler-energy forecast --rows 1e7 --columns 24 --epochs 10 --per-year 50TB --nodes 20 --country CHE \\
    --price-per-kwh 0.25 --currency CHF --worth results/worth/dataset
  baler-energy forecast --rows 1e6 --columns 24 --epochs 5 --country CHE \\
    --machine-co2e-kg 1300 --lifetime-years 4 --citation "data sheet of the manufacturer"

The forecast rests on laws of cost, fitted to a study of the machine: `--hardware this` (the default) uses the results
of `baler-energy study --configfile config/studies/forecast.yaml` in this folder. `baler-energy hardware` writes a file
of them, which can be shared. Energies are measured or modelled as those of the study; its costs are those of the
operations alone, without reading files and starting programs.

`--per-year` scales the job to a site: it compresses so many tables a year, trains one model for each volume per model
at the cost of the job's training, and decompresses all data some number of times. Each node does one job at a time."""

#: Where the study of a machine leaves its dataset.
THIS, DATASET = "this", Path("results/forecast/dataset")
#: What a point is forecast for; its rows come from elsewhere, and no cost depends on the name of the dataset.
_POINT = tuple(name for name in AXES if name not in ("dataset", "rows"))
_ELECTRICITY = ("country", "carbon_intensity_g_per_kwh", "pue", "price_per_kwh", "currency")
#: Value of a parameter that the choice of the law decides.
_AUTO = "auto"
#: Size of a value if only the number of columns is known: float32, as in HEP's files.
_VALUE_B = 4
_NO_OTHER = (
    "No other codec to compare with: {study} has none at the error of a codec that trains in epochs. "
    "`baler-energy study --configfile config/studies/worth.yaml` measures some; then add --worth results/worth/dataset."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    rows, columns = whole_type(2, 1e18), whole_type(1, 1e6)
    parser.add_argument("--rows", type=rows, metavar="N", help="rows of the table, such as 500e6")
    parser.add_argument("--columns", type=columns, metavar="N", help="columns of the table")
    parser.add_argument("--file", metavar="FILE", help="a file (or URL) whose rows and columns are used instead")
    parser.add_argument(
        "--row-bytes",
        type=number_type(0, 1e9, inclusive="right"),
        metavar="X",
        help=f"bytes of a row in its recorded formats (default: those of --file, or {_VALUE_B} per column)",
    )
    parser.add_argument(
        "--hardware",
        default=THIS,
        metavar="this|FILE",
        help=f"a file of `baler-energy hardware`, or the folder of a dataset; this: {DATASET} (default: %(default)s)",
    )
    add_options(parser.add_argument_group("what to run"), PointOptions, only=_POINT, unset=_POINT)
    add_options(parser.add_argument_group("electricity"), Study, only=_ELECTRICITY)
    group = parser.add_argument_group("emissions of making the machine, for the Software Carbon Intensity")
    add_options(group, Embodied, unset=["reserved_share"])
    add_site_arguments(parser)
    add_options(parser.add_argument_group("your file"), OwnFile, only=["format", "tree", "layout", "leading"])


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    site, rates = site_of(args), Rates(_electricity(args), _embodied(args))
    job = _job(args)
    if args.row_bytes is not None and site is None and rates.embodied is None:
        raise InputError("--row-bytes: no effect without --per-year or --machine-co2e-kg. Leave it out.")
    hardware = _hardware(args.hardware)
    parts, missing = _parts(hardware, job)
    said = forecast_lines(hardware, job, parts, missing, rates)
    if site is not None:
        other = hardware.other if args.worth is None else other_of(args.worth)
        said += site_lines(site, job, parts, missing, rates, other or _NO_OTHER.format(study=hardware.study))
    if args.file is None and args.row_bytes is None and (site or rates.embodied):
        said.append(f"A recorded value is assumed to take {_VALUE_B} B, as in float32; --row-bytes changes this.")
    print(*said, sep="\n\n")


def _job(args: argparse.Namespace) -> Job:
    """Return the point with its rows, and the size of its table."""
    if (args.file is None) == (args.rows is None and args.columns is None):
        raise InputError("Give either --rows and --columns, or --file.")
    if args.file is None and None in (args.rows, args.columns):
        raise InputError("--rows and --columns go together; give both, or --file.")
    if args.file is None:
        rows, columns, row_bytes = int(args.rows), int(args.columns), _VALUE_B * args.columns
    else:
        rows, columns, row_bytes = _size(args)
    given = {name: value for name in _POINT if (value := getattr(args, name)) is not None}
    point = PointOptions(rows=rows, **given).changed()
    check_values(point)
    if point.epochs is None and applies("epochs", point.transform):
        raise InputError(f"--epochs is missing: the number of passes of transform {point.transform!r} over the table.")
    return Job(point, rows, columns, row_bytes if args.row_bytes is None else args.row_bytes)


def _size(args: argparse.Namespace) -> tuple[int, int, float]:
    """Return rows and columns of a file, and the bytes of a row in its number formats."""
    request = Request(None, args.tree, args.layout, args.leading)
    with open_source(args.file, request, args.format) as source:
        row_bytes = sum(np.dtype(name).itemsize for name in source.dtypes)
        rows = source.count_rows()
        check_rows(str(args.file), rows, None)
        return rows, len(source.names), row_bytes


def _hardware(where: str) -> "Hardware":
    """Read or fit the laws."""
    from baler_energy.analysis.hardware import Hardware

    if where != THIS:
        path = Path(where)
        return hardware_of(path) if path.is_dir() else Hardware.read(path)
    if not DATASET.is_dir():
        raise InputError(
            f"--hardware this: there is no folder {DATASET} here. Run `baler-energy study --configfile "
            "config/studies/forecast.yaml` first (13 minutes), or name a file of `baler-energy hardware`."
        )
    found, here = hardware_of(DATASET), cpu_model() or "unknown CPU"
    own = tuple(law for law in found.laws if f"{law.about['machine']}, ".startswith(f"{here}, "))
    if not own:
        raise InputError(
            f"--hardware this: {DATASET} has no laws of this machine ({here}). Run the study again here, or name the "
            f"folder: --hardware {DATASET}."
        )
    return found.model_copy(update={"laws": own})


def _electricity(args: argparse.Namespace) -> "Electricity":
    """Return the electricity that the options describe."""
    from baler_energy.analysis.electricity import Electricity

    value = args.carbon_intensity_g_per_kwh
    price = {"price_per_kwh": args.price_per_kwh, "currency": args.currency}
    return Electricity.of(country=args.country, value=value, csv=None, pue=args.pue, **price)


def _embodied(args: argparse.Namespace) -> Embodied | None:
    """Return the emissions of making the machine that the options describe; None without any of them."""
    given = {name: value for name in Embodied.model_fields if (value := getattr(args, name)) is not None}
    needed = [name for name, field in Embodied.model_fields.items() if field.is_required()]
    if absent := [option(name) for name in needed if name not in given]:
        if not given:
            return None
        raise InputError(f"{', '.join(absent)}: missing; {', '.join(map(option, needed))} go together.")
    return Embodied(**given)


def _parts(hardware: "Hardware", job: Job) -> tuple[list[Part], list[str]]:
    """Forecast the operations of a job; also name those that have no law.

    Raises
    ------
    InputError
        There is no law for any operation of the point, or its work is unknown.
    """
    from baler_energy.analysis.law import drawn
    from baler_energy.analysis.site import Load
    from baler_energy.analysis.work import work

    operations = operations_of(job.point)
    found = {name: law for name in operations if (law := _law(hardware, job.point, name)) is not None}
    if not found:
        raise InputError(f"No law for {_codec(job.point.model_dump())}. Laws: {'; '.join(_known(hardware))}.")
    parts = []
    for name, law in found.items():
        amounts = work(job.parameters, name)
        if math.isnan(law.costs.time.predict(amounts)):
            raise InputError(
                f"{name}: its work is unknown before it runs (pruning {job.point.pruning}), so it has no forecast."
            )
        parts.append(Part(name, law, amounts, Load(*drawn(law, amounts))))
    return parts, [name for name in operations if name not in found]


def forecast_lines(
    hardware: "Hardware", job: Job, parts: Sequence[Part], missing: Sequence[str], rates: Rates
) -> list[str]:
    """Write the forecast of a job: a table as text, and what it rests on.

    Parameters
    ----------
    hardware
        The laws.
    job
        The job.
    parts
        Its operations.
    missing
        Operations of its codec that have no law.
    rates
        What turns energy and time into CO2e, money and SCI.
    """
    import pandas as pd

    return [
        f"{job.rows:,} rows x {job.columns} columns, {_codec(job.parameters)}, 90 % intervals:",
        pd.DataFrame([_row(part, job, rates) for part in parts]).fillna("-").to_string(index=False),
        "\n".join(map(_words, parts)),
        *([f"No law for {' and '.join(missing)} of this codec."] if missing else []),
        *_evidence([part.law for part in parts]),
        f"{_rates_words(rates)} From: {hardware.study}, {hardware.first:%Y-%m-%d}, baler-energy {hardware.software}.",
    ]


def _rates_words(rates: Rates) -> str:
    """State intensity, price and embodied emissions, or why there is no CO2e or SCI."""
    electricity = rates.electricity
    said = "No CO2e: give --country or --carbon-intensity-g-per-kwh."
    if electricity.value_g_per_kwh is not None:
        said = f"CO2e with {electricity.value_g_per_kwh:.4g} g/kWh and PUE {electricity.pue:g}."
    if electricity.currency is not None:
        said += f" Electricity at {electricity.price_per_kwh:g} {electricity.currency} per kWh."
    if rates.embodied is None:
        return f"{said} No SCI: give --machine-co2e-kg, --lifetime-years and --citation."
    if electricity.value_g_per_kwh is None:
        return f"{said} No SCI: it needs the CO2e."
    return f"{said} SCI (ISO/IEC 21031), always modelled, with embodied emissions of {rates.embodied}."


def _law(hardware: "Hardware", point: PointOptions, operation: str) -> "Law | None":
    """Choose the law of an operation; of several that fit, such as on other threads, the one of most runs."""
    wanted = {name: getattr(point, name) for name in _POINT if getattr(point, name) != _AUTO}
    fitting = [
        law
        for law in hardware.laws
        if law.about["operation"] == operation
        and all(law.about[name] == value for name, value in wanted.items() if name in law.about)
    ]
    return max(fitting, key=lambda law: law.runs, default=None)


def _codec(about: Mapping[str, Any]) -> str:
    names = ("transform", "engine", "model", "precision", "batch_size", "epochs", "packing", "device", "threads")
    known = ((name.replace("_", " "), about.get(name)) for name in names)
    return ", ".join(f"{name} {value}" for name, value in known if value is not None and value != _AUTO)


def _known(hardware: "Hardware") -> Iterator[str]:
    """Name the laws, each codec once."""
    yield from dict.fromkeys(f"{law.about['operation']}: {_codec(law.about)}" for law in hardware.laws)


def _row(part: Part, job: Job, rates: Rates) -> dict[str, str]:
    """Write the forecast of an operation."""
    from baler_energy.analysis.law import interval

    row = {"operation": part.operation, "threads": f"{part.law.about['threads']}"}
    row["time"] = words(interval(part.load.seconds), "s")
    return row | costs(part.load, part.law.evidence, rates, job.table_bytes)


def _words(part: Part) -> str:
    """Say which law a forecast rests on, how far it extrapolates, and how well it did so."""
    operation, law, amounts = part.operation, part.law, part.work
    factor = amounts["size"] / law.largest["size"]
    reach = f"{factor:.3g} times larger than the largest of them" if factor > 1 else "within their range"
    said = f"{operation}: from {law.runs} runs at {law.points} points on {law.about['machine']}; this job is {reach}."
    if law.factor is None:
        return f"{said} The law was not checked beyond its runs."
    checked = [
        f"{quantity} {100 * _median(ratios):.2g} %"
        for quantity, ratios in (("time", law.time_ratios), ("energy", law.energy_ratios))
        if ratios
    ]
    deviations = ", ".join(checked)
    beyond = "; the law was not checked beyond that, so the interval may be too narrow" if factor > law.factor else ""
    return (
        f"{said} Runs {law.factor:.3g} times larger than those in a fit deviated from it by {deviations} "
        f"(median){beyond}."
    )


def _median(ratios: tuple[float, ...]) -> float:
    """Median deviation of predictions, from recorded over predicted values."""
    from statistics import median

    return median(abs(1 / ratio - 1) if ratio else float("inf") for ratio in ratios)


def _evidence(laws: Any) -> Iterator[str]:
    """Say what the energies are."""
    kinds = {(law.evidence, law.scope) for law in laws if law.costs.energy is not None}
    for evidence, scope in sorted(kinds):
        measured = evidence == Evidence.MEASURED
        how = "was read from hardware counters" if measured else "is MODELLED from constants and load, as in the study"
        yield f"The energy of {scope} {how}."
