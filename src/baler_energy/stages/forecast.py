"""Stage ``forecast``: time, energy, CO2e and cost of a job that has not run, from laws that were fitted to a study."""

import argparse
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.codecs.baler.architecture import latent_columns
from baler_energy.codecs.engines import check_values, operations_of
from baler_energy.config.options import add_options
from baler_energy.config.own_file import OwnFile
from baler_energy.config.parameters import AXES, applies
from baler_energy.config.study import Study
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source
from baler_energy.provenance import cpu_model
from baler_energy.stages.file_options import number_type
from baler_energy.stages.hardware import hardware_of
from baler_energy.stages.options import PointOptions
from baler_energy.vocabulary import Evidence

if TYPE_CHECKING:
    from baler_energy.analysis.electricity import Electricity
    from baler_energy.analysis.hardware import Hardware
    from baler_energy.analysis.law import Forecast, Law

__all__ = ["EPILOG", "HELP", "add_arguments", "forecast_lines", "run"]

HELP = "forecast time, energy, CO2e and cost of a job that has not run, with 90 % intervals"
EPILOG = """\
examples:
  baler-energy forecast --rows 500e6 --columns 24 --epochs 100 --country CHE
  baler-energy forecast --file events.root --tree Events --epochs 10 --engine fast --precision float32
  baler-energy forecast --rows 1e6 --columns 24 --epochs 5 --hardware laptop.json

The forecast rests on laws of cost, fitted to a study of the machine: `--hardware this` (the default) uses the results
of `baler-energy study --configfile config/studies/forecast.yaml` in this folder. `baler-energy hardware` writes a file
of them, which can be shared. Energies are measured or modelled as those of the study; its costs are those of the
operations alone, without reading files and starting programs."""

