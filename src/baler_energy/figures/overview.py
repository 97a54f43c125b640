"""The report's first page, as reStructuredText that goes through Jinja."""

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import clean, flagged, of_simulated_machine
from baler_energy.config.shown import phrase_of
from baler_energy.config.texts import one_of
from baler_energy.figures.base import Tables, by_dataset
from baler_energy.figures.chapters import chapter_title
from baler_energy.figures.rates import rate_words
from baler_energy.figures.report_repairs import REPAIRS
from baler_energy.figures.selection import (
    OPERATIONS,
    at_point,
    centre_of,
    count_flagged,
    describe,
    device_name,
    flagged_sentence,
    interval_text,
    notices,
    percent_text,
    with_error,
)
from baler_energy.figures.setting_rows import headline
from baler_energy.figures.stated import cell_text, constant_words, few_words, headline_text, over_repeats
from baler_energy.figures.tables.codecs import worth_words
from baler_energy.figures.tables.ratios import FORMAT, RATIOS, ratios, saving, trained_as, unknown_source
from baler_energy.figures.trivial import trivial_error
from baler_energy.figures.worse_than_mean import compared_with_means
from baler_energy.runnable import LeftOut
from baler_energy.vocabulary import Evidence

__all__ = ["escape_jinja", "escape_rst", "overview"]

_MOST_FLAGGED = 20
#: Both measures of the error, in words.
_ERRORS = {"mean_rms_over_range": "RMS residual / range", "mean_nrmse": "RMS residual / standard deviation"}
#: What they are relative to.
_RELATIVE_TO = {"mean_rms_over_range": "a column's range", "mean_nrmse": "its standard deviation"}
#: Everything at which Python, and so docutils, divides lines, other control characters, and halves of characters.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: What begins a list, a directive, a table, a field and so on, where it is the first in a line.
_BLOCK = re.compile(r"[^\w\s\\]|\w+[.)](\s|$)")
_PLACE = ["device", "operation", "energy_evidence", "energy_scope"]


