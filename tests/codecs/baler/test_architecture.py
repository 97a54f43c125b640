"""Widths, parameters and operations."""

import itertools
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.codecs.baler.architecture import Architecture, Network, latent_columns, network
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.errors import InputError


def test_the_network_of_the_original_study_has_61536_parameters():
    assert Architecture(24, latent_columns(24, 2)).parameters == 61_536


def test_operations_per_row_are_those_of_the_matrix_products():
    architecture = Architecture(24, 12)
    assert architecture.encode_macs == 24 * 200 + 200 * 100 + 100 * 50 + 50 * 12
    assert architecture.decode_macs == architecture.encode_macs
    assert 2 * architecture.training_macs == 355_200


def test_with_a_skip_the_last_layers_also_read_what_the_first_ones_read():
    architecture = Architecture.of("skip-64", 24, 2)
    assert architecture.encoder == {"en1": (24, 64), "en2": (64 + 24, 12)}
    assert architecture.decoder == {"de1": (12, 64), "de2": (64 + 12, 24)}
    assert architecture.encode_macs == 24 * 64 + 64 * 12 + 24 * 12
    assert architecture.decode_macs == 12 * 64 + 64 * 24 + 12 * 24
    assert architecture.parameters == sum(p.numel() for p in Autoencoder(architecture).parameters())
    assert architecture.parameters == architecture.encode_macs + architecture.decode_macs + 64 + 12 + 64 + 24


def test_layers_have_balers_names_and_widths():
    architecture = Architecture(24, 12)
    assert architecture.encoder == {"en1": (24, 200), "en2": (200, 100), "en3": (100, 50), "en4": (50, 12)}
    assert architecture.decoder == {"de1": (12, 50), "de2": (50, 100), "de3": (100, 200), "de4": (200, 24)}


@pytest.mark.parametrize(
    ("columns", "ratio", "latent"), [(24, 2, 12), (24, 1, 24), (25, 2, 13), (33, 1.1, 30), (10, 1.6, 7), (4, 100, 1)]
)
def test_latent_columns(columns, ratio, latent):
    assert latent_columns(columns, ratio) == latent


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_a_ratio_computed_from_the_latent_columns_gives_them_back(widths):
    columns, latent = widths
    assert latent_columns(columns, columns / latent) == latent


@given(st.integers(1, 500), st.integers(100, 100_000))
def test_a_ratio_of_two_decimals_is_taken_as_written(columns, hundredths):
    ratio = Fraction(hundredths, 100)
    assert latent_columns(columns, float(ratio)) == ceil(columns / ratio)


@pytest.mark.parametrize("widths", [(0, 0), (3, 4), (3, 0)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(InputError):
        Architecture(*widths)


def test_a_table_without_columns_is_refused():
    with pytest.raises(InputError, match="at least one column"):
        latent_columns(0, 2)


@pytest.mark.parametrize(
    ("model", "hidden", "slope"),
    [
        ("baler", (200, 100, 50), 0.01),
        ("baler-small", (20, 10), 0.0),
        ("baler-x0.5", (100, 50, 25), 0.01),
        ("baler-x0.001", (1, 1, 1), 0.01),
        ("64", (64,), 0.01),
        ("128-64-32-16", (128, 64, 32, 16), 0.01),
    ],
)
def test_a_model_is_named_or_given_by_its_widths(model, hidden, slope):
    assert network(model) == Network(hidden, slope)
    architecture = Architecture.of(model, 24, 2)
    assert list(architecture.encoder.values()) == list(itertools.pairwise((24, *hidden, 12)))
    assert architecture.parameters == sum(p.numel() for p in Autoencoder(architecture).parameters())


@pytest.mark.parametrize("model", ["baler", "baler-small", "100-50-25", "64", "skip-64", "skip-64-32"])
def test_a_network_knows_its_name(model):
    assert network(model).name == model == Architecture.of(model, 24, 2).network.name
    assert network(model).skip == model.startswith("skip")


@pytest.mark.parametrize(
    "model",
    [
        "",
        "skip",
        "skip-",
        "skip-0",
        "skip-baler",
        "skip-64-",
        "Baler",
        "baler-x0",
        "baler-x",
        "0",
        "64-",
        "-64",
        "64-0",
        "1-" * 32 + "1",
        "9999999",
    ],
)
def test_other_models_are_refused(model):
    with pytest.raises(InputError, match=r"model .* is not supported: use baler"):
        network(model)
