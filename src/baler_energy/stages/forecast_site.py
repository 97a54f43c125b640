"""A year at a site in ``forecast``: its options, and node-hours, power, energy and costs as a table and sentences."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from baler_energy.analysis.carbon import YEAR_S
from baler_energy.codecs.baler.architecture import latent_columns
from baler_energy.config.options import option
from baler_energy.config.sections import BreakEven
from baler_energy.errors import InputError
from baler_energy.stages.file_options import number_type, size_type, whole_type
from baler_energy.stages.forecast_text import Rates, costs, interval_words, words

if TYPE_CHECKING:
    from baler_energy.analysis.hardware import OtherCodec
    from baler_energy.analysis.law import Law
    from baler_energy.analysis.site import Load
    from baler_energy.stages.options import PointOptions

__all__ = ["Job", "Part", "Site", "add_site_arguments", "site_lines", "site_of"]

#: The assumptions of chapter 4.
_ASSUMED = BreakEven()
_B_PER_TB, _B_PER_GB, _S_PER_H = 1e12, 1e9, 3600.0
#: Options that only matter with ``--per-year``.
_ONLY = ("nodes", "volume_per_model", "reads", "worth")


class Site(NamedTuple):
    """What a site does in a year."""

    volume_bytes: float
    """Volume of the data in their recorded formats."""
    nodes: int
    """Nodes, each of which does one job at a time."""
    volume_per_model_bytes: float
    """Volume that one model compresses."""
    reads: float
    """Times that all data are decompressed."""

    @property
    def models(self) -> float:
        """Models that are trained: at least one."""
        return max(1.0, self.volume_bytes / self.volume_per_model_bytes)


class Job(NamedTuple):
    """A job that has not run."""

    point: "PointOptions"
    """How it runs."""
    rows: int
    """Rows of its table."""
    columns: int
    """Columns of its table."""
    row_bytes: float
    """Size of a row in its recorded formats."""

    @property
    def table_bytes(self) -> float:
        """Size of the table in its recorded formats."""
        return self.rows * self.row_bytes

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the point, with ``columns`` and ``latent_columns``."""
        ratio = self.point.compression_ratio
        latent = None if ratio is None else latent_columns(self.columns, ratio)
        return self.point.model_dump() | {"columns": self.columns, "latent_columns": latent}


class Part(NamedTuple):
    """Forecast of one operation of a job."""

    operation: str
    law: "Law"
    work: Mapping[str, float]
    """From `work.work`."""
    load: "Load"
    """Its node time and energy."""


def add_site_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a site."""
    group = parser.add_argument_group("a year at a site")
    group.add_argument(
        "--per-year",
        type=size_type,
        metavar="SIZE",
        help="volume of the data in a year, in their recorded formats, such as 50TB: scales the forecast to a site",
    )
    group.add_argument("--nodes", type=whole_type(1, 1e9), metavar="N", help="nodes of the site (default: 1)")
    group.add_argument(
        "--volume-per-model",
        type=size_type,
        metavar="SIZE",
        help=f"volume that one model compresses (default: {_ASSUMED.volume_per_model_tb:g}TB, as in chapter 4)",
    )
    group.add_argument(
        "--reads",
        type=number_type(0, 1e9),
        metavar="X",
        help=f"times that all data are decompressed (default: {_ASSUMED.reads.value:g}, as in chapter 4)",
    )
    group.add_argument(
        "--worth",
        type=Path,
        metavar="DATASET",
        help="folder of the dataset of a study that compares codecs (default: that of --hardware)",
    )


def site_of(args: argparse.Namespace) -> Site | None:
    """Read the options of a site; None: the forecast is of one job.

    Raises
    ------
    InputError
        An option has no effect.
    """
    if args.per_year is None:
        if unused := [option(name) for name in _ONLY if getattr(args, name) is not None]:
            raise InputError(f"{', '.join(unused)}: no effect without --per-year. Add --per-year, such as 50TB.")
        return None
    return Site(
        args.per_year,
        1 if args.nodes is None else int(args.nodes),
        _ASSUMED.volume_per_model_tb * _B_PER_TB if args.volume_per_model is None else args.volume_per_model,
        _ASSUMED.reads.value if args.reads is None else args.reads,
    )


def site_lines(
    site: Site, job: Job, parts: Sequence[Part], missing: Sequence[str], rates: Rates, other: "OtherCodec | str"
) -> list[str]:
    """Scale the operations of a job to a year at a site.

    Parameters
    ----------
    site
        The site.
    job
        The job: its table is compressed over and over, and a model is trained on it.
    parts
        Its operations.
    missing
        Operations of the codec that have no law.
    rates
        What turns energy and time into CO2e, money and SCI.
    other
        The best other codec; or a sentence that says why there is none.

    Returns
    -------
    list of str
        A heading, a table as text, and sentences.
    """
    import pandas as pd

    tables = site.volume_bytes / job.table_bytes
    counts = {"train": site.models, "compress": tables, "decompress": site.reads * tables}
    # Data may be read never.
    parts, missing = [part for part in parts if counts[part.operation]], [name for name in missing if counts[name]]
    loads = [part.load.times(counts[part.operation]) for part in parts]
    names = {"train": f"train {_count(site.models, 'model')}"}
    rows = [
        _row(names.get(part.operation, part.operation), load, part.law.evidence, rates, site)
        for part, load in zip(parts, loads, strict=True)
    ]
    said = [f"No total: there is no law for {' and '.join(missing)}."]
    if not missing:
        more, said = _total(loads, parts, rates, site, other)
        rows += more
    trained = any(part.operation == "train" for part in parts)
    models = f"a model for each {_size(site.volume_per_model_bytes)}, " if trained else ""
    head = (
        f"{_size(site.volume_bytes)} a year on {_count(site.nodes, 'node')}, one job at a time on each: "
        f"{_count(tables, 'table')} of {_size(job.table_bytes)} like this one ({job.row_bytes:g} B a row as recorded), "
        f"{models}all data decompressed {_count(site.reads, 'time')}, 90 % intervals:"
    )
    return [head, pd.DataFrame(rows).fillna("-").to_string(index=False), "\n".join(said)]


def _total(
    loads: Sequence["Load"], parts: Sequence[Part], rates: Rates, site: Site, other: "OtherCodec | str"
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the rows of all operations together and of the best other codec, and what is to be said about them."""
    from baler_energy.analysis.site import summed

    total, said = summed(loads), list[str]()
    evidence = parts[0].law.evidence
    if len({(part.law.evidence, part.law.scope) for part in parts}) > 1:
        total, evidence = total._replace(joules=None), None
        said = ["No total of energy: the operations differ in its evidence or components."]
    rows = _rows("all", total, evidence, rates, site)
    idle_w = [part.law.costs.static_power_w for part in parts]
    said += _use_words(total, evidence, idle_w, rates, site)
    if isinstance(other, str):
        return rows, [*said, other]
    theirs, sentences = _compared(total, evidence, other, site)
    return [*rows, *_rows(other.name, theirs, other.evidence, rates, site)], [*said, *sentences]


