"""Parameters declared once: what follows from a declaration, on the command line and in results."""

import argparse
import importlib
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy import commands
from baler_energy.analysis.schema import POINT
from baler_energy.cli import stage_modules
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.config.options import add_options, option, options_of
from baler_energy.config.own_file import OwnFile
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS, Parameters, Training, matters
from baler_energy.config.sections import Axes, Reference
from baler_energy.config.shown import column_type, phrase_of, shown
from baler_energy.config.study import Point, load_study
from baler_energy.errors import InputError
from baler_energy.figures import selection
from baler_energy.stages import prepare, train
from baler_energy.stages.file_options import add_file_arguments, request_of
from baler_energy.stages.options import PointOptions, add_point_arguments, point_options

POINTS = st.builds(
    Point,
    dataset=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    rows=st.integers(2, 10**9) | st.just("all"),
    transform=st.just("baler"),
    engine=st.sampled_from(["reference", "fast"]),
    model=st.sampled_from(["baler", "baler-x0.5", "baler-small", "128-64-32"]),
    device=st.sampled_from(["auto", "cpu", "cuda"]),
    precision=st.sampled_from(["float64", "float32"]),
    batch_size=st.integers(1, 10**6),
    compression_ratio=st.floats(1, 1e6),
    packing=st.sampled_from(["none", "float32", "float32-12+zstd", "bound-0.01"]),
    threads=st.integers(1, 512) | st.just("auto"),
    epochs=st.integers(1, 10**6),
    start=st.sampled_from(["random", "pca"]),
    learning_rate=st.none() | st.floats(1e-12, 1),
    schedule=st.sampled_from(["constant", "plateau", "one-cycle"]),
    optimizer=st.sampled_from(["adam", "sgd", "muon"]),
    pruning=st.sampled_from(["none", "neurons-0.5", "costly-neurons-0.25"]),
    repeat=st.integers(0, 1000),
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_point_arguments(made)
    return made


@given(POINTS)
def test_a_point_is_parsed_back_from_its_options(point: Point):
    words = options_of(point, without=["rows"])
    read = point_options(parser().parse_args(words))
    names = [name for name in Point.model_fields if name != "rows"]
    assert {name: getattr(read, name) for name in names} == {name: getattr(point, name) for name in names}


def test_options_without_effect_are_named(capsys: pytest.CaptureFixture[str]):
    words = ["--transform", "pca", "--epochs", "3", "--batch-size", "9", "--compression-ratio", "4"]
    assert point_options(parser().parse_args(words)).epochs is None
    assert capsys.readouterr().err == "--batch-size, --epochs: no effect with --transform pca.\n"
    point_options(parser().parse_args(["--epochs", "3"]))
    assert capsys.readouterr().err == ""


@given(POINTS, st.sampled_from(["pca", "identity"]))
def test_parameters_that_do_not_apply_are_null_and_in_no_path(point: Point, transform: str):
    packing = "float32" if transform == "identity" else point.packing
    other = point.changed(transform=transform, packing=packing)
    null = {name for name in AXES if getattr(other, name) is None}
    ours = {"engine", "model", "precision", "batch_size", "epochs", "start", "learning_rate", "schedule", "optimizer"}
    ours |= {"pruning", "runtime"}
    assert null == (ours if transform == "pca" else ours | {"compression_ratio"})
    assert f"transform~{transform}" in other.path and not any(f"{name}~" in other.path for name in null)
    read = point_options(parser().parse_args(options_of(other, without=["rows"])))
    assert {name: getattr(read, name) for name in AXES if name != "rows"} == {
        name: getattr(other, name) for name in AXES if name != "rows"
    }


@given(
    st.builds(
        Training,
        shuffle=st.booleans(),
        early_stopping_patience=st.none() | st.integers(1, 99),
        stop_at_loss=st.none() | st.floats(1e-12, 1e6),
        stop_at_gain=st.none() | st.floats(1e-6, 0.99),
        fine_tuning=st.floats(0, 0.99),
        plateau_patience=st.none() | st.integers(1, 99),
        plateau_factor=st.floats(0.01, 0.99),
        save_every_s=st.floats(0.01, 1e6),
    )
)
def test_a_training_is_parsed_back(training: Training):
    made = argparse.ArgumentParser()
    add_options(made, Training)
    assert Training(**vars(made.parse_args(options_of(training)))) == training


#: Any text, except what argparse itself takes for the end of the options.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda text: text != "--")


@given(st.lists(TEXTS, min_size=1), st.none() | TEXTS)
def test_any_text_is_parsed_back_whatever_it_begins_with(columns: list[str], tree: str | None):
    """Also what looks like an option, and no text at all, which a rule would not quote."""
    made = argparse.ArgumentParser(allow_abbrev=False)
    add_file_arguments(made.add_argument_group(), formats=(), default_format="", default_columns="")
    words = options_of(OwnFile(source="file", path="x.root", columns=columns, tree=tree), only=["columns", "tree"])
    assert all(words)
    read = request_of(made.parse_args(words))
    assert (read.columns, read.tree) == (tuple(columns), tree)


@pytest.mark.parametrize("name", ["-m", "--columns", "--out=x", "-1", "p_{T} [GeV]", "", "-"])
def test_a_column_or_path_that_looks_like_an_option(name: str):
    made = argparse.ArgumentParser(allow_abbrev=False)
    prepare.add_arguments(made)
    study = load_study(
        {
            "name": "mine",
            "data": {"own": {"source": "file", "path": name or "x", "columns": ["pt", name, "eta"]}},
            "design": "factorial",
            "axes": {"rows": ["all"], "epochs": [1]},
        }
    )
    words = [*commands.input_options(study, "own", []), *commands.prepare_options(study, "own", "all")]
    read = made.parse_args([*words, "--out", "t.npz"])
    assert read.input == [name or "x"] and read.columns == ["pt", name, "eta"]
    assert commands.input_options(study, "own", ["a.npz"]) == ["--input", "a.npz"]


def test_a_patience_makes_plateau_the_schedule_that_is_not_named():
    made = parser()
    train.add_training_arguments(made)

    def schedule(*words: str) -> str:
        return point_options(made.parse_args(words)).schedule

    assert schedule() == "constant"
    assert schedule("--plateau-patience", "3") == "plateau"
    assert schedule("--plateau-patience", "3", "--schedule", "constant") == "constant"
    assert schedule("--schedule", "plateau") == "plateau"


@pytest.mark.parametrize("name", AXES)
def test_every_parameter_is_an_axis_an_option_a_column_and_has_its_words(name: str):
    field = Parameters.model_fields[name]
    assert field.description and shown(name).column
    assert Axes.model_fields[name].description == field.description
    assert Axes.model_fields[name].default == ((AXIS_DEFAULTS[name],) if name in AXIS_DEFAULTS else None)
    assert Reference.model_fields[name].is_required() == field.is_required()
    (column,) = (column for column in POINT if column.name == name)
    assert (column.type, column.meaning) == (column_type(name), shown(name).column)
    assert (column.unit == "1") == (column.type != "string")
    assert name == "rows" or option(name) in parser()._option_string_actions
    assert name in PointOptions.model_fields and selection.axis_label(name)


def test_a_grid_leaves_out_parameters_that_do_not_apply():
    base = {"name": "s", "data": {"toy": {"source": "toy"}}, "design": "factorial", "repeats": 1}
    axes = {"rows": [100], "transform": ["identity", "pca"], "device": ["cpu", "cuda"], "packing": ["none", "zstd"]}
    found = load_study(base | {"axes": axes})
    assert [point.path for point in found.points] == [
        "toy/rows~100/transform~identity/repeat~0",
        "toy/rows~100/transform~identity/packing~zstd/repeat~0",
        "toy/rows~100/transform~pca/repeat~0",
        "toy/rows~100/transform~pca/packing~zstd/repeat~0",
    ]
    with pytest.raises(InputError, match="needs the axis 'epochs'"):
        load_study(base | {"axes": axes | {"transform": ["identity", "baler"]}})


def test_types_of_columns():
    types = {name: column_type(name) for name in AXES}
    assert [name for name, kind in types.items() if kind == "integer"] == ["rows", "batch_size", "threads", "epochs"]
    assert [name for name, kind in types.items() if kind == "number"] == ["compression_ratio", "learning_rate"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch-size", "0"], "--batch-size 0: should be greater than or equal to 1."),
        (["--threads", "some"], "--threads some: .*'auto'"),
        (["--engine", "slow"], "--engine slow: should be 'reference', 'upstream' or 'fast'."),
        (["--packing", "tight"], "--packing tight: packing 'tight'"),
        (["--compression-ratio", "inf"], "--compression-ratio inf: should be a finite number."),
        (["--seed", "-1"], "--seed -1: should be greater than or equal to 0."),
    ],
)
def test_a_value_that_is_not_allowed_is_one_message(words: list[str], message: str):
    with pytest.raises(InputError, match=message) as caught:
        parser().parse_args(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", stage_modules())
def test_numbers_on_the_command_line_are_finite(module: str):
    parser = argparse.ArgumentParser()
    importlib.import_module(module).add_arguments(parser)
    # `generate` checks the limits of its number when it runs.
    numbers = [action for action in parser._actions if _takes_a_number(action) and action.dest != "pt_hat_min"]
    assert numbers or "--sample-interval-s" not in parser.format_help()
    for action in numbers:
        for text in ("nan", "inf", "-inf"):
            with pytest.raises((InputError, argparse.ArgumentTypeError), match=r"finite number|is not a number"):
                action.type(text)


def _takes_a_number(action: argparse.Action) -> bool:
    for text in ("0.5", "5"):
        try:
            return isinstance(action.type(text), float)
        except (TypeError, ValueError, InputError, argparse.ArgumentTypeError):
            continue
    return False


def test_parameters_that_only_matter_to_the_training_are_settings_of_it():
    of_training = {name for name in AXES if not matters(name, "compress")}
    assert of_training == {"epochs", "start", "learning_rate", "schedule", "optimizer"}
    assert of_training <= TrainingSettings.model_fields.keys()
    assert {name for name in AXES if not matters(name, "train")} == {"packing", "runtime"}


@pytest.mark.parametrize("ratio", [0.99, 0, -2, nan, inf])
def test_a_compression_ratio_below_one_is_refused(ratio):
    with pytest.raises(ValueError, match="compression_ratio"):
        Parameters(dataset="d", rows=10, epochs=1, compression_ratio=ratio)


def test_a_changed_section_is_checked():
    with pytest.raises(ValueError, match="plateau_factor"):
        Training().changed(plateau_factor=2.0)
    assert Training().changed(shuffle=True) == Training(shuffle=True)


def test_help_has_values_defaults_and_no_markup():
    text = " ".join(parser().format_help().split())
    assert "--precision float64|float32|bfloat16|float16" in text and "(default: float64)" in text
    assert "--threads N|auto" in text and "`" not in text and "default: None" not in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", 1.0, "1 epoch"),
        ("epochs", 25.0, "25 epochs"),
        ("rows", 30000.0, "30,000 rows"),
        ("threads", 1, "1 thread"),
        ("learning_rate", 0.003, "learning rate 0.003"),
        ("compression_ratio", 2.0, "compression ratio 2"),
        ("compression_ratio", 1.2345678, "compression ratio 1.2345678"),
    ],
)
def test_a_value_in_a_sentence(name, value, words):
    assert phrase_of(name, value) == words
