"""The engine ``fast`` compresses and decompresses as the reference does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from baler_energy.codecs import streaming
from baler_energy.codecs.baler import streaming as layers
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.streaming import streaming_codec
from baler_energy.codecs.container import Reader
from baler_energy.codecs.corrections import NOISE
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_source

CPU = torch.device("cpu")


@pytest.fixture
def path(table, tmp_path):
    table.write(tmp_path / "table.npz")
    return tmp_path / "table.npz"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Many blocks and batches in a small table."""
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 70)
    monkeypatch.setattr(streaming, "LEAST_BLOCK_ROWS", 30)
    monkeypatch.setattr(layers, "BATCH_ROWS", 16)


def _codec(checkpoint, precision, model="baler", seed=3):
    torch.manual_seed(seed)
    network = Autoencoder(Architecture.of(model, 6, 2), precision)
    return Checkpoint.of(network, checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)


def _compress(codec, path, out):
    with open_source(path) as source:
        return codec.compress(source, out)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("model", ["baler", "baler-small", "7", "9-8-7-6-5", "skip-7", "skip-9-8-7"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_latents_and_values_are_the_references(checkpoint, table, path, tmp_path, precision, model, threads):
    codec = _codec(checkpoint, precision, model)
    reference, fast = InMemoryCodec(codec, CPU, 64), streaming_codec(codec, CPU, threads=threads)
    sizes = _compress(fast, path, tmp_path / "fast.baler")
    assert sizes == reference.compress(table, tmp_path / "reference.baler") or sizes.rows == len(table.data)
    ours, theirs = (Reader(tmp_path / f"{name}.baler").latents() for name in ("fast", "reference"))
    assert ours.dtype == theirs.dtype
    tolerance = {"float64": 1e-13, "float32": 1e-5}[precision]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    fast.decompress(tmp_path / "fast.baler", tmp_path / "out.npz")
    back, expected = Table.read(tmp_path / "out.npz"), reference.decompress(tmp_path / "fast.baler")
    assert (back.names, back.dtypes, back.origin) == (expected.names, expected.dtypes, expected.origin)
    varying = checkpoint.normalisation.features[1] > 0
    spread = checkpoint.normalisation.features[1][varying]
    errors = np.abs(back.data - expected.data)[:, varying] / spread
    # A value close to the middle between two integers may be rounded either way.
    integer = table.integer[varying]
    assert errors[:, ~integer].max() < tolerance
    assert (errors[:, integer] > tolerance).mean() < 0.01
    assert np.array_equal(back.data[:, ~varying], expected.data[:, ~varying])


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_ways_of_decoding_differ_by_far_less_than_the_bound_allows_for(checkpoint, path, precision):
    codec = _codec(checkpoint, precision)
    latents = InMemoryCodec(codec, CPU, 64).encode(Table.read(path).data)
    spread = checkpoint.normalisation.features[1]
    ways = (InMemoryCodec(codec, CPU, 7), InMemoryCodec(codec, CPU, 300), streaming_codec(codec, CPU))
    decoded = [way.decode(latents) for way in ways]
    with np.errstate(invalid="ignore"):
        moved = np.nanmax(np.abs(np.ptp(np.stack(decoded), axis=0)) / np.where(spread > 0, spread, np.nan))
    assert moved < NOISE[precision] / 20


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("packing", ["bound-0.02", "float16+zstd+bound-0.001", "float32-4+bound-0.2"])
def test_a_bound_holds_whichever_engine_decodes(checkpoint, table, path, tmp_path, packing, threads):
    codec = _codec(checkpoint, "float32")
    _compress(streaming_codec(codec, CPU, packing, threads), path, tmp_path / "t.baler")
    streaming_codec(codec, CPU, threads=threads).decompress(tmp_path / "t.baler", tmp_path / "out.npz")
    allowed = Packing.parse(packing).error_bound * checkpoint.normalisation.features[1] * (1 + 1e-12)
    for back in (Table.read(tmp_path / "out.npz"), InMemoryCodec(codec, CPU, 11).decompress(tmp_path / "t.baler")):
        assert (np.abs(back.data - table.data) <= allowed).all()


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30, 1e200])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_ranges_beyond_a_number_format_are_scaled_separately(checkpoint, table, tmp_path, factor, precision):
    data = table.data * factor
    dtypes = ("float64",) * 6
    scaled = Table(data, table.names, dtypes, {})
    scaled.write(tmp_path / "big.npz")
    codec = replace(_codec(checkpoint, precision), normalisation=Normalisation.of(data, table.names), dtypes=dtypes)
    _compress(streaming_codec(codec, CPU), tmp_path / "big.npz", tmp_path / "t.baler")
    streaming_codec(codec, CPU).decompress(tmp_path / "t.baler", tmp_path / "out.npz")
    expected = InMemoryCodec(codec, CPU, 64).decompress(tmp_path / "t.baler").data
    spread = codec.normalisation.features[1].max()
    np.testing.assert_allclose(Table.read(tmp_path / "out.npz").data / spread, expected / spread, rtol=0, atol=1e-5)
    latents = InMemoryCodec(codec, CPU, 64).encode(data)
    np.testing.assert_allclose(Reader(tmp_path / "t.baler").latents(), latents, rtol=0, atol=1e-5)


