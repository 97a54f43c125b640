"""Which networks Baler reads."""

import pytest

from baler_energy.codecs.baler.architecture import network
from baler_energy.codecs.upstream.networks import class_of, read_as


@pytest.mark.parametrize(
    ("model", "pruning", "answer"),
    [
        ("baler", "none", "yes"),
        ("200-100-50", "none", "yes"),
        ("baler-small", "none", "yes"),
        ("baler", "weights-0.5", "yes"),
        ("baler", "neurons-0.5", "padded"),
        ("baler", "costly-neurons-0.25", "padded"),
        ("baler-x0.5", "none", "padded"),
        ("baler-x2", "none", "no"),
        ("baler-x2", "neurons-0.9", "unknown"),
        ("200-100", "none", "no"),
        ("skip-64", "none", "no"),
        ("skip-64", "neurons-0.5", "no"),
    ],
)
def test_baler_reads_its_own_networks_and_narrower_ones_padded(model, pruning, answer):
    assert read_as(model, pruning) == answer


def test_a_network_has_balers_class():
    assert class_of(network("baler-x0.5")) == "AE"
    assert class_of(network("baler-small")) == "FPGA_prototype_model"
    assert class_of(network("skip-200-100-50")) is None
