"""Stage ``advise``: find the codec that suits a file by trying codecs on a sample of it."""

import argparse
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.analysis.goal import MEASURES, Goal
from baler_energy.codecs.packing import Packing
from baler_energy.config.options import add_options, option, option_words
from baler_energy.config.parameters import AXES, Parameters
from baler_energy.config.recommended import RECOMMENDED_EPOCHS
from baler_energy.config.shown import number_text
from baler_energy.config.texts import FILES, REMOTE, one_of
from baler_energy.errors import InputError
from baler_energy.files import output_file, refuse_source, write_text
from baler_energy.formats import FILE_FORMATS, Request, check_request, format_of, is_url
from baler_energy.meters.options import add_session_arguments
from baler_energy.progress import announce
from baler_energy.stages.file_names import CHECKPOINT, COMPRESSED
from baler_energy.stages.file_options import add_file_arguments, number_type, request_of
from baler_energy.stages.options import PointOptions
from baler_energy.temporaries import temporary_folder
from baler_energy.time_limit import TimeLimit

if TYPE_CHECKING:
    import pandas as pd

    from baler_energy.data.sampling import FileSample
    from baler_energy.stages.trials import Runs, Trials

__all__ = ["EPILOG", "HELP", "add_arguments", "advise", "run"]

HELP = "find the codec that suits a file: try codecs on a sample of it, measure and rank them"
EPILOG = """\
examples:
  baler-energy advise events.root --tree Events --columns 'Jet_*' --error 0.01
  baler-energy advise events.parquet --error 0.05 --measure nrmse --html advice.html
  baler-energy advise events.parquet --lossless

Codecs are compared at the same error: each is made as coarse as the error allows. Trained codecs (Baler's autoencoder,
principal components) are trained on one half of the sample, and all codecs are measured on the other half. They are
ranked by compression ratio; among those within 5 % of the best ratio, the fastest is recommended. The table shows
whether energy was measured, or modelled because the machine has no counter."""

_SAMPLE_MB, _MAX_SAMPLE_MB = 8.0, 10_000.0
_LIMIT_S = 100.0
#: Share of the time after which the rest of a large file is not read.
_READING = 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("file", metavar="FILE", help=f"a file ({one_of(FILES)}), or the URL of a {one_of(REMOTE)}")
    error = parser.add_mutually_exclusive_group()
    error.add_argument(
        "--error",
        type=number_type(0, 1, inclusive="neither"),
        default=0.01,
        metavar="E",
        help="largest error that you accept (default: %(default)g)",
    )
    error.add_argument("--lossless", action="store_true", help="every value must be restored exactly")
    parser.add_argument(
        "--measure",
        choices=tuple(MEASURES),
        help="how the error is measured. value: error of every value over its column's range; nrmse: RMS error over "
        "the column's standard deviation, mean over columns; relative: error over the value itself, for 99 %% of the "
        f"non-zero values, mean over columns (default: {Goal.measure})",
    )
    parser.add_argument("--html", type=output_file, metavar="PAGE", help="also write a web page")
    parser.add_argument(
        "--sample-mb",
        type=number_type(0, _MAX_SAMPLE_MB, inclusive="right"),
        default=_SAMPLE_MB,
        metavar="MB",
        help="maximum size of the rows to compress, and of the rows to train on (default: %(default)g)",
    )
    parser.add_argument(
        "--limit-s",
        type=number_type(0),
        default=_LIMIT_S,
        metavar="S",
        help="start no further trial after this time, reading the file included (default: %(default)g)",
    )
    add_options(parser, Parameters, only=["epochs", "threads"], defaults={"epochs": RECOMMENDED_EPOCHS})
    file = parser.add_argument_group("your file")
    add_file_arguments(file, formats=FILE_FORMATS, default_format="by the suffix", default_columns="all numeric ones")
    add_session_arguments(parser)
    parser.set_defaults(min_window_s=1.0, idle_s=2.0)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    # Report an invalid request before importing anything heavy.
    check_request(args.file, request_of(args), args.format or format_of(args.file))
    goal = _goal(args)
    if args.html is not None:
        refuse_source(args.html, [args.file])
    limit = TimeLimit(args.limit_s)
    from baler_energy.data.sampling import sample_file
    from baler_energy.figures.advice import advice_table
    from baler_energy.stages.measured import Measuring

    measuring = Measuring.of(args)
    base = PointOptions(epochs=args.epochs, threads=args.threads)
    size = int(args.sample_mb * 1e6)
    sample = sample_file(args.file, request_of(args), size, args.format, stop=lambda: limit.over(_READING))
    for warning in sample.warnings:
        announce(f"Warning: {warning}.")
    with temporary_folder() as folder:
        from baler_energy.stages.trials import Trials, best_coder

        trials = Trials(sample, goal, folder, measuring, base, limit, curves_follow=args.html is not None)
        codecs, missed = advise(trials)
        curves = [] if args.html is None else trials.curves(best_coder(list(codecs["packing"])))
    said = _sentences(codecs, missed, trials, args)
    # Neither is lost if the other cannot be written.
    try:
        print(advice_table(codecs, trials.goal).to_string(index=False), *said, sep="\n\n")
    finally:
        if args.html is not None:
            _write_page(args.html, codecs, curves, trials, said)