def test_a_large_offset_costs_no_digits(checkpoint, tmp_path):
    """Times of recent years in a column: folding the minimum into float32 biases would lose them."""
    rng = np.random.default_rng(5)
    data = 1.7e9 + rng.random((200, 6))
    names, dtypes = checkpoint.names, ("float64",) * 6
    Table(data, names, dtypes, {}).write(tmp_path / "times.npz")
    codec = replace(_codec(checkpoint, "float32"), normalisation=Normalisation.of(data, names), dtypes=dtypes)
    _compress(streaming_codec(codec, CPU), tmp_path / "times.npz", tmp_path / "t.baler")
    latents = InMemoryCodec(codec, CPU, 64).encode(data)
    np.testing.assert_allclose(Reader(tmp_path / "t.baler").latents(), latents, rtol=0, atol=1e-6)


def test_values_lost_in_a_column_that_was_constant_are_noted(checkpoint, table, tmp_path):
    fast = streaming_codec(_codec(checkpoint, "float64"), CPU)
    table.write(tmp_path / "same.npz")
    _compress(fast, tmp_path / "same.npz", tmp_path / "t.baler")
    assert fast.lost == set()
    changed = table.data.copy()
    changed[-1, 3] += 1
    Table(changed, table.names, table.dtypes, {}).write(tmp_path / "other.npz")
    _compress(fast, tmp_path / "other.npz", tmp_path / "t.baler")
    assert fast.lost == {table.names[3]}


def test_a_file_of_the_reference_is_decompressed(checkpoint, table, tmp_path):
    reference = InMemoryCodec(checkpoint, CPU, 64)
    reference.compress(table, tmp_path / "reference.baler")
    streaming_codec(checkpoint, CPU).decompress(tmp_path / "reference.baler", tmp_path / "out.npz")
    back, expected = Table.read(tmp_path / "out.npz"), reference.decompress(tmp_path / "reference.baler")
    assert (back.names, back.dtypes, back.origin) == (expected.names, expected.dtypes, expected.origin)
    assert back.data.shape == expected.data.shape


def test_a_warm_up_takes_the_first_rows_only(checkpoint, path, tmp_path):
    fast = streaming_codec(_codec(checkpoint, "float64"), CPU)
    with open_source(path) as source:
        assert fast.compress(source, tmp_path / "t.baler", most_rows=30).rows == 30
        assert fast.compress(source, tmp_path / "t.baler", most_rows=31).rows == 60
        assert fast.compress(source, tmp_path / "t.baler").rows == 300


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_block_stops_compression(checkpoint, table, tmp_path, threads):
    codec = _codec(checkpoint, "float64")
    huge = replace(codec, parameters={k: v * 1e5 for k, v in codec.parameters.items()})
    table.write(tmp_path / "t.npz")
    with pytest.raises(InputError, match="exceeds the range of float16"):
        _compress(streaming_codec(huge, CPU, "float16", threads), tmp_path / "t.npz", tmp_path / "t.baler")
    with pytest.raises(InputError, match="damaged"):
        Reader(tmp_path / "t.baler")
    assert torch.get_num_threads() >= 1