def overview(
    tables: Tables,
    study: str,
    left_out: Mapping[str, Mapping[str, str]],
    tables_left_out: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write the first page: what was found, on which machine, how far to trust it, and what is missing.

    Parameters
    ----------
    tables
        The dataset, with at least one run.
    study
        Title of the study.
    left_out
        By chapter, the reason by title of each figure that was left out.
    tables_left_out
        The reason by title of each table that was left out.

    Returns
    -------
    str
        reStructuredText with its braces escaped for Jinja.
    """
    runs, each = tables["runs"], by_dataset(tables)
    parts = [
        REPAIRS,
        _heading(study, "="),
        *([f"**{escape_rst(text)}**" for text in flagged_sentence(runs)] if clean(runs).empty else []),
        f"**{_evidence(runs)}**",
        *(f"**{notice.upper()}.**" for notice in notices(runs)),
        *_skipped(tables["left_out"]),
        *(said for name, part in each.items() for said in _findings(name, part)),
        _heading("Main numbers", "-"),
        "Values are means over n unflagged repeats with half widths of 95 % t intervals. For fewer than three repeats "
        "or an interval wider than half the mean, the smallest and the largest value are given instead. Training "
        "includes all its epochs. Megabytes are those of the table in its recorded formats. The centre of a dataset is "
        "the study's reference or, in a factorial design, the point with the most defaults that is nearest to the "
        "middle of the grid; config/README.md has the rule.",
        *(said for part in each.values() for said in _numbers(part)),
        _heading("Machine", "-"),
        _bullets(_machines(runs)),
        _heading("Flagged runs", "-"),
        *_flagged(runs),
        _heading("Runs left out", "-"),
        _runs_left_out(tables["left_out"]),
        _heading("Figures left out", "-"),
        *_in_no_figure(tables["left_out"]),
        _left_out(left_out),
        *_tables_left_out(tables_left_out),
    ]
    return escape_jinja("\n\n".join(parts) + "\n")


def _findings(dataset: str, tables: Tables) -> list[str]:
    """Say what was found for a dataset, which is named first if there are several."""
    here = _at_centre(tables)
    return [
        *([f"**Dataset {escape_rst(dataset)}**"] if dataset else []),
        _answer(here),
        *map(escape_rst, constant_words(tables, here)),
        *map(escape_rst, compared_with_means(tables, here)),
        *_held_out(here),
        *map(escape_rst, [*worth_words(tables), *headline(tables)]),
    ]


def _numbers(tables: Tables) -> list[str]:
    """Write the main numbers of a dataset at its centre."""
    here = _at_centre(tables)
    return [
        f"Centre: {escape_rst(describe(centre_of(tables['runs'])))}.",
        _main_numbers(here),
        *_node_words(here),
        *_quality(here),
        *(escape_rst(saving(row)) for row in _sizes(tables, here).to_dict("records")),
    ]


def _at_centre(tables: Tables) -> pd.DataFrame:
    runs = tables["runs"]
    return at_point(runs[runs["operation"].isin(list(OPERATIONS))], {"at_reference": True})


def escape_rst(text: str) -> str:
    """Escape what reStructuredText would read as markup, and make one line of it, so that it cannot begin a block."""
    line = _BREAKS.sub(" ", text).strip()
    # A colon in a word makes a link of it, also of javascript:...
    escaped = re.sub(r"([\\`*_|<>\[\]]|:(?=\S))", r"\\\1", line)
    return f"\\{escaped}" if _BLOCK.match(escaped) else escaped


def escape_jinja(text: str) -> str:
    """Escape braces so that Jinja renders them unchanged."""
    return re.sub(r"[{}]", lambda brace: f"{{{{ '{brace.group()}' }}}}", text)


def _heading(text: str, line: str) -> str:
    shown = escape_rst(text)
    # Twice, because some characters are two columns wide.
    return f"{shown}\n{line * 2 * len(shown)}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _evidence(runs: pd.DataFrame) -> str:
    """Say first whether energy was measured or modelled."""
    counts = runs["energy_evidence"].value_counts()
    measured, modelled = (int(counts.get(kind, 0)) for kind in (Evidence.MEASURED, Evidence.MODELLED))
    missing = len(runs) - measured - modelled
    counters, simulated = "hardware counters", int(of_simulated_machine(runs).sum())
    if simulated:
        of = f"{simulated} of {len(runs)} records"
        counters = f"counters, in {of} those of a simulated machine, whose power is set by a program"
    if measured and modelled:
        said = (
            f"MEASURED IN PART: {measured} of {len(runs)} records have energy from {counters}, {modelled} have "
            "only modelled energy; the two are never added together."
        )
    elif measured:
        said = f"MEASURED: the energy of all {measured} records with energy comes from {counters}."
    elif modelled:
        said = (
            "MODELLED: no energy was read from a hardware counter. It is computed by models (constants, load, "
            "estimates); true values may differ severalfold."
        )
    else:
        said = "NO ENERGY: no meter returned a value; only times and errors are known."
    if measured + modelled and missing:
        said += f" {missing} records have no energy."
    if measured and (runs["energy_evidence"].eq(Evidence.MEASURED) & runs["energy_modelled_j"].notna()).any():
        said += " Components without a counter are modelled and are not part of the measured energies."
    return escape_rst(said)


def _answer(here: pd.DataFrame) -> str:
    """Say in one sentence what the study's centre costs, for each device and evidence."""
    said = []
    point = here.iloc[0]
    kinds = here.dropna(subset=["energy_j"]).groupby(["device", "energy_evidence", "energy_scope"])
    for (device, evidence, scope), part in kinds:
        of = {name.value: part[part["operation"] == name] for name in OPERATIONS}
        costs = [f"{headline_text(own, 'energy_j', 'J')} to {name}" for name, own in of.items() if len(own)]
        said.append(f"a {device_name(str(device))} run takes {one_of(costs, 'and')} ({evidence} energy of {scope})")
    if not said:
        said = ["the energy is unknown"]
    rows, epochs = f"{point['rows']:,} rows of {point['dataset']}", point["epochs"]
    training = "" if pd.isna(epochs) else f" and {phrase_of('epochs', epochs)} of training"
    sentence = f"For {rows}{training}, {'; '.join(said)}"
    known = with_error(here)
    errors = {words: known[name].dropna() for name, words in _RELATIVE_TO.items() if known[name].notna().any()}
    sizes = 1 / known["ratio_native_bytes"].dropna()
    if errors and len(sizes):
        both = ", ".join(f"{_percent(values)} of {words}" for words, values in errors.items())
        few = few_words(*errors.values(), sizes)
        sentence += (
            f"; the reconstruction is off by {both} (RMS, mean over columns), and the compressed file is "
            f"{over_repeats(sizes, _decimal)} times the table's recorded size{f' ({few})' if few else ''}"
        )
    return escape_rst(f"{sentence}.")


def _percent(shares: "pd.Series[Any]") -> str:
    """Write an error in percent, without its interval."""
    return f"{over_repeats(shares, lambda mean, _: interval_text(100 * mean, math.nan))} %"


def _decimal(mean: float, _half_width: float) -> str:
    return f"{mean:.3f}"


def _held_out(here: pd.DataFrame) -> list[str]:
    """State the centre's errors on rows that its codec was not trained on."""
    known = with_error(here)
    known = known[known["held_out_rows"] > 0].dropna(subset=[f"held_out_{name}" for name in _RELATIVE_TO])
    if known.empty:
        return []
    rows = known["held_out_rows"].max()
    error, nrmse = (known[f"held_out_{name}"] for name in _RELATIVE_TO)
    few = few_words(error, nrmse)
    said = (
        f"On {rows:,.0f} rows that the codec was not trained on, it is off by {_percent(error)} of the range and "
        f"{_percent(nrmse)} of the standard deviation of the rows that it was trained on"
    )
    return [escape_rst(f"{said}{f' ({few})' if few else ''}.")]


def _main_numbers(here: pd.DataFrame) -> str:
    """Make a list-table of energy per operation, row and megabyte; CO2e, money, SCI and node energy where known."""
    grams = {"co2e_g": here["co2e_kg"] * 1000, "sci_g": here["sci_kg_per_gb"] * 1000}
    table = here.assign(**grams, per_row=here["energy_j"] / here["rows"])
    columns = {"Per row": ("per_row", "J"), "Per MB": ("energy_j_per_mb", "J"), "Whole node": ("node_energy_j", "J")}
    columns |= {"CO2e": ("co2e_g", "g"), "Electricity": ("electricity_cost", f"{here['currency'].iloc[0]}")}
    columns |= {"SCI (modelled)": ("sci_g", "g/GB"), "Duration": ("duration_s", "s")}
    shown = {
        head: (value, unit)
        for head, (value, unit) in columns.items()
        if value not in ("node_energy_j", "co2e_g", "electricity_cost", "sci_g") or table[value].notna().any()
    }
    lines = [["Operation", "Energy", "Evidence", *shown, "n"]]
    order = {operation.value: place for place, operation in enumerate(OPERATIONS)}
    groups = [(tuple(map(str, key)), part) for key, part in table.groupby(_PLACE, observed=True, dropna=False)]
    for (device, operation, evidence, scope), part in sorted(groups, key=lambda g: (g[0][0], order.get(g[0][1], 9))):
        known_energy = part["energy_j"].notna().any()
        cells = [f"{operation}, {device_name(device)}", cell_text(part, "energy_j", "J")]
        cells.append(f"{evidence}, {scope}" if known_energy else "none")
        lines.append([*cells, *(cell_text(part, *column) for column in shown.values()), count_flagged(part)])
    rows = ["\n".join(f"{'   * -' if n == 0 else '     -'} {escape_rst(c)}" for n, c in enumerate(ln)) for ln in lines]
    return "\n".join([".. list-table::", "   :header-rows: 1", "", *rows])


def _node_words(here: pd.DataFrame) -> list[str]:
    """Explain the energy of the whole node, if a meter read it."""
    meters = sorted(here.dropna(subset=["node_energy_j"])["node_meter"].dropna().unique())
    if not meters:
        return []
    said = f"The whole node, read by {one_of(meters, 'and')}, includes the energies above and is never added to them."
    return [escape_rst(said)]


def _quality(here: pd.DataFrame) -> list[str]:
    """List error and ratios of the study's centre."""
    known = with_error(here)
    lines = []
    for measure, words in _ERRORS.items():
        trivial = trivial_error(known, measure)
        means = "" if math.isnan(trivial) else f"; storing only the means: {percent_text(trivial)}"
        for device, part in known.dropna(subset=[measure]).groupby("device", observed=True):
            text = over_repeats(part[measure], lambda mean, half: interval_text(mean, half, factor=100))
            run = f"{device_name(str(device))} run"
            lines.append(f"Error, {run}: {words}, mean over columns, {text} % (n = {len(part)}){means}")
    for name, label in RATIOS.items():
        values = known[name].dropna()
        lines.append(
            f"Ratio, {label}: {over_repeats(values, _decimal) if len(values) else unknown_source(known, name)}"
        )
    return [_bullets(map(escape_rst, lines))]


def _sizes(tables: Tables, here: pd.DataFrame) -> pd.DataFrame:
    """Row of `ratios` for the study's centre."""
    found = at_point(ratios(tables), {name: here[name].iloc[0] for name in FORMAT})
    return trained_as(found, here.iloc[0].to_dict())


def _machines(runs: pd.DataFrame) -> list[str]:
    """List the machines and their runs, and the study's size, carbon intensity, price and embodied emissions."""
    points = runs.drop_duplicates("run_id")
    lines = []
    for (host, cpu, gpu), part in points.groupby(["hostname", "cpu_model", "gpu_model"], dropna=False):
        virtual = ", virtual" if part["virtualised"].fillna(False).astype(bool).any() else ""
        gpus = gpu if isinstance(gpu, str) and gpu else "no GPU"
        lines.append(f"{host}: {cpu}, {gpus}{virtual}; {len(part)} runs")
    lines.append(f"{len(points)} runs in all, with {len(runs)} records (a record per operation: train, compress, ...)")
    return [escape_rst(line) for line in [*lines, *rate_words(runs)]]


def _flagged(runs: pd.DataFrame) -> list[str]:
    """List the runs that are excluded by a flag, the first ones by name."""
    bad = flagged(runs).sort_values("window_start")
    if bad.empty:
        return ["None."]
    lines = [
        f"{escape_rst(f'{row.run_id}, {row.operation}')}: {escape_rst(str(row.run_flags).replace(',', ', '))}"
        for row in bad.head(_MOST_FLAGGED).itertuples()
    ]
    more = [f"{len(bad) - _MOST_FLAGGED} more are in the table of flagged runs."] if len(bad) > _MOST_FLAGGED else []
    marks = "Figures show them as open marks; errors and ratios include all runs, flagged or not."
    return [escape_rst(f"{flagged_sentence(runs)[0]} {marks}"), _bullets(lines), *more]


def _skipped(left_out: pd.DataFrame) -> list[str]:
    """Say how many runs of the study were left out, before its results; empty if none were."""
    parts = _parts_left_out(left_out)
    if not parts:
        return []
    values = ", ".join(f"{part.axis} '{part.value}' ({part.runs})" for part in parts)
    said = f"LEFT OUT: {sum(part.runs for part in parts)} of the study's {parts[0].of_runs} runs, with {values}."
    return [f'**{escape_rst(said)}** The reasons are under "Runs left out".']


def _parts_left_out(left_out: pd.DataFrame) -> list[LeftOut]:
    return [LeftOut(*row) for row in left_out[[*LeftOut._fields]].itertuples(index=False)]


def _runs_left_out(left_out: pd.DataFrame) -> str:
    lines = [str(part) for part in _parts_left_out(left_out)]
    return _bullets(map(escape_rst, lines)) if lines else "None."


def _in_no_figure(left_out: pd.DataFrame) -> list[str]:
    """Say which runs no figure shows, because they were left out."""
    lines = [
        f"Not in any figure: {part.runs} of {part.of_runs} runs, with {part.axis} '{part.value}'. {part.reason}"
        for part in _parts_left_out(left_out)
    ]
    return [_bullets(map(escape_rst, lines))] if lines else []


def _left_out(left_out: Mapping[str, Mapping[str, str]]) -> str:
    lines = [
        f"{title} (chapter {chapter_title(chapter)}): {reason}."
        for chapter, reasons in sorted(left_out.items())
        for title, reason in reasons.items()
    ]
    return _bullets(map(escape_rst, lines)) if lines else "None."


def _tables_left_out(reasons: Mapping[str, str]) -> list[str]:
    lines = [escape_rst(f"{title}: {reason}") for title, reason in reasons.items()]
    return [_heading("Tables left out", "-"), _bullets(lines)] if lines else []
