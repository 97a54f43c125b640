"""An operation split into parts: the parts do what the whole does."""

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.layer_costs import compress_parts, decompress_parts, train_parts
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import train
from baler_energy.codecs.container import Reader
from baler_energy.data.table import Table
from baler_energy.variants import OPTIMIZERS, load

BATCH, BATCHES, COLUMNS = 32, 3, 6
CPU = torch.device("cpu")
ARCHITECTURE = Architecture(COLUMNS, 3)
SETTINGS = TrainingSettings(epochs=1, batch_size=BATCH, seed=1)


@pytest.fixture
def table() -> Table:
    data = np.random.default_rng(1).normal(size=(BATCH * BATCHES, COLUMNS))
    return Table(data, tuple("abcdef"), ("float32",) * COLUMNS, {"source": "toy"})


@pytest.fixture
def codec(table: Table) -> InMemoryCodec:
    trained = train(table.data, table.names, ARCHITECTURE, SETTINGS, CPU)
    return InMemoryCodec(Checkpoint.of(trained.model, trained.normalisation, table.names, table.dtypes), CPU, BATCH)


def flops(parts) -> int:
    return sum(part.flops or 0 for part in parts)


def test_training_is_its_layers_data_and_optimizer(table):
    parts = {part.name: part for part in train_parts(table, ARCHITECTURE, SETTINGS, CPU)}
    layers = [f"{side}{n} {way}" for side in ("en", "de") for n in (1, 2, 3, 4) for way in ("forward", "backward")]
    # On a CPU in double precision nothing is copied to the device.
    data = ["scaling", "drawing batches"]
    assert list(parts) == [*data, *layers, "loss forward", "loss backward", "Adam step"]
    for part in parts.values():
        part.run()
    assert flops(parts.values()) == 2 * ARCHITECTURE.training_macs * len(table.data)
    # A batch of the first layer: inputs, weights and outputs, of 8 bytes each. The data need no gradient.
    moved = BATCHES * 8 * (BATCH * COLUMNS + COLUMNS * 200 + BATCH * 200)
    assert parts["en1 forward"].bytes == parts["en1 backward"].bytes == moved
    # The next layer reads the same and its output's gradient, and writes gradients of weights and inputs.
    assert parts["en2 forward"].bytes == BATCHES * 8 * (BATCH * 200 + 200 * 100 + BATCH * 100)
    assert parts["en2 backward"].bytes == BATCHES * 8 * (2 * BATCH * 200 + 2 * 200 * 100 + BATCH * 100)
    assert {part.calls for part in parts.values()} == {1, BATCHES}
    # Parameter, gradient and two moments are read, all but the gradient written.
    assert parts["Adam step"].bytes == BATCHES * 8 * 7 * ARCHITECTURE.parameters


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_part_takes_the_steps_of_the_points_optimizer(table, monkeypatch, name):
    kind = load(OPTIMIZERS[name])
    made = []

    def watched(parameters, learning_rate, *, vector=None):
        made.append((make(parameters, learning_rate, vector=vector), parameters))
        return made[-1][0]

    make = kind.make
    monkeypatch.setattr(kind, "make", watched)
    settings = SETTINGS.changed(optimizer=name, learning_rate=0.02)
    (part,) = (part for part in train_parts(table, ARCHITECTURE, settings, CPU) if part.kind == "optimizer")
    ((optimizer, parameters),) = made
    before = torch.cat([one.detach().flatten().clone() for one in parameters])
    # More than ten steps, as Sophia estimates the Hessian at every tenth.
    for _ in range(4):
        part.run()
    assert part.name == f"{kind.NAME} step" and part.calls == BATCHES
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}
    assert (torch.cat([one.detach().flatten() for one in parameters]) != before).float().mean() > 0.9
    assert (part.bytes is None) == (kind.VALUES_MOVED is None)


def test_a_start_that_is_computed_is_a_part(table):
    names = [part.name for part in train_parts(table, ARCHITECTURE, SETTINGS.changed(start="pca"), CPU)]
    assert names[:3] == ["scaling", "start pca", "drawing batches"]


def test_parts_of_single_precision_move_half(table):
    single = TrainingSettings(epochs=1, batch_size=BATCH, seed=1, precision="float32")
    double = {part.name: part for part in train_parts(table, ARCHITECTURE, SETTINGS, CPU)}
    for part in train_parts(table, ARCHITECTURE, single, CPU):
        part.run()
        if part.name == "to the device":
            assert part.bytes == table.data.size * (8 + 4)
        if part.kind == "layer":
            assert part.bytes is not None and 2 * part.bytes == double[part.name].bytes


def test_the_parts_of_compressing_write_its_file(table, codec, tmp_path):
    parts = compress_parts(codec, table, BATCH, CPU, tmp_path / "parts.baler")
    for part in parts:
        part.run()
    assert flops(parts) == 2 * ARCHITECTURE.encode_macs * len(table.data)
    codec.compress(table, tmp_path / "whole.baler")
    by_parts, whole = (Reader(tmp_path / f"{name}.baler").latents() for name in ("parts", "whole"))
    assert by_parts.shape == whole.shape
    # The layers run on the first batch every time.
    assert np.array_equal(by_parts[:BATCH], whole[:BATCH])


def test_the_parts_of_decompressing_are_its_layers_and_data(table, codec, tmp_path):
    codec.compress(table, tmp_path / "t.baler")
    parts = decompress_parts(codec, tmp_path / "t.baler", BATCH, CPU)
    for part in parts:
        part.run()
    assert flops(parts) == 2 * ARCHITECTURE.decode_macs * len(table.data)
    names = [part.name for part in parts]
    assert names[0] == "reading the file" and names[-1] == "rounding"
    assert [name for name in names if name.startswith("de")] == [f"de{n} forward" for n in (1, 2, 3, 4)]


def test_the_parts_of_a_network_with_a_skip_do_its_work(table, tmp_path):
    architecture = Architecture(COLUMNS, 3, (8, 7), skip=True)
    trained = train(table.data, table.names, architecture, SETTINGS, CPU)
    codec = InMemoryCodec(Checkpoint.of(trained.model, trained.normalisation, table.names, table.dtypes), CPU, BATCH)
    parts = [train_parts(table, architecture, SETTINGS, CPU)]
    parts.append(compress_parts(codec, table, BATCH, CPU, tmp_path / "parts.baler"))
    for part in parts[1]:
        part.run()
    codec.compress(table, tmp_path / "whole.baler")
    by_parts, whole = (Reader(tmp_path / f"{name}.baler").latents() for name in ("parts", "whole"))
    assert np.array_equal(by_parts[:BATCH], whole[:BATCH])
    parts.append(decompress_parts(codec, tmp_path / "whole.baler", BATCH, CPU))
    for part in (*parts[0], *parts[2]):
        part.run()
    macs = (architecture.training_macs, architecture.encode_macs, architecture.decode_macs)
    assert [flops(each) for each in parts] == [2 * count * len(table.data) for count in macs]