def advise(trials: "Trials") -> "tuple[pd.DataFrame, dict[str, float]]":
    """Try codecs on a sample until the time is over, and rank them; if any meets the goal, at least one is measured.

    Parameters
    ----------
    trials
        The sample, the goal and the time limit; its ``late`` names what was not tried, its ``too_coarse`` the ways of
        rounding that do not reach the goal.

    Returns
    -------
    tuple
        The codecs, from `analysis.advice.ranked`; and the errors of the transforms that do not reach the goal with any
        packing.

    Raises
    ------
    InputError
        No codec without training reaches the error, or the time is over before one is found.
    """
    from dataclasses import replace

    from baler_energy.analysis.advice import ranked
    from baler_energy.stages.measured import shared_session
    from baler_energy.stages.trials import best_coder, point_name

    rows: Runs = []
    missed: dict[str, float] = {}
    with shared_session(trials.measuring) as together:
        trials = replace(trials, measuring=together)
        trials.prepare()
        announce("Choosing packings on the first rows of the sample.")
        points = trials.without_training()
        if not points and trials.late:
            raise InputError("--limit-s: time ran out before a codec that meets the goal was found. Allow more.")
        if not points:
            raise InputError(f"No codec meets the goal on this file: {trials.goal.words}. Allow a larger error.")
        for point in _announced(trials.in_time(points, least=1), len(points)):
            rows += trials.measured(point)
        coder = best_coder([point.packing for point in points])
        trainable = trials.trainable()
        for point in _announced(trials.in_time(trainable), len(trainable)):
            if chosen := trials.trained(point, coder):
                try:
                    rows += trials.measured(chosen)
                except InputError:  # it cannot store a row of the sample that is not among the first ones
                    missed[point_name(point)] = math.inf
            elif point_name(point) in trials.failed:
                continue
            elif trials.trials_over():
                trials.late.append(f"{point_name(point)} with every packing")
            else:
                missed[point_name(point)] = trials.error_of(point)
    return ranked(rows, trials.sample.native_bytes, trials.goal), missed


def _announced(points: Iterable[PointOptions], total: int) -> Iterator[PointOptions]:
    """Yield points, each after a line with its number and name."""
    from baler_energy.stages.trials import point_name

    for number, point in enumerate(points, start=1):
        announce(f"{number}/{total} {point_name(point)}")
        yield point


def _sentences(
    codecs: "pd.DataFrame", missed: Mapping[str, float], trials: "Trials", args: argparse.Namespace
) -> list[str]:
    """Return the recommendation, its commands, and a description of the comparison."""
    from baler_energy.analysis.advice import late_sentence, missed_sentence, reasons_sentence, recommended
    from baler_energy.figures.advice import sample_sentence, trivial_sentence

    goal, sample = trials.goal, trials.sample
    trained = bool(missed or trials.failed) or bool(codecs["trains"].any())
    number, recommendation = recommended(codecs, goal, trained=trained)
    said = [recommendation]
    if number >= 0:
        best = codecs.iloc[number]
        said.append("\n  ".join(["To compress and decompress the file with it:", *_commands(best, sample, args)]))
        said += _left_out_sentence(best, sample, args)
    said += missed_sentence({**trials.too_coarse, **missed})
    said += reasons_sentence("Could not be trained", trials.failed)
    said += [*reasons_sentence("Not tried", trials.missing()), *late_sentence(trials.late)]
    return [*said, *trivial_sentence(codecs, goal), sample_sentence(sample, goal)]


def _goal(args: argparse.Namespace) -> Goal:
    """Return the requested goal; raises `InputError` for a measure of no error."""
    if args.lossless and args.measure is not None:
        raise InputError(f"--measure {args.measure}: not allowed with --lossless, since there is no error. Remove one.")
    return Goal(0.0) if args.lossless else Goal(args.error, args.measure or Goal.measure)


