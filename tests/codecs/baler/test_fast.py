"""The engine ``fast``, compared with the reference and with autograd."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.fast import GraphedStep, Step
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import Trained, batch_loss, new_model
from baler_energy.data import toy
from baler_energy.errors import InputError, UnavailableError

CPU = torch.device("cpu")
#: Five batches of the 300 rows, the last one smaller.
SETTINGS = TrainingSettings(epochs=4, batch_size=64, seed=11)


def both(table, how=SETTINGS, architecture=None, device=CPU) -> tuple[Trained, Trained]:
    architecture = architecture or Architecture(table.data.shape[1], 3)
    engines = ((training, CPU), (fast, device))
    first, second = (module.train(table.data, table.names, architecture, how, where) for module, where in engines)
    return first, second


def losses(trained: Trained) -> list[float]:
    return [epoch.loss for epoch in trained.epochs]


def assert_same(reference: Trained, ours: Trained, within: float = 1e-12) -> None:
    assert losses(ours) == pytest.approx(losses(reference), rel=within)
    pairs = zip(reference.model.parameters(), ours.model.cpu().parameters(), strict=True)
    for theirs, parameter in pairs:
        torch.testing.assert_close(parameter, theirs, rtol=0, atol=within)


def test_five_hundred_steps_of_balers_network_are_the_references():
    reference, ours = both(toy.generate(300, 1), SETTINGS.changed(epochs=100), Architecture(24, 12))
    assert len(ours.epochs) * 5 == 500
    assert_same(reference, ours)
    np.testing.assert_array_equal(reference.normalisation.features, ours.normalisation.features)


@pytest.mark.parametrize(
    "how",
    [
        SETTINGS.changed(shuffle=True),
        SETTINGS.changed(batch_size=60),
        SETTINGS.changed(batch_size=60, shuffle=True),
        SETTINGS.changed(batch_size=1000),
        SETTINGS.changed(learning_rate=0.1, schedule="plateau", plateau_patience=1, plateau_factor=0.3, epochs=30),
        SETTINGS.changed(learning_rate=0.1, early_stopping_patience=2, epochs=60),
        SETTINGS.changed(learning_rate=0.01, schedule="one-cycle", epochs=10),
        SETTINGS.changed(learning_rate=0.01, schedule="one-cycle", epochs=1, shuffle=True),
    ],
    ids=[
        *("shuffled", "whole batches", "whole batches shuffled", "one batch", "plateau", "early stopping"),
        *("one cycle", "one cycle of an epoch"),
    ],
)
def test_orders_and_schedules_are_the_references(table, how):
    reference, ours = both(table, how)
    assert len(ours.epochs) == len(reference.epochs)
    assert_same(reference, ours)


def test_the_schedules_took_effect_in_these_tests(table):
    plain = SETTINGS.changed(learning_rate=0.1, epochs=30)
    lowered = plain.changed(schedule="plateau", plateau_patience=1, plateau_factor=0.3)
    assert losses(both(table, plain)[1]) != losses(both(table, lowered)[1])
    stopped = plain.changed(early_stopping_patience=2, epochs=60)
    assert len(both(table, stopped)[1].epochs) < 60


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("hidden", "slope"), [((20, 10), 0.0), ((7,), 0.01), ((9, 8, 7, 6, 5), 0.2)])
def test_networks_of_other_depths_and_slopes_are_the_references(table, hidden, slope, skip):
    assert_same(*both(table, architecture=Architecture(6, 2, hidden, slope, skip)))


def test_float32_is_the_references_except_for_rounding(table):
    reference, ours = both(table, SETTINGS.changed(precision="float32"))
    assert {p.dtype for p in ours.model.parameters()} == {torch.float32}
    assert_same(reference, ours, 1e-4)


def test_bfloat16_trains_float32_parameters_to_a_similar_loss(table):
    how = SETTINGS.changed(epochs=10)
    reference, _ = both(table, how)
    ours = fast.train(table.data, table.names, Architecture(6, 3), how.changed(precision="bfloat16"), CPU)
    assert {p.dtype for p in ours.model.parameters()} == {torch.float32}
    assert losses(ours) == pytest.approx(losses(reference), rel=0.05)
    assert losses(ours) != pytest.approx(losses(reference), rel=1e-5)


networks = st.builds(
    lambda columns, latent, hidden, slope, skip: Architecture(
        columns, min(latent, columns), tuple(hidden), slope, skip
    ),
    st.integers(1, 8),
    st.integers(1, 8),
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.01, 0.3]),
    st.booleans(),
)


def gradients(architecture: Architecture, rows: torch.Tensor, precision: str) -> tuple[Step, torch.Tensor, float]:
    """Give a step after differentiation on the rows, and gradient and loss from autograd in float64."""
    how = SETTINGS.changed(precision=precision)
    with torch.no_grad():
        step = Step(new_model(architecture, how), how)
        step.differentiate(rows.to(step.parameters.dtype))
    model = new_model(architecture, SETTINGS)
    loss = batch_loss(model(rows), rows)
    loss.backward()
    return step, torch.cat([p.grad.flatten() for p in model.parameters()]), loss.item()


@settings(max_examples=60)
@given(networks, st.integers(1, 9), st.integers(0, 99))
def test_gradients_are_those_of_autograd(architecture, count, seed):
    rows = torch.rand(count, architecture.columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    step, expected, loss = gradients(architecture, rows, "float64")
    torch.testing.assert_close(step.gradient, expected, rtol=1e-12, atol=1e-14)
    assert step.fetch_summed_loss() == pytest.approx(loss, rel=1e-13)
    assert step.fetch_summed_loss() == 0.0, "fetched sums start afresh"


def test_bfloat16_rounds_products_but_sums_in_more():
    rows = torch.rand(2048, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step, expected, loss = gradients(Architecture(24, 12), rows, "bfloat16")
    error = (step.gradient - expected).norm() / expected.norm()
    assert 1e-4 < error < 0.01, "8 bits of mantissa; sums of 2048 numbers in bfloat16 would be far off"
    assert step.fetch_summed_loss() == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("smaller", [1.0, 1e-5])
def test_float16_keeps_small_gradients(smaller):
    """Gradients at the start of a training, and those that are a hundred thousand times smaller at its end."""
    how = SETTINGS.changed(precision="float16", batch_size=512)
    rows = torch.rand(512, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        step = Step(new_model(Architecture(24, 12), how), how)
        step._passes[512] = fast._Pass(step._layers, step._slope, rows.float(), smaller * step._scale)
        step.differentiate(rows.float())
    model = new_model(Architecture(24, 12), SETTINGS)
    batch_loss(model(rows), rows).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()]) * smaller
    assert (step.gradient - expected).norm() < 0.02 * expected.norm()


def test_float16_requires_a_gpu(table):
    with pytest.raises(UnavailableError, match="'float16' requires a GPU"):
        fast.train(table.data, table.names, Architecture(6, 3), SETTINGS.changed(precision="float16"), CPU)


def test_a_trained_network_makes_a_checkpoint(table, tmp_path):
    reference, ours = both(table)
    ours_file, theirs = (Checkpoint.of(t.model, t.normalisation, table.names, table.dtypes) for t in (ours, reference))
    ours_file.write(tmp_path / "c.pt")
    rows = torch.rand(9, 6, dtype=torch.float64)
    read = Checkpoint.read(tmp_path / "c.pt").model(CPU)
    torch.testing.assert_close(read(rows), theirs.model(CPU)(rows), rtol=0, atol=1e-12)


def test_training_leaves_the_callers_random_state_alone(table):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fast.train(table.data, table.names, Architecture(6, 3), SETTINGS.changed(shuffle=True), CPU)
    assert torch.equal(torch.rand(3), expected)


def test_mistakes_are_one_message(table):
    with pytest.raises(InputError, match=r"diverged.*--learning-rate"):
        # Outside the range that a study allows, so not checked.
        far = SETTINGS.model_copy(update={"learning_rate": 1e200, "epochs": 5})
        fast.train(table.data, table.names, Architecture(6, 3), far, CPU)
    table.data[5, 2] = np.nan
    with pytest.raises(InputError, match="'charge'"):
        fast.train(table.data, table.names, Architecture(6, 3), SETTINGS, CPU)


class Graph:
    """Replaces a CUDA graph: each replay runs the captured step, on the memory of the capture."""

    captured: list["Graph"]
    capturing = False

    def replay(self) -> None:
        self.step(self.rows)


@pytest.fixture
def graphs(monkeypatch):
    """Replace CUDA's graphs; give the captured graphs, and a function that makes a step capturable."""
    captured: list[Graph] = []

    @contextmanager
    def capture(graph, stream):
        captured.append(graph)
        Graph.capturing = True
        yield
        Graph.capturing = False

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)

    def capturable(step):
        def either(rows):
            if Graph.capturing:
                captured[-1].step, captured[-1].rows = step, rows
            else:
                step(rows)

        return either

    return captured, capturable


