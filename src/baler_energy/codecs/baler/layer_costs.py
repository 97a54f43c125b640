"""The parts of an operation, each run separately: its layers, forward and backward, and its data transfers.

Each part does its share of the whole operation: the same number of batches of the same size, with the codec's own
functions. Overhead between the parts (loops, bookkeeping, fetching the loss, copying the inputs of a skip) is in no
part.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.in_memory import InMemoryCodec, write_latents
from baler_energy.codecs.baler.model import DTYPES, Autoencoder
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import batch_loss, loader, new_optimizer, started_model
from baler_energy.codecs.container import Reader
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.data.table import Table
from baler_energy.variants import OPTIMIZERS, STARTS, load

__all__ = ["Part", "compress_parts", "decompress_parts", "train_parts"]


@dataclass(frozen=True)
class Part:
    """A part of an operation.

    Parameters
    ----------
    kind
        ``data``, ``layer`` or ``optimizer``.
    name
        For example ``en1 forward``.
    run
        Does the part's work of one whole operation.
    calls
        Number of batches (1 if it works on the whole table at once).
    flops
        FLOPs in one whole operation: two per multiply-accumulate of matrix products; None if it has none.
    bytes
        Minimum traffic (B) in one whole operation: each input and output value moved once; None if unknown.
    """

    kind: str
    name: str
    run: Callable[[], object]
    calls: int
    flops: int | None = None
    bytes: int | None = None


def train_parts(
    table: Table, architecture: Architecture, settings: TrainingSettings, device: torch.device
) -> list[Part]:
    """Split one epoch of training into parts; the table must consist of whole batches."""
    batch, dtype = settings.batch_size, DTYPES[settings.precision]
    batches = len(table.data) // batch
    scaled = Normalisation.of(table.data, table.names).normalise(table.data)
    source = loader(scaled, settings, device)
    model = started_model(architecture, settings, scaled).to(device)
    rows = torch.as_tensor(scaled[:batch], dtype=dtype, device=device)

    def scaling() -> None:
        Normalisation.of(table.data, table.names).normalise(table.data)

    def drawing() -> None:
        for _ in source:
            pass

    parts = [
        # Read for the minima, for the maxima and for scaling, and written.
        Part("data", "scaling", scaling, 1, bytes=4 * scaled.nbytes),
        *_moved(lambda: torch.as_tensor(scaled, dtype=dtype, device=device), 1, scaled, dtype, device),
        *_start(architecture, settings, scaled),
        Part("data", "drawing batches", drawing, batches, bytes=2 * scaled.size * rows.element_size()),
    ]
    return [*parts, *_trained_layers(model, architecture, rows, batches), _optimizer(model, settings, rows, batches)]


def _trained_layers(model: Autoencoder, architecture: Architecture, rows: torch.Tensor, batches: int) -> list[Part]:
    """Each layer and the loss, forward and backward, for as many batches like these rows."""
    parts: list[Part] = []
    values = start = rows
    for number, (name, layer) in enumerate(model.named_children()):
        assert isinstance(layer, nn.Linear)
        slope = _slope(architecture, name)
        values = _joined(layer, values, start)
        parts += _trained_layer(name, layer, values, batches, slope=slope, first=number == 0)
        values = _apply(layer, values, slope).detach()
        start = values if slope is None else start
    output = values.requires_grad_()
    loss = batch_loss(output, rows)
    moved = batches * rows.numel() * rows.element_size()
    return [
        *parts,
        Part("layer", "loss forward", _repeated(lambda: batch_loss(output, rows), batches), batches, bytes=2 * moved),
        Part("layer", "loss backward", _repeated(_backward(loss, [output]), batches), batches, bytes=3 * moved),
    ]


def _start(architecture: Architecture, settings: TrainingSettings, scaled: NDArray[np.float64]) -> list[Part]:
    """Make the part that computes the parameters to start from; no part if they are only drawn."""
    if not STARTS[settings.start].modules:
        return []
    return [Part("data", f"start {settings.start}", lambda: started_model(architecture, settings, scaled), 1)]


def _optimizer(model: Autoencoder, settings: TrainingSettings, rows: Tensor, batches: int) -> Part:
    """Make the optimizer's steps.

    A step that estimates second derivatives uses up the graph of its gradients, so it includes a forward and a backward
    pass of its own.
    """
    # A copy: a step changes the parameters in place, and the layers' backward passes must not see that.
    model = copy.deepcopy(model)
    optimizer = new_optimizer(list(model.parameters()), settings)
    differentiate: Callable[[Tensor], None] = getattr(optimizer, "differentiate", Tensor.backward)

    def step_with_graph() -> None:
        if optimizer.needs_graph:  # type: ignore[attr-defined]
            differentiate(batch_loss(model(rows), rows))
        optimizer.step()

    differentiate(batch_loss(model(rows), rows))
    run: Callable[[], object] = step_with_graph if hasattr(optimizer, "needs_graph") else optimizer.step
    kind = load(OPTIMIZERS[settings.optimizer])
    count = sum(parameter.numel() for parameter in model.parameters())
    moved = None if kind.VALUES_MOVED is None else kind.VALUES_MOVED * count * rows.element_size() * batches
    return Part("optimizer", f"{kind.NAME} step", _repeated(run, batches), batches, bytes=moved)


def compress_parts(codec: InMemoryCodec, table: Table, batch: int, device: torch.device, path: Path) -> list[Part]:
    """Split the compression of a table of whole batches into parts; its file goes to `path`."""
    checkpoint = codec.checkpoint
    batches, dtype = len(table.data) // batch, DTYPES[checkpoint.precision]
    scaled = checkpoint.normalisation.normalise(table.data[:batch])
    rows = torch.as_tensor(scaled, dtype=dtype, device=device)
    latents = codec.encode(table.data)

    def scaling() -> None:
        for start in range(0, len(table.data), batch):
            checkpoint.normalisation.normalise(table.data[start : start + batch])

    def writing() -> None:
        write_latents(path, latents, checkpoint, table.origin)

    def to_device() -> Tensor:
        return torch.as_tensor(scaled, dtype=dtype, device=device)

    parts = [Part("data", "scaling", scaling, batches, bytes=2 * table.data.nbytes)]
    parts += _moved(to_device, batches, table.data, dtype, device)
    with torch.no_grad():
        output, layers = _applied_layers(checkpoint.model(device), "en", rows, batches)

    def from_device() -> None:
        latents[:batch] = output.cpu().numpy()

    collected = Part("data", "from the device", _repeated(from_device, batches), batches, bytes=2 * latents.nbytes)
    return [*parts, *layers, collected, Part("data", "writing the file", writing, 1, bytes=latents.nbytes)]


def decompress_parts(codec: InMemoryCodec, compressed: Path, batch: int, device: torch.device) -> list[Part]:
    """Split the decompression of a file with whole batches of rows into parts."""
    checkpoint = codec.checkpoint
    latents = Reader(compressed).latents()
    batches = len(latents) // batch
    data = codec.decode(latents)
    first = torch.from_numpy(latents[:batch]).to(device)

    def to_device() -> Tensor:
        return torch.from_numpy(latents[:batch]).to(device)

    with torch.no_grad():
        output, layers = _applied_layers(checkpoint.model(device), "de", first, batches)

    def from_device() -> object:
        return output.to("cpu", torch.float64).numpy()

    scaled = output.to("cpu", torch.float64).numpy()

    def restoring() -> None:
        for start in range(0, len(data), batch):
            data[start : start + batch] = checkpoint.normalisation.restore(scaled)

    return [
        Part("data", "reading the file", lambda: Reader(compressed).latents(), 1, bytes=latents.nbytes),
        *_moved(to_device, batches, latents, first.dtype, device),
        *layers,
        Part("data", "from the device", _repeated(from_device, batches), batches),
        Part("data", "restoring the scale", restoring, batches, bytes=2 * data.nbytes),
        Part("data", "rounding", lambda: round_to_native(data, checkpoint.dtypes), 1, bytes=2 * data.nbytes),
    ]


def _moved(
    run: Callable[[], object], times: int, values: NDArray[np.floating], dtype: torch.dtype, device: torch.device
) -> list[Part]:
    """Make the part that moves values to the device; on a CPU no part if the type is the same, as nothing is copied."""
    size = torch.empty((), dtype=dtype).element_size()
    if device.type == "cpu" and size == values.itemsize:
        return []
    return [Part("data", "to the device", _repeated(run, times), times, bytes=values.size * (values.itemsize + size))]


def _trained_layer(
    name: str, layer: nn.Linear, values: Tensor, batches: int, *, slope: float | None, first: bool
) -> list[Part]:
    """Make a layer's forward and backward pass, with its activation; the first layer's inputs need no gradient."""
    inputs = values.detach() if first else values.detach().requires_grad_()
    output = _apply(layer, inputs, slope)
    wanted = [layer.weight, layer.bias] if first else [inputs, layer.weight, layer.bias]
    flops, moved = _work(layer, values, batches)
    # The backward pass reads inputs and the output's gradient, and writes the gradients of the weights. Except in the
    # first layer, it also reads the weights and writes the gradients of the inputs.
    more = batches * (values.numel() + layer.weight.numel()) * values.element_size()
    passes, back = (1, moved) if first else (2, moved + more)
    return [
        Part(
            "layer",
            f"{name} forward",
            _repeated(lambda: _apply(layer, inputs, slope), batches),
            batches,
            flops,
            moved,
        ),
        Part(
            "layer",
            f"{name} backward",
            _repeated(_backward(output, wanted), batches),
            batches,
            passes * flops,
            back,
        ),
    ]


def _applied_layers(model: Autoencoder, prefix: str, values: Tensor, batches: int) -> tuple[Tensor, list[Part]]:
    """Make the layers' passes without gradients, and give the last layer's output."""
    parts, start = [], values
    for name, layer in model.named_children():
        if name.startswith(prefix):
            assert isinstance(layer, nn.Linear)
            values = _joined(layer, values, start)
            run = _applied(layer, values, _slope(model.architecture, name))
            parts.append(
                Part("layer", f"{name} forward", _repeated(run, batches), batches, *_work(layer, values, batches))
            )
            values = run()
    return values, parts


def _applied(layer: nn.Linear, values: Tensor, slope: float | None) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.no_grad():
            return _apply(layer, values, slope)

    return run


def _apply(layer: nn.Linear, values: Tensor, slope: float | None) -> Tensor:
    output: Tensor = layer(values)
    return output if slope is None else leaky_relu(output, slope)


def _joined(layer: nn.Linear, values: Tensor, start: Tensor) -> Tensor:
    """Give a layer's inputs; with a skip, the last layer also reads the inputs of the first one."""
    return torch.cat([values, start], dim=1) if layer.in_features > values.shape[1] else values


def _slope(architecture: Architecture, layer: str) -> float | None:
    """Slope of the activation after a layer; None for the last layers of encoder and decoder, which have none."""
    last = (list(architecture.encoder)[-1], list(architecture.decoder)[-1])
    return None if layer in last else architecture.negative_slope


def _work(layer: nn.Linear, values: Tensor, batches: int) -> tuple[int, int]:
    """FLOPs and minimum traffic (B) of a layer's product: inputs, weights and outputs, each moved once per batch."""
    rows, (outputs, inputs) = len(values), layer.weight.shape
    moved = rows * inputs + inputs * outputs + rows * outputs
    return 2 * batches * rows * inputs * outputs, batches * moved * values.element_size()


def _backward(output: Tensor, wanted: Sequence[Tensor]) -> Callable[[], object]:
    gradient = torch.ones_like(output)
    return lambda: torch.autograd.grad(output, wanted, gradient, retain_graph=True)


def _repeated(run: Callable[[], object], times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            run()

    return repeated
