"""What a study reads, checked before its first job: all mistakes at once, from metadata where these are enough."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from baler_energy.analysis.electricity import read_intensity_csv
from baler_energy.commands import derived_columns
from baler_energy.config.sections import FileData
from baler_energy.config.study import Study
from baler_energy.data.checks import check_columns, check_rows
from baler_energy.data.columns import JET_COLUMNS
from baler_energy.errors import BalerEnergyError, InputError, UnavailableError
from baler_energy.foreign.detect import read_file
from baler_energy.formats import Request, format_of, open_source
from baler_energy.variants import GENERATORS, load

__all__ = ["BeforeFirstJob", "check_inputs"]

#: Rows that are looked for if all are wanted; fewer are refused.
_FEWEST_ROWS = 2


class BeforeFirstJob(logging.Handler):
    """Calls a function once Snakemake has planned its jobs, before the first one starts, also with ``--dry-run``.

    Parameters
    ----------
    check
        The function; it is called once, and may end the process.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._checks = [check]

    def emit(self, record: logging.LogRecord) -> None:
        """Process an event of Snakemake's log."""
        if getattr(record, "event", None) == "run_info" and self._checks:
            self._checks.pop()()


def check_inputs(
    study: Study, tables: Collection[tuple[str, int | str]], generated: Collection[str] = (), *, elsewhere: bool = False
) -> None:
    """Refuse a study whose files cannot be used, with a message that lists all mistakes.

    Parameters
    ----------
    study
        The study.
    tables
        Dataset and rows of each table that has to be made.
    generated
        Datasets whose events have to be generated.
    elsewhere
        Whether jobs run elsewhere, where packages may be installed that are missing here.

    Raises
    ------
    InputError
        A file is missing or unreadable, or lacks the tree, the columns or the rows that the study asks for.
    UnavailableError
        Nothing but packages is missing.
    """
    found = [*_mistakes_in_logs(study), *_missing_generators(study, () if elsewhere else generated)]
    for dataset in study.data:
        if rows := [count for name, count in tables if name == dataset]:
            found += _mistakes_in(study, dataset, rows)
    if elsewhere:
        found = [error for error in found if not isinstance(error, UnavailableError)]
    if found:
        kind = InputError if any(isinstance(error, InputError) for error in found) else UnavailableError
        lines = "\n".join(f"  {error}" for error in found)
        count = f"{len(found)} mistake{'s' if len(found) > 1 else ''}"
        raise kind(f"Study {study.name!r}: {count} in what it reads, so nothing was run:\n{lines}")


def _mistakes_in_logs(study: Study) -> Iterator[BalerEnergyError]:
    """Yield what is wrong with the files that results are compared with."""
    files: list[tuple[str, str, Callable[[Path], object]]] = []
    files += [(f"imports.{number}", path, read_file) for number, path in enumerate(study.imports)]
    if study.carbon_intensity_csv:
        files.append(("carbon_intensity_csv", study.carbon_intensity_csv, read_intensity_csv))
    if study.wattmeter:
        files.append(("wattmeter.path", study.wattmeter.path, Path.stat))  # it is only complete after the study
    for key, path, read in files:
        if Path(path).is_file():
            yield from _refusal(f"{key}: ", read, Path(path))
        else:
            yield InputError(f"{key}: {path}: no such file. Correct the path, or remove it.")


def _missing_generators(study: Study, generated: Collection[str]) -> Iterator[BalerEnergyError]:
    for dataset in generated:
        if reason := load(GENERATORS[study.data[dataset].source].module).missing():
            yield UnavailableError(f"data.{dataset}: {reason}")


def _mistakes_in(study: Study, dataset: str, rows: Collection[int | str]) -> Iterator[BalerEnergyError]:
    """Yield what is wrong with a dataset of which tables with these numbers of rows have to be made."""
    data, needed, key = study.data[dataset], derived_columns(study, dataset), f"data.{dataset}: "
    if not isinstance(data, FileData):
        yield from _missing_columns(f"dataset {dataset!r}", JET_COLUMNS, needed)
        return
    if data.is_downloaded:
        # Only the download shows what is in the file.
        yield from _refusal(key, format_of, data.path) if data.format is None else ()
        return
    most = max((int(count) for count in rows if count != "all"), default=None)
    request = Request(data.columns, data.tree, data.layout, data.leading)
    try:
        with open_source(data.path, request, data.format) as opened:
            available = opened.count_rows(max(most or 0, _FEWEST_ROWS))
            yield from _refusal(key, check_rows, data.path, available, most)
            yield from _missing_columns(data.path, opened.names, needed)
    except BalerEnergyError as error:
        yield type(error)(f"{key}{error}")


def _missing_columns(
    source: str, names: Sequence[str], needed: Mapping[str, Sequence[str]]
) -> Iterator[BalerEnergyError]:
    for key, columns in needed.items():
        yield from _refusal("", check_columns, source, names, {key: columns})


def _refusal(key: str, check: Callable[..., object], *values: object) -> Iterator[BalerEnergyError]:
    """Yield the error of a check, if there is one, with the key that it is about."""
    try:
        check(*values)
    except BalerEnergyError as error:
        yield type(error)(f"{key}{error}")