def test_a_graph_replays_full_batches_and_is_captured_again_for_another_rate(graphs):
    captured, capturable = graphs
    optimizer = SimpleNamespace(param_groups=[{"lr": 1e-3}])
    seen: list[list[float]] = []
    take = GraphedStep(capturable(lambda rows: seen.append(rows.flatten().tolist())), optimizer, 2)
    batches = [torch.tensor([[float(n)], [n + 0.5]]) for n in range(9)]
    for rows in (*batches[:2], torch.tensor([[9.0]]), *batches[2:5]):
        take(rows)
    assert len(captured) == 1
    optimizer.param_groups[0]["lr"] = 1e-4
    for rows in batches[5:]:
        take(rows)
    take(torch.tensor([[8.0]]))
    assert len(captured) == 2
    assert seen == [[0, 0.5], [1, 1.5], [9], *([n, n + 0.5] for n in range(2, 9)), [8]]


def test_no_graph_is_captured_while_the_rate_changes_at_every_step(graphs):
    captured, capturable = graphs
    optimizer = SimpleNamespace(param_groups=[{"lr": 1e-3}])
    seen: list[list[float]] = []
    take = GraphedStep(capturable(lambda rows: seen.append(rows.flatten().tolist())), optimizer, 1)
    for n in range(9):
        take(torch.tensor([[float(n)]]))
        optimizer.param_groups[0]["lr"] *= 0.9
    assert not captured and seen == [[n] for n in range(9)]