def _rows(name: str, load: "Load", evidence: str | None, rates: Rates, site: Site) -> list[dict[str, str]]:
    """Write a load of the year, and its share for a TB."""
    of_a_tb = site._replace(volume_bytes=_B_PER_TB)
    per_tb = load.times(_B_PER_TB / site.volume_bytes)
    return [_row(name, load, evidence, rates, site), _row(f"{name}, per TB", per_tb, evidence, rates, of_a_tb)]


def _row(name: str, load: "Load", evidence: str | None, rates: Rates, site: Site) -> dict[str, str]:
    from baler_energy.analysis.law import interval

    row = {"in a year": name, "node-hours": interval_words(interval(load.seconds), "", factor=1 / _S_PER_H)}
    if load.power_w is not None:
        row[f"power of a node ({evidence})"] = words(interval(load.power_w), "W")
    return row | costs(load, evidence, rates, site.volume_bytes)


def _use_words(
    total: "Load", evidence: str | None, idle_w: Sequence[float | None], rates: Rates, site: Site
) -> list[str]:
    """Describe the power of the nodes over the year."""
    from statistics import fmean

    from baler_energy.analysis.law import interval
    from baler_energy.analysis.site import use

    known = [one for one in idle_w if one is not None]
    idle_power_w = fmean(known) if evidence is not None and len(known) == len(idle_w) else None
    found = use(total, site.nodes, idle_power_w)
    needed = f"nodes needed: {interval_words(found.nodes_needed, '')}"
    years = interval(total.seconds / (site.nodes * YEAR_S))
    if found.nodes_needed.value > site.nodes:
        said = [f"TOO FEW NODES: the work takes {interval_words(years, 'years')} on {site.nodes:,}; {needed}."]
    else:
        share = interval(found.busy_share)
        said = [f"The nodes are busy for {interval_words(share, '%', factor=100)} of the year; {needed}."]
    if total.power_w is not None:
        power = f"Power ({evidence}): {words(interval(total.power_w), 'W')} on a busy node, "
        power += f"{words(interval(site.nodes * total.power_w), 'W')} on {_count(site.nodes, 'busy node')}"
        if found.power_w is not None:
            power += f", {words(interval(found.power_w), 'W')} on average over the year, idle time included"
        said.append(f"{power}.")
    if found.idle_j is None:
        said.append("What idle nodes use is unknown: there is no measured idle power for these energies.")
    else:
        rest = costs(total._replace(joules=found.idle_j), evidence, rates._replace(embodied=None), site.volume_bytes)
        said.append(
            f"Idle, a node uses {idle_power_w:.3g} W (measured). All nodes, in the rest of the year: "
            f"{', '.join(f'{name} {value}' for name, value in rest.items())}; no row includes it."
        )
    return said


def _compared(total: "Load", evidence: str | None, other: "OtherCodec", site: Site) -> tuple["Load", list[str]]:
    """Return the load of the best other codec, without an energy that must not be compared, and its comparison."""
    from baler_energy.analysis.law import interval
    from baler_energy.analysis.site import load_of_other, quotient

    volume_gb = site.volume_bytes / _B_PER_GB
    counts = {"train": site.models, "compress": volume_gb, "decompress": site.reads * volume_gb}
    theirs = load_of_other(other, counts)
    said = [
        f"{other.name} is the best other codec at the error of {other.at_codec} ({other.at_error}): its ratio is "
        f"{other.ratio:.3g} instead of {other.at_ratio:.3g}. From {other.study}, on {other.machine}."
    ]
    node_time = interval_words(interval(quotient(total.seconds, theirs.seconds)), "")
    times = f"This work takes {node_time} times its node time"
    if evidence == other.evidence and total.joules is not None and theirs.joules is not None:
        energy = interval(quotient(total.joules, theirs.joules))
        return theirs, [*said, f"{times} and {interval_words(energy, '')} times its energy."]
    said.append(f"{times}. Energies are not compared, as they are not both {other.evidence}.")
    return theirs._replace(joules=None), said


def _count(number: float, noun: str) -> str:
    text = f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"
    return f"{text} {noun}{'' if number == 1 else 's'}"


def _size(volume_bytes: float) -> str:
    from baler_energy.figures.selection import scaled_unit

    factor, unit = (1e-15, "PB") if volume_bytes >= 1e15 else scaled_unit([volume_bytes], "B")
    return f"{volume_bytes * factor:.4g} {unit}"
