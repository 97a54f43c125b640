"""Transform ``pca``: components with the least squared error, from a table of any size in constant memory."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.codecs import pca as module
from baler_energy.codecs.corrections import NOISE
from baler_energy.codecs.pca import Pca, fit
from baler_energy.codecs.streaming import StreamingCodec
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_source


@pytest.fixture
def jets(tmp_path):
    table = toy.generate(1000, 1)
    table.write(tmp_path / "t.npz")
    return table, tmp_path / "t.npz"


def fitted(path, latent):
    with open_source(path) as source:
        return fit(source, latent)[0]


@pytest.mark.parametrize("block_rows", [7, 100, 32_768])
def test_components_are_those_of_a_singular_value_decomposition(jets, monkeypatch, block_rows):
    monkeypatch.setattr(module, "BLOCK_ROWS", block_rows)
    table, path = jets
    with open_source(path) as source:
        found, rows = fit(source, 5)
    assert rows == 1000
    scaled = found.normalisation.normalise(table.data)
    np.testing.assert_allclose(found.mean, scaled.mean(axis=0), rtol=0, atol=1e-14)
    _, _, vectors = np.linalg.svd(scaled - scaled.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs((found.components * vectors[:5]).sum(axis=1)), 1.0, atol=1e-9)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(5), atol=1e-12)


def test_its_error_is_the_remaining_variance(jets):
    table, path = jets
    found = fitted(path, 4)
    scaled = found.normalisation.normalise(table.data)
    back = found.normalisation.normalise(found.decode(*found.encode(table.data)))
    values = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False)
    assert ((back - scaled) ** 2).sum() == pytest.approx((values[4:] ** 2).sum(), rel=1e-9)


def test_with_all_components_every_value_comes_back(jets):
    table, path = jets
    found = fitted(path, 24)
    error = np.abs(found.decode(*found.encode(table.data)) - table.data)
    assert (error <= 1e-12 * np.ptp(table.data, axis=0) + 1e-300).all()


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_more_components_are_never_worse(tmp_path_factory, latent, seed):
    data = np.random.default_rng(seed).normal(size=(50, 6)) @ np.random.default_rng(seed + 1).normal(size=(6, 6))
    path = tmp_path_factory.mktemp("pca") / "t.npz"
    Table(data, tuple("abcdef"), ("float64",) * 6, {}).write(path)
    errors = []
    for count in range(1, latent + 1):
        found = fitted(path, count)
        scaled = found.normalisation.normalise(data)
        errors.append(((found.normalisation.normalise(found.decode(*found.encode(data))) - scaled) ** 2).sum())
    assert all(later <= earlier * (1 + 1e-9) + 1e-20 for earlier, later in pairwise(errors))


def test_ways_of_decoding_differ_by_less_than_a_bound_allows_for(jets):
    table, path = jets
    found = fitted(path, 12)
    (latents,) = found.encode(table.data)
    at_once = found.decode(latents)
    one_by_one = np.concatenate([found.decode(latents[n : n + 1]) for n in range(len(latents))])
    spread = np.maximum(found.normalisation.features[1], np.abs(at_once - found.normalisation.features[0]))
    assert (np.abs(at_once - one_by_one) <= NOISE["float64"] / 100 * spread).all()


@pytest.mark.parametrize("packing", ["bound-0.01", "float16+zstd+bound-0.001"])
def test_a_bound_holds(jets, tmp_path, packing):
    table, path = jets
    found = fitted(path, 3)
    codec = StreamingCodec(found, lambda: found.encode, lambda: found.decode, packing=packing, threads=1)
    with open_source(path) as source:
        codec.compress(source, tmp_path / "t.baler")
    codec.decompress(tmp_path / "t.baler", tmp_path / "back.npz")
    bound = float(packing.rpartition("-")[2]) * np.ptp(table.data, axis=0)
    assert (np.abs(Table.read(tmp_path / "back.npz").data - table.data) <= bound * (1 + 1e-12)).all()


def test_its_file_comes_back_and_a_damaged_one_is_refused(jets, tmp_path):
    found = fitted(jets[1], 3)
    found.write(tmp_path / "c.pt")
    back = Pca.read(tmp_path / "c.pt")
    assert back.content_hash == found.content_hash and back.names == found.names
    assert replace(found, components=found.components * 2).content_hash != found.content_hash
    content = bytearray((tmp_path / "c.pt").read_bytes())
    for place in range(0, len(content), 97):
        damaged = content.copy()
        damaged[place] ^= 1
        (tmp_path / "d.pt").write_bytes(damaged)
        try:
            assert Pca.read(tmp_path / "d.pt").content_hash == found.content_hash, "a byte that says nothing"
        except InputError as error:
            assert "d.pt" in str(error)
    with pytest.raises(InputError, match="cannot be read"):
        Pca.read(tmp_path / "none.pt")


def test_it_keeps_to_the_threads_that_it_is_given(jets, monkeypatch):
    found = fitted(jets[1], 3)
    used = []
    monkeypatch.setattr(torch, "matmul", lambda *a, real=torch.matmul: used.append(len(a)) or real(*a))
    found.decode(*found.encode(jets[0].data))
    fitted(jets[1], 3)
    assert len(used) == 3, "one to encode, one to decode, one for the block of a fit"


def test_a_column_that_cannot_be_scaled_is_named(tmp_path):
    data = np.ones((20, 2))
    data[3, 1] = np.nan
    Table(data, ("a", "b"), ("float64", "float64"), {}).write(tmp_path / "t.npz")
    with pytest.raises(InputError, match="'b'"):
        fitted(tmp_path / "t.npz", 1)


def test_a_constant_column_comes_back(tmp_path):
    data = np.random.default_rng(1).normal(size=(50, 3))
    data[:, 1] = 3.7
    Table(data, ("a", "b", "c"), ("float64",) * 3, {}).write(tmp_path / "t.npz")
    found = fitted(tmp_path / "t.npz", 2)
    assert (found.decode(*found.encode(data))[:, 1] == 3.7).all()
