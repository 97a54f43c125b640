"""Operations, counted by several tools."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from baler_energy.codecs.baler import counts as module
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.counts import counts
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.training import batch_loss


@pytest.mark.parametrize("model", ["baler", "baler-small", "baler-x0.5", "7", "9-8-7-6-5", "skip-64", "skip-9-8"])
@pytest.mark.parametrize("columns", [24, 5])
def test_all_tools_agree_once_their_definitions_are_lined_up(model, columns):
    architecture = Architecture.of(model, columns, 2)
    found = counts(architecture)
    assert [count.tool for count in found] == ["baler-energy", "torch FlopCounterMode", "fvcore", "ptflops"]
    own = architecture.encode_macs + architecture.decode_macs
    assert {count.macs for count in found} == {own}
    assert {count.parameters for count in found} == {architecture.parameters}
    # What they call FLOPs differs: two per MAC, one, and one with the biases.
    biases = architecture.parameters - own
    assert [count.counted for count in found] == [own, 2 * own, own, own + biases]
    assert all(count.definition and count.reason is None for count in found)


@pytest.mark.parametrize("model", ["baler", "skip-64", "skip-9-8"])
def test_the_operations_of_training_are_those_that_torch_counts(model):
    architecture = Architecture.of(model, 24, 2)
    network, rows = Autoencoder(architecture), torch.rand(16, 24, dtype=torch.float64)
    with FlopCounterMode(display=False) as counter:
        batch_loss(network(rows), rows).backward()
    assert counter.get_total_flops() == 2 * architecture.training_macs * len(rows)


def test_a_tool_that_is_missing_or_fails_leaves_its_reason(monkeypatch):
    def fails(architecture):
        raise RuntimeError("changed")

    tools = {"gone": ("no-such-package", fails), "broken": ("torch", fails)}
    monkeypatch.setattr(module, "_TOOLS", tools)
    _, gone, broken = counts(Architecture(4, 2))
    assert gone.macs is gone.counted is gone.tool_version is None and "not installed" in str(gone.reason)
    assert broken.macs is None and broken.tool_version and broken.reason == "failed: RuntimeError: changed"