def test_training_from_graphs_is_the_references(table, graphs):
    captured, capturable = graphs
    how = SETTINGS.changed(epochs=30, learning_rate=0.1, schedule="plateau", plateau_patience=1, plateau_factor=0.3)
    reference, _ = both(table, how)
    model = new_model(Architecture(6, 3), how)
    with torch.no_grad():
        step = Step(model, how)
        rows = torch.from_numpy(reference.normalisation.normalise(table.data))
        take = GraphedStep(capturable(step), step.optimizer, how.batch_size)

        def epoch() -> float:
            for batch in rows.split(how.batch_size):
                take(batch)
            return step.fetch_summed_loss() / 5

        learner = training.new_learner(model, step.optimizer, torch.Generator(), how, 5)
        epochs = training.train_epochs(epoch, learner, how, lambda epoch: None)
    assert_same(reference, Trained(model, reference.normalisation, epochs))
    assert len(captured) > 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize(
    "how", [SETTINGS, SETTINGS.changed(shuffle=True, schedule="plateau", plateau_patience=1, learning_rate=0.1)]
)
def test_on_a_gpu_it_is_the_reference_of_the_cpu(table, how):
    assert_same(*both(table, how.changed(epochs=20), device=torch.device("cuda")), 1e-7)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_no_batch_waits_for_the_gpu(table):
    how = SETTINGS.changed(precision="bfloat16", batch_size=16)
    fast.train(table.data, table.names, Architecture(6, 3), how, torch.device("cuda"))
    step = Step(new_model(Architecture(6, 3), how).cuda(), how)
    rows = torch.rand(16, 6, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.no_grad():
            step(rows)  # raises if it waits, as the next line does
        with pytest.raises(RuntimeError, match="synchronizing"):
            rows[0, 0].item()
    finally:
        torch.cuda.set_sync_debug_mode("default")