def _write_page(
    page: Path, codecs: "pd.DataFrame", curves: "Sequence[pd.DataFrame]", trials: "Trials", said: Sequence[str]
) -> None:
    from baler_energy.figures.advice import advice_table, draw_advice
    from baler_energy.figures.page import html_page
    from baler_energy.figures.style import svg

    warnings = [f"Warning: {warning}." for warning in trials.sample.warnings]
    picture = svg(draw_advice(codecs, curves, trials.goal))
    table = advice_table(codecs, trials.goal)
    write_text(page, html_page("Which codec suits this file?", [*said, *warnings], table, picture))


def _commands(codec: "pd.Series[Any]", sample: "FileSample", args: argparse.Namespace) -> list[str]:
    """Write the commands that compress the file with a codec and decompress it.

    A trained codec is trained on as many rows as here, and compresses the file without holding it in memory, in the
    columns of its training. A URL, and leading objects for a trained codec, need a table of all rows first.
    """
    folder, data, lines = f"{Path(args.file).stem}-compressed", args.file, []
    if folder.startswith("-"):
        folder = f"./{folder}"  # so that it is not read as an option
    how, what, columns, checkpoint = _codec_words(codec), _file_words(args), _column_words(codec, sample, args), []

    def prepare(rows: str, out: str) -> list[str]:
        return ["prepare", *option_words("--input", [args.file]), *what, *columns, "--rows", rows, "--out", out]

    if codec["trains"]:
        training = f"{folder}/training.npz"
        lines.append(prepare(str(len(sample.training.data)), training))
        lines.append(["train", "--data", training, *how, "--out", f"{folder}/train"])
        checkpoint = ["--checkpoint", f"{folder}/train/{CHECKPOINT}"]
    if is_url(args.file) or (codec["trains"] and args.layout == "leading"):
        data = f"{folder}/table.npz"
        lines.append(prepare("all", data))
        what, columns = [], []
    elif codec["trains"]:
        columns = []
    lines.append(
        ["compress", *option_words("--data", [data]), *what, *columns, *how, *checkpoint, "--out", f"{folder}/compress"]
    )
    back = ["--compressed", f"{folder}/compress/{COMPRESSED}", *how, *checkpoint, "--out", f"{folder}/decompress"]
    return [shlex.join(["baler-energy", *line]) for line in [*lines, ["decompress", *back]]]


def _codec_words(codec: "pd.Series[Any]") -> list[str]:
    """Return the options that select a codec, except those at their defaults."""
    words = []
    for name in (axis for axis in AXES if axis in codec.index):
        value, default = codec[name], PointOptions.model_fields[name].default
        if value is not None and value == value and value != default:
            words += [option(name), number_text(value) if isinstance(value, float) else str(value)]
    return words


def _file_words(args: argparse.Namespace) -> list[str]:
    """Return the options that select what to read from the file, without the columns."""
    given = {"format": args.format, "tree": args.tree, "leading": args.leading}
    chosen = {option(name): str(value) for name, value in given.items() if value is not None}
    words = [word for name, value in chosen.items() for word in option_words(name, [value])]
    return words + (["--layout", args.layout] if args.layout != Request().layout else [])


def _column_words(codec: "pd.Series[Any]", sample: "FileSample", args: argparse.Namespace) -> list[str]:
    """Return the option that selects the requested columns, without those that the commands would refuse."""
    columns = args.columns
    if sample.left_out and not _stores_every_value(codec, args):
        columns = sample.test.names
        if args.layout == "leading":
            # Columns name_0, name_1, ... of a branch; the branch is left out if one of them is.
            known, gone = ([re.sub(r"_\d+$", "", name) for name in names] for names in (columns, sample.left_out))
            columns = [name for name in dict.fromkeys(known) if name not in gone]
    return option_words("--columns", columns) if columns else []


def _left_out_sentence(codec: "pd.Series[Any]", sample: "FileSample", args: argparse.Namespace) -> list[str]:
    """Say what becomes of columns on which codecs were not compared; empty if there are none."""
    if not sample.left_out:
        return []
    names = ", ".join(sample.left_out)
    if _stores_every_value(codec, args):
        return [f"Codecs were compared without columns with NaN or infinity, which these commands store, too: {names}."]
    return [f"These commands leave out columns with NaN or infinity: {names}."]


def _stores_every_value(codec: "pd.Series[Any]", args: argparse.Namespace) -> bool:
    """Whether the commands for a codec also store columns with NaN or infinity.

    A training and a table of all rows refuse such columns. Packings that keep a bound store them unchanged; a number
    format may be too narrow for their other values, on which it was not tried.
    """
    words = Packing.parse(str(codec["packing"])).words
    return not (codec["trains"] or is_url(args.file)) and all(word.lossless or word.keeps_bound for word in words)
