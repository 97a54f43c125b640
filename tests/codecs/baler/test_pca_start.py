"""The start ``pca``: principal components inside Baler's unchanged network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.pca_start import carried, notice
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import started_model
from baler_energy.codecs.components import principal_components
from baler_energy.data import toy

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=3, batch_size=64, seed=11, start="pca")
#: Largest deviation from the transform ``pca``, in units of the columns' ranges: 1e4 roundings.
WITHIN = {"float64": 1e-12, "float32": 1e-3}

networks = st.builds(
    lambda columns, latent, hidden, slope, skip: Architecture(
        columns, min(latent, columns), tuple(hidden), slope, skip
    ),
    st.integers(1, 8),
    st.integers(1, 8),
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.01, 0.3]),
    st.booleans(),
)


def rows_of(architecture: Architecture, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(size=(90, architecture.columns)) @ rng.uniform(size=(architecture.columns,) * 2)
    return (rows - rows.min(axis=0)) / np.maximum(np.ptp(rows, axis=0), 1e-300)


@settings(max_examples=80)
@given(networks, st.sampled_from(list(WITHIN)), st.integers(0, 99))
def test_before_training_it_is_the_transform_pca(architecture, precision, seed):
    scaled = rows_of(architecture, seed)
    model = started_model(architecture, SETTINGS.changed(precision=precision), scaled)
    found = principal_components([scaled], architecture.columns, carried(architecture))
    latents = (scaled - found.mean) @ found.vectors.T
    with torch.no_grad():
        encoded = model.encode(torch.from_numpy(scaled).to(getattr(torch, precision)))
        decoded = model.decode(encoded)
    assert encoded.shape == (90, architecture.latent) and {p.dtype for p in model.parameters()} == {decoded.dtype}
    components = encoded.double().numpy()[:, : carried(architecture)]
    np.testing.assert_allclose(components, latents, rtol=0, atol=WITHIN[precision])
    np.testing.assert_allclose(
        decoded.double().numpy(), latents @ found.vectors + found.mean, rtol=0, atol=WITHIN[precision]
    )


@pytest.mark.parametrize("model", ["baler", "skip-64", "baler-small"])
@pytest.mark.parametrize(
    ("engine", "precision", "within"),
    [
        pytest.param(training, "float64", 1e-9, id="reference-float64"),
        pytest.param(training, "float32", 1e-5, id="reference-float32"),
        pytest.param(fast, "float64", 1e-9, id="fast-float64"),
        pytest.param(fast, "float32", 1e-5, id="fast-float32"),
        pytest.param(fast, "bfloat16", 2**-8, id="fast-bfloat16"),
    ],
)
def test_the_engines_start_from_it(engine, precision, within, model):
    """The loss of the first batch is computed before the first step: that of the transform ``pca``, but for rounding.

    In bfloat16, products are rounded to 8 bits. A random start has a hundred times the loss. The small network, with a
    ReLU, carries 5 components; its other units start at random but have no effect yet.
    """
    table = toy.generate(400, 1)
    how = SETTINGS.changed(epochs=1, batch_size=400, precision=precision)
    architecture = Architecture.of(model, 24, 2)
    trained = engine.train(table.data, table.names, architecture, how, CPU)
    scaled = trained.normalisation.normalise(table.data)
    values = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False)
    assert trained.epochs[0].loss == pytest.approx((values[carried(architecture) :] ** 2).sum() / 24, rel=within)


def test_in_float16_the_first_loss_is_that_of_the_components():
    """Products in float16 as on a GPU, here on the CPU."""
    architecture = Architecture.of("baler", 24, 2)
    scaled = rows_of(architecture, 3)
    how = SETTINGS.changed(precision="float16", batch_size=len(scaled))
    with torch.no_grad():
        step = fast.Step(started_model(architecture, how, scaled), how)
        step.differentiate(torch.from_numpy(scaled).float())
    values = np.linalg.svd(scaled - scaled.mean(axis=0), compute_uv=False)
    assert step.fetch_summed_loss() == pytest.approx((values[12:] ** 2).sum() / 24, rel=2**-8)


def test_other_units_keep_their_random_start():
    architecture = Architecture(6, 3, (20, 10))
    started = started_model(architecture, SETTINGS, rows_of(architecture, 1)).state_dict()
    random = started_model(architecture, SETTINGS.changed(start="random"), rows_of(architecture, 1)).state_dict()
    for name in ("en1", "en2", "de1", "de2"):
        assert torch.equal(started[f"{name}.weight"][6:], random[f"{name}.weight"][6:])
        assert torch.equal(started[f"{name}.bias"][6:], random[f"{name}.bias"][6:])
    assert not started["de3.weight"][:, 6:].any() and not started["en3.weight"][:, 6:].any()


def test_past_a_skip_the_hidden_layers_keep_their_random_start():
    architecture = Architecture(6, 3, (5, 4), skip=True)
    started = started_model(architecture, SETTINGS, rows_of(architecture, 1)).state_dict()
    random = started_model(architecture, SETTINGS.changed(start="random"), rows_of(architecture, 1)).state_dict()
    for name, tensor in started.items():
        assert torch.equal(tensor, random[name]) == (name[:3] in {"en1", "en2", "de1", "de2"})
    assert not started["en3.weight"][:, :4].any() and not started["de3.weight"][:, :5].any()
    assert carried(Architecture(24, 12, (5,), skip=True)) == 12 and notice(architecture) is None


def test_as_many_components_as_fit_are_carried_and_the_number_is_reported():
    wide = Architecture(24, 12)
    assert carried(wide) == 12 and notice(wide) is None
    narrow = Architecture(24, 12, (20, 11))
    assert carried(narrow) == 5
    assert "5 of 12 latent columns" in notice(narrow) and "(11 units)" in notice(narrow)


@pytest.mark.parametrize(("precision", "within"), [("float64", 1e-12), ("float32", 1e-4)])
def test_engines_agree_after_training_from_it(table, precision, within):
    # Some gradients are zero there except for rounding, which Adam, unlike SGD, scales up to whole steps.
    how = SETTINGS.changed(precision=precision, optimizer="sgd")
    first, second = (e.train(table.data, table.names, Architecture(6, 3), how, CPU) for e in (training, fast))
    assert [e.loss for e in second.epochs] == pytest.approx([e.loss for e in first.epochs], rel=within)
    for theirs, ours in zip(first.model.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=within)


def test_after_an_epoch_the_loss_is_below_that_of_a_random_start():
    table = toy.generate(2000, 1)
    how = SETTINGS.changed(epochs=2)
    losses = [
        fast.train(table.data, table.names, Architecture(24, 12), how.changed(start=start), CPU).epochs[-1].loss
        for start in ("pca", "random")
    ]
    assert losses[0] < losses[1] / 2


def test_its_checkpoint_is_a_plain_one(table, tmp_path):
    trained = training.train(table.data, table.names, Architecture(6, 3), SETTINGS, CPU)
    plain = training.train(table.data, table.names, Architecture(6, 3), SETTINGS.changed(start="random"), CPU)
    ours, theirs = (Checkpoint.of(t.model, t.normalisation, table.names, table.dtypes) for t in (trained, plain))
    ours.write(tmp_path / "c.pt")
    assert Checkpoint.read(tmp_path / "c.pt").content_hash == ours.content_hash != theirs.content_hash
    form = [{n: (p.shape, p.dtype, p.is_contiguous()) for n, p in c.parameters.items()} for c in (ours, theirs)]
    assert form[0] == form[1]