#: Where the study of a machine leaves its dataset.
THIS, DATASET = "this", Path("results/forecast/dataset")
#: What a point is forecast for; its rows come from elsewhere, and no cost depends on the name of the dataset.
_POINT = tuple(name for name in AXES if name not in ("dataset", "rows"))
_ELECTRICITY = ("country", "carbon_intensity_g_per_kwh", "pue", "price_per_kwh", "currency")
#: Value of a parameter that the choice of the law decides.
_AUTO = "auto"
#: Where a larger unit begins, in the base unit, and its name.
_LARGE = {"s": (3600.0, "h"), "J": (3.6e6, "kWh"), "g": (1000.0, "kg")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    whole = number_type(2, 1e18)
    parser.add_argument("--rows", type=whole, metavar="N", help="rows of the table, such as 500e6")
    parser.add_argument("--columns", type=number_type(1, 1e6), metavar="N", help="columns of the table")
    parser.add_argument("--file", metavar="FILE", help="a file (or URL) whose rows and columns are used instead")
    parser.add_argument(
        "--hardware",
        default=THIS,
        metavar="this|FILE",
        help=f"a file of `baler-energy hardware`, or the folder of a dataset; this: {DATASET} (default: %(default)s)",
    )
    add_options(parser.add_argument_group("what to run"), PointOptions, only=_POINT, unset=_POINT)
    add_options(parser.add_argument_group("electricity"), Study, only=_ELECTRICITY)
    add_options(parser.add_argument_group("your file"), OwnFile, only=["format", "tree", "layout", "leading"])


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    point, columns = _point(args)
    print(*forecast_lines(_hardware(args.hardware), point, columns, _electricity(args)), sep="\n\n")


def _point(args: argparse.Namespace) -> tuple[PointOptions, int]:
    """Return the point with its rows, and the number of columns."""
    if (args.file is None) == (args.rows is None and args.columns is None):
        raise InputError("Give either --rows and --columns, or --file.")
    if args.file is None and None in (args.rows, args.columns):
        raise InputError("--rows and --columns go together; give both, or --file.")
    rows, columns = (int(args.rows), int(args.columns)) if args.file is None else _size(args)
    given = {name: value for name in _POINT if (value := getattr(args, name)) is not None}
    point = PointOptions(rows=rows, **given).changed()
    check_values(point)
    if point.epochs is None and applies("epochs", point.transform):
        raise InputError(f"--epochs is missing: how often transform {point.transform!r} passes over the table.")
    return point, columns


def _size(args: argparse.Namespace) -> tuple[int, int]:
    """Return rows and columns of a file."""
    request = Request(None, args.tree, args.layout, args.leading)
    with open_source(args.file, request, args.format) as source:
        return source.count_rows(), len(source.names)


def _hardware(where: str) -> "Hardware":
    """Read or fit the laws."""
    from baler_energy.analysis.hardware import Hardware

    if where != THIS:
        path = Path(where)
        return hardware_of(path) if path.is_dir() else Hardware.read(path)
    if not DATASET.is_dir():
        raise InputError(
            f"--hardware this: there is no folder {DATASET} here. Run `baler-energy study --configfile "
            "config/studies/forecast.yaml` first (20 minutes), or name a file of `baler-energy hardware`."
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


def forecast_lines(hardware: "Hardware", point: PointOptions, columns: int, electricity: "Electricity") -> list[str]:
    """Forecast the operations of a point: a table as text, and what it rests on.

    Parameters
    ----------
    hardware
        The laws.
    point
        The point, whose rows are a number. The law decides about ``auto``.
    columns
        Columns of the table.
    electricity
        Its carbon intensity and price, if there are any, and the PUE.

    Raises
    ------
    InputError
        There is no law for any operation of the point, or its work is unknown.
    """
    import pandas as pd

    found = {name: law for name in operations_of(point) if (law := _law(hardware, point, name)) is not None}
    if not found:
        raise InputError(f"No law for {_codec(point.model_dump())}. Laws: {'; '.join(_known(hardware))}.")
    latent = None if point.compression_ratio is None else latent_columns(columns, point.compression_ratio)
    parameters = point.model_dump() | {"columns": columns, "latent_columns": latent}
    rows = [_row(name, law, parameters, electricity) for name, law in found.items()]
    missing = [name for name in operations_of(point) if name not in found]
    carbon = "No CO2e: give --country or --carbon-intensity-g-per-kwh."
    if electricity.value_g_per_kwh is not None:
        carbon = f"CO2e with {electricity.value_g_per_kwh:.4g} g/kWh and PUE {electricity.pue:g}."
    if electricity.currency is not None:
        carbon += f" Electricity at {electricity.price_per_kwh:g} {electricity.currency} per kWh."
    return [
        f"{point.rows:,} rows x {columns} columns, {_codec(parameters)}, 90 % intervals:",
        pd.DataFrame(rows).drop(columns="words").fillna("-").to_string(index=False),
        "\n".join(row["words"] for row in rows),
        *([f"No law for {' and '.join(missing)} of this codec."] if missing else []),
        *_evidence(found.values()),
        f"{carbon} From: {hardware.study}, {hardware.first:%Y-%m-%d}, baler-energy {hardware.software}.",
    ]


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


def _row(operation: str, law: "Law", parameters: Mapping[str, Any], electricity: "Electricity") -> dict[str, str]:
    """Write the forecast of an operation, and in ``words`` what it rests on."""
    from baler_energy.analysis.carbon import co2e_kg, electricity_cost
    from baler_energy.analysis.law import Forecast, forecast
    from baler_energy.analysis.work import work

    amounts = work(parameters, operation)
    if math.isnan(law.costs.time.predict(amounts)):
        raise InputError(
            f"{operation}: its work is unknown before it runs (pruning {parameters['pruning']}), so it has no forecast."
        )
    found = forecast(law, amounts)
    row = {"operation": operation, "threads": f"{law.about['threads']}", "time": _text(found["time"], "s")}
    if energy := found.get("energy"):
        row[f"energy ({law.evidence})"] = _text(energy, "J")
        if (intensity := electricity.value_g_per_kwh) is not None:
            grams = Forecast(*(1000 * co2e_kg(joules, intensity, electricity.pue) for joules in energy))
            row["CO2e"] = _text(grams, "g")
        if (price := electricity.price_per_kwh) is not None:
            money = Forecast(*(electricity_cost(joules, price, electricity.pue) for joules in energy))
            row["electricity"] = _text(money, f"{electricity.currency}")
    return row | {"words": _words(operation, law, amounts)}


def _text(found: "Forecast", unit: str) -> str:
    """Write a value with its interval, in the unit that reads best."""
    from baler_energy.figures.selection import interval_text, scaled_unit

    size, large = _LARGE.get(unit, (1.0, unit))
    factor, unit = (1 / size, large) if found.value >= size else scaled_unit([found.value], unit)
    low, value, high = (interval_text(one, math.nan, factor=factor) for one in (found.low, found.value, found.high))
    return f"{value} {unit} ({low} to {high})"


def _words(operation: str, law: "Law", amounts: Mapping[str, float]) -> str:
    """Say which law a forecast rests on, how far it extrapolates, and how well it did so."""
    factor = amounts["size"] / law.largest["size"]
    reach = f"{factor:.3g} times larger than the largest of them" if factor > 1 else "within their range"
    words = f"{operation}: from {law.runs} runs at {law.points} points on {law.about['machine']}; this job is {reach}."
    if law.factor is None:
        return f"{words} The law was not checked beyond its runs."
    checked = [
        f"{quantity} {100 * _median(ratios):.2g} %"
        for quantity, ratios in (("time", law.time_ratios), ("energy", law.energy_ratios))
        if ratios
    ]
    deviations = ", ".join(checked)
    return f"{words} Runs {law.factor:.3g} times larger than those in a fit deviated from it by {deviations} (median)."


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