def test_another_checkpoint_or_table_is_refused(checkpoint, table, path, tmp_path):
    _compress(streaming_codec(_codec(checkpoint, "float64"), CPU), path, tmp_path / "t.baler")
    other = streaming_codec(_codec(checkpoint, "float64", seed=4), CPU)
    with pytest.raises(InputError, match="another checkpoint"):
        other.decompress(tmp_path / "t.baler", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()
    Table(table.data, table.names[::-1], table.dtypes, {}).write(tmp_path / "other.npz")
    with pytest.raises(InputError, match="Column 0"):
        _compress(other, tmp_path / "other.npz", tmp_path / "o.baler")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_value_that_is_not_finite_is_refused_or_kept_by_a_bound(checkpoint, table, tmp_path, value):
    codec = replace(_codec(checkpoint, "float32"), dtypes=("float64",) * 6)
    data = table.data.copy()
    data[205, 1] = value
    Table(data, table.names, codec.dtypes, {}).write(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=rf"Column '{table.names[1]}' has .* in row 205 "):
        _compress(streaming_codec(codec, CPU), tmp_path / "bad.npz", tmp_path / "t.baler")
    _compress(streaming_codec(codec, CPU, "float16+bound-0.01"), tmp_path / "bad.npz", tmp_path / "t.baler")
    streaming_codec(codec, CPU).decompress(tmp_path / "t.baler", tmp_path / "out.npz")
    back = Table.read(tmp_path / "out.npz").data
    assert np.array_equal(back[205, 1], value, equal_nan=True)
    kept = np.isfinite(data)
    allowed = np.broadcast_to(0.01 * checkpoint.normalisation.features[1] * (1 + 1e-12), data.shape)
    assert (np.abs(back[kept] - data[kept]) <= allowed[kept]).all()


def test_without_finite_values_there_is_no_deviation():
    latents = np.array([[0.0, 1.0], [2.0, np.nan]])
    assert layers._deviation(latents, latents, "float64") == {"runtime_deviation": None, "runtime_reason": None}
    assert layers._deviation(latents[:1], latents[:1], "float64") == {"runtime_deviation": 0.0, "runtime_reason": None}


def test_a_deviation_beyond_the_precision_is_a_fault(capsys):
    expected = np.array([[0.0, 1.0], [2.0, 4.0]])
    assert layers._deviation(expected + 1e-12, expected, "float64")["runtime_deviation"] == pytest.approx(
        2.5e-13, rel=0.01
    )
    # Values far from 0 have fewer digits of their range.
    for within in (
        layers._deviation(expected + 1e3 + 1e-11, expected + 1e3, "float64"),
        layers._deviation(expected + 1e-11, expected, "float64", 1e-11),
        layers._deviation(expected + 1e-6, expected, "float32"),
    ):
        assert within["runtime_deviation"] > 1e-12 and within["runtime_reason"] is None
    assert not capsys.readouterr().err
    beyond = layers._deviation(expected + 1e-11, expected, "float64")
    assert beyond["runtime_deviation"] == pytest.approx(2.5e-12, rel=0.01)
    assert "Engine 'fast' differs from PyTorch by 2.5e-12 of the results' range" in capsys.readouterr().err
    assert layers._deviation(expected * np.nan, expected, "float64")["runtime_deviation"] is None


def test_integers_that_float64_rounds_are_noted(checkpoint, table, tmp_path):
    codec = replace(_codec(checkpoint, "float64"), dtypes=("int64",) * 6)
    fast = streaming_codec(codec, CPU)
    data = np.rint(table.data)
    data[7, 0] = 2.0**53 + 2
    Table(data, table.names, codec.dtypes, {}).write(tmp_path / "wide.npz")
    _compress(fast, tmp_path / "wide.npz", tmp_path / "t.baler")
    assert fast.rounded == {table.names[0]}


def test_a_bound_holds_where_the_minimum_is_large_against_the_range(checkpoint, tmp_path):
    """Times in nanoseconds: float64 itself is coarse there."""
    rng = np.random.default_rng(6)
    data = 1.7e18 + 1e6 * rng.random((300, 6))
    names, dtypes = checkpoint.names, ("float64",) * 6
    Table(data, names, dtypes, {}).write(tmp_path / "times.npz")
    codec = replace(_codec(checkpoint, "float32"), normalisation=Normalisation.of(data, names), dtypes=dtypes)
    _compress(streaming_codec(codec, CPU, "bound-0.001"), tmp_path / "times.npz", tmp_path / "t.baler")
    allowed = 0.001 * codec.normalisation.features[1]
    for reference in (InMemoryCodec(codec, CPU, 7), InMemoryCodec(codec, CPU, 300)):
        assert (np.abs(reference.decompress(tmp_path / "t.baler").data - data) <= allowed).all()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(None, 32_768), (0, 8192), (30_000, 8192), (100_000, 12_500), (10**6, 32_768), (10**9, 32_768)],
)
def test_small_tables_have_blocks_for_several_threads(monkeypatch, rows, expected):
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 32_768)
    monkeypatch.setattr(streaming, "LEAST_BLOCK_ROWS", 8192)
    assert streaming._block_rows(rows) == expected


def test_the_file_does_not_depend_on_the_threads(checkpoint, path, tmp_path):
    for threads in (1, 3):
        fast = streaming_codec(_codec(checkpoint, "float64"), CPU, "zstd+bound-0.01", threads)
        _compress(fast, path, tmp_path / f"{threads}.baler")
    assert (tmp_path / "1.baler").read_bytes() == (tmp_path / "3.baler").read_bytes()
