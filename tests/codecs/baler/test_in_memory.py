"""Compressing and decompressing tables."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from baler_energy.codecs import streaming
from baler_energy.codecs.baler import in_memory
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.streaming import streaming_codec
from baler_energy.codecs.container import Reader
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_source

CPU = torch.device("cpu")


def test_a_table_comes_back_as_the_network_restores_it(table, checkpoint, tmp_path):
    reference = InMemoryCodec(checkpoint, CPU, 64)
    reference.compress(table, tmp_path / "t.baler")
    back = reference.decompress(tmp_path / "t.baler")
    with torch.no_grad():
        scaled = torch.from_numpy(checkpoint.normalisation.normalise(table.data))
        expected = checkpoint.normalisation.restore(checkpoint.model(CPU)(scaled).numpy())
    assert (back.names, back.dtypes) == (table.names, table.dtypes)
    assert back.origin["source"] == "toy" and back.origin["label"] == "toy data"
    np.testing.assert_allclose(back.data[:, [1, 5]], expected[:, [1, 5]], rtol=1e-12, atol=1e-15)
    assert np.array_equal(back.data[:, 0], back.data[:, 0].astype(np.float32))
    assert np.array_equal(back.data[:, 2], np.rint(expected[:, 2]))
    assert (back.data[:, 3] == 3.7).all()
    assert set(np.unique(back.data[:, 4])) <= {0.0, 1.0}


@pytest.mark.parametrize("batch_size", [1, 7, 299, 300, 1000])
def test_the_batch_size_changes_rounding_only(table, checkpoint, batch_size):
    whole = InMemoryCodec(checkpoint, CPU, 300).encode(table.data)
    encoded = InMemoryCodec(checkpoint, CPU, batch_size).encode(table.data)
    np.testing.assert_allclose(encoded, whole, rtol=1e-10, atol=1e-13)
    decoded = InMemoryCodec(checkpoint, CPU, batch_size).decode(whole)
    np.testing.assert_allclose(decoded, InMemoryCodec(checkpoint, CPU, 300).decode(whole), rtol=1e-10, atol=1e-13)


def test_float32_latents_take_half_the_bytes(table, checkpoint, tmp_path):
    model = Autoencoder(Architecture(6, 3), "float32")
    single = Checkpoint.of(model, checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)
    InMemoryCodec(single, CPU, 64).compress(table, tmp_path / "t.baler")
    assert Reader(tmp_path / "t.baler").latents().dtype == np.float32
    assert np.isfinite(InMemoryCodec(single, CPU, 64).decompress(tmp_path / "t.baler").data).all()


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(
    "packing", ["bound-0.02", "zstd+bound-0.001", "float16+bound-1e-5", "float32-3+zstd+bound-0.3"]
)
def test_a_bound_holds_for_every_value_with_any_batch_size(table, checkpoint, tmp_path, packing, precision):
    model = Autoencoder(Architecture(6, 3), precision)
    codec = Checkpoint.of(model, checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)
    sizes = InMemoryCodec(codec, CPU, 64, packing).compress(table, tmp_path / "t.baler")
    back = InMemoryCodec(codec, CPU, 17).decompress(tmp_path / "t.baler")
    bound = Packing.parse(packing).error_bound
    allowed = bound * checkpoint.normalisation.features[1] * (1 + 1e-12)
    assert (np.abs(back.data - table.data) <= allowed).all()
    assert sizes.rows == len(table.data) and sizes.correction_bytes > 0


def test_packing_reports_its_gain(table, checkpoint, tmp_path):
    plain = InMemoryCodec(checkpoint, CPU, 64).compress(table, tmp_path / "p.baler")
    packed = InMemoryCodec(checkpoint, CPU, 64, "float16+zstd").compress(table, tmp_path / "t.baler")
    assert plain.latent_bytes == packed.latent_bytes == len(table.data) * 3 * 8
    assert packed.correction_bytes == plain.correction_bytes == 0
    assert packed.stored_latent_bytes < plain.latent_bytes / 4 < plain.stored_latent_bytes
    assert (tmp_path / "t.baler").stat().st_size < (tmp_path / "p.baler").stat().st_size


def test_blocks_are_joined(table, checkpoint, tmp_path, monkeypatch):
    whole = InMemoryCodec(checkpoint, CPU, 64)
    whole.compress(table, tmp_path / "1.baler")
    monkeypatch.setattr(in_memory, "BLOCK_ROWS", 64)
    whole.compress(table, tmp_path / "2.baler")
    assert len(list(Reader(tmp_path / "2.baler").blocks())) == -(-len(table.data) // 64)
    first, second = (whole.decompress(tmp_path / name).data for name in ("1.baler", "2.baler"))
    assert np.array_equal(first, second)


def test_another_checkpoint_is_refused(table, checkpoint, tmp_path):
    InMemoryCodec(checkpoint, CPU, 64).compress(table, tmp_path / "t.baler")
    other = Checkpoint.of(
        Autoencoder(Architecture(6, 3)), checkpoint.normalisation, checkpoint.names, checkpoint.dtypes
    )
    with pytest.raises(InputError, match="another checkpoint"):
        InMemoryCodec(other, CPU, 64).decompress(tmp_path / "t.baler")


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
@pytest.mark.parametrize("packing", ["none", "float16+zstd"])
def test_a_value_that_cannot_be_encoded_is_refused_as_by_the_fast_engine(table, tmp_path, monkeypatch, packing, value):
    monkeypatch.setattr(in_memory, "BLOCK_ROWS", 64)
    torch.manual_seed(5)
    features = Normalisation.of(table.data, table.names)
    codec = Checkpoint.of(Autoencoder(Architecture(6, 3), "float32"), features, table.names, ("float64",) * 6)
    data = table.data.copy()
    data[205, 1] = value
    bad = Table(data, table.names, codec.dtypes, {})
    bad.write(tmp_path / "bad.npz")
    messages = []
    with pytest.raises(InputError) as refused:
        InMemoryCodec(codec, CPU, 64, packing).compress(bad, tmp_path / "t.baler")
    messages.append(str(refused.value))
    with pytest.raises(InputError) as refused, open_source(tmp_path / "bad.npz") as source:
        streaming_codec(codec, CPU, packing).compress(source, tmp_path / "t.baler")
    messages.append(str(refused.value))
    assert messages[0] == messages[1] and "Column 'eta' has " in messages[0] and "in row 205 " in messages[0]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300])
def test_a_bound_restores_every_value_of_a_row_that_cannot_be_encoded(table, tmp_path, value):
    torch.manual_seed(5)
    features = Normalisation.of(table.data, table.names)
    codec = Checkpoint.of(Autoencoder(Architecture(6, 3), "float32"), features, table.names, ("float64",) * 6)
    data = table.data.copy()
    data[205, 1] = value
    reference = InMemoryCodec(codec, CPU, 64, "float16+zstd+bound-0.01")
    reference.compress(Table(data, table.names, codec.dtypes, {}), tmp_path / "t.baler")
    back = reference.decompress(tmp_path / "t.baler").data
    assert np.array_equal(back[205, 1], value, equal_nan=True)
    others = np.isfinite(data) & (data != value)
    allowed = np.broadcast_to(0.01 * features.features[1] * (1 + 1e-12), data.shape)
    assert (np.abs(back[others] - data[others]) <= allowed[others]).all()


def test_a_row_that_overflows_in_the_decoder_is_refused_by_all_engines(table, tmp_path, monkeypatch):
    monkeypatch.setattr(in_memory, "BLOCK_ROWS", 64)
    monkeypatch.setattr(streaming, "LEAST_BLOCK_ROWS", 64)
    features = Normalisation.of(table.data, table.names).features
    features[1, 0] = 1e9
    torch.manual_seed(5)
    codec = Checkpoint.of(Autoencoder(Architecture(6, 3)), Normalisation(features), table.names, table.dtypes)
    data = table.data.copy()
    data[205, 5] = 1e303  # its latents are finite
    Table(data, table.names, table.dtypes, {}).write(tmp_path / "far.npz")
    reference, fast = InMemoryCodec(codec, CPU, 64), streaming_codec(codec, CPU)
    with open_source(tmp_path / "far.npz") as source:
        fast.compress(source, tmp_path / "t.baler")
    assert len(Reader(tmp_path / "t.baler").first_rows) > 1 and Reader(tmp_path / "t.baler").rows == 300
    messages = set()
    for decompress in (reference.decompress, lambda path: fast.decompress(path, tmp_path / "out.npz")):
        with pytest.raises(InputError) as refused:
            decompress(tmp_path / "t.baler")
        messages.add(str(refused.value))
    (said,) = messages
    assert f"{tmp_path}/t.baler: Column 'pt' cannot be decoded in row 205 " in said
    bounded = streaming_codec(codec, CPU, "bound-0.01")
    with open_source(tmp_path / "far.npz") as source:
        bounded.compress(source, tmp_path / "t.baler")
    assert reference.decompress(tmp_path / "t.baler").data[205, 5] == 1e303


def _fewer(table: Table) -> Table:
    return Table(np.ascontiguousarray(table.data[:, :5]), table.names[:5], table.dtypes[:5], {})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_fewer, "5 columns"),
        (lambda t: replace(t, names=("px", *t.names[1:])), "'px'"),
        (lambda t: replace(t, dtypes=(*t.dtypes[:2], "int32", *t.dtypes[3:])), "'charge'"),
    ],
)
def test_a_table_of_other_columns_is_refused(table, checkpoint, tmp_path, change, named):
    with pytest.raises(InputError, match=named):
        InMemoryCodec(checkpoint, CPU, 64).compress(change(table), tmp_path / "t.baler")
    assert not (tmp_path / "t.baler").exists()
