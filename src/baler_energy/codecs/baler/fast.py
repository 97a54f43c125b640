"""The engine ``fast``: the training of the reference, at the speed of the hardware.

The mathematics is the reference's; only rounding differs. The overhead around it is smaller:

- parameters and gradients are one vector each, so that Adam is a single fused call; optimizers that work on matrices
  get views of them;
- forward and backward pass are written out, into memory that is allocated once, and the gradient of the input, which
  is not needed, is not computed;
- the table and its batches stay on the device, and losses are summed there and fetched once per epoch;
- on a GPU a step is one launch of a CUDA graph, instead of one launch for each operation.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu_
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.data import RandomSampler

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import DTYPES, Autoencoder
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.state import Epoch, Keeper
from baler_energy.codecs.baler.training import (
    Trained,
    batch_loss,
    fit_and_prune,
    new_learner,
    new_optimizer,
    started_model,
    train_epochs,
    training_work,
)
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.errors import UnavailableError

__all__ = ["GraphedStep", "Step", "train"]

Floats = NDArray[np.float64]

#: In float16, largest sum over a batch of gradients of size 1, so that neither large nor small ones leave its range.
_LARGEST_SUM = 2.0**15


def train(
    data: Floats,
    names: Sequence[str],
    architecture: Architecture,
    settings: TrainingSettings,
    device: torch.device,
    on_epoch: Callable[[Epoch], bool | None] = lambda epoch: False,
    keeper: Keeper | None = None,
) -> Trained:
    """Scale a table (rows, columns) and train a new network on it, as `training.train` does.

    The same settings give the reference's network and losses, except for rounding. With precision ``bfloat16``,
    parameters, Adam and loss are float32; inputs and outputs of the matrix products are rounded to bfloat16. The same
    holds for ``float16``, where gradients are multiplied by a constant as long as they have 16 bits, since most of them
    are smaller than the smallest number of this format (Micikevicius et al. 2018, arXiv 1710.03740).

    Raises
    ------
    InputError
        A column cannot be scaled, or the loss is no longer finite.
    UnavailableError
        The precision is ``float16``, and there is no GPU.
    """
    if settings.precision == "float16" and device.type == "cpu":
        raise UnavailableError("precision 'float16' requires a GPU. Use precision 'float32' or 'bfloat16'.")
    normalisation = Normalisation.of(data, names)
    scaled = normalisation.normalise(data)
    model = started_model(architecture, settings, scaled).to(device)
    with torch.no_grad(), _side_stream(device):
        table = torch.as_tensor(scaled, dtype=DTYPES[settings.precision], device=device)
        batches = _Batches(table, settings)

        def fit(
            model: Autoencoder, settings: TrainingSettings, keeper: Keeper | None, before: int
        ) -> tuple[Epoch, ...]:
            step = Step(model, settings)
            graphed = device.type == "cuda" and step.is_one_vector
            take = GraphedStep(step, step.optimizer, settings.batch_size) if graphed else step
            learner = new_learner(model, step.optimizer, batches.order, settings, len(batches))

            def epoch() -> float:
                for rows in batches:
                    take(rows)
                    learner.after_step()
                return step.fetch_summed_loss() / len(batches)

            return train_epochs(epoch, learner, settings, on_epoch, keeper, before)

        return fit_and_prune(fit, model, normalisation, settings, keeper)


@contextmanager
def training(asked: Asked) -> Iterator[Work]:
    """Set up training with the fast engine."""
    yield training_work(asked, train)


class Step:
    """Train a network on a batch: forward pass, backward pass, optimizer. With Adam, nothing waits for the device.

    Parameters
    ----------
    model
        The network; its parameters become views of the vector `parameters`, and their gradients of `gradient`.
    settings
        Settings of the training.
    """

    def __init__(self, model: Autoencoder, settings: TrainingSettings) -> None:
        self.parameters = parameters_to_vector(model.parameters()).detach()
        vector_to_parameters(self.parameters, model.parameters())
        self.gradient = self.parameters.grad = torch.zeros_like(self.parameters)
        self._model = model
        self._connect_gradients()
        self.optimizer = new_optimizer(list(model.parameters()), settings, vector=self.parameters)
        # The matrix products use the same two vectors, unless their number type differs.
        products = getattr(torch, settings.precision)
        self._factors, self._products = self.parameters.to(products), self.gradient.to(products)
        self._layers = _layers(model.architecture, self._factors, self._products)
        self._slope = model.architecture.negative_slope
        self._scale = _LARGEST_SUM / settings.batch_size if products == torch.float16 else 1.0
        self._passes: dict[int, _Pass] = {}
        self._summed_loss = torch.zeros((), dtype=torch.float64, device=self.parameters.device)

    def __call__(self, rows: Tensor) -> None:
        """Take a step on normalised rows (rows, columns) of the parameters' number type."""
        if getattr(self.optimizer, "needs_graph", False):
            self._step_with_graph(rows)
        else:
            self.differentiate(rows)
            self.optimizer.step()

    @property
    def is_one_vector(self) -> bool:
        """Whether the optimizer updates the vector as a whole; a CUDA graph cannot capture the steps of the others."""
        return self.optimizer.param_groups[0]["params"][0] is self.parameters

    def differentiate(self, rows: Tensor) -> None:
        """Compute `gradient` for the loss of the rows, and add this loss to the sum."""
        if self._factors is not self.parameters:
            self._factors.copy_(self.parameters)
        if len(rows) not in self._passes:
            self._passes[len(rows)] = _Pass(self._layers, self._slope, rows, self._scale)
        self._summed_loss += self._passes[len(rows)](rows)
        if self._products is not self.gradient:
            torch.div(self._products, self._scale, out=self.gradient)

    def _step_with_graph(self, rows: Tensor) -> None:
        """Take a step that needs second derivatives, by autograd."""
        with torch.enable_grad():
            loss = batch_loss(self._model(rows), rows)
            self.optimizer.differentiate(loss)  # type: ignore[attr-defined]
        self.optimizer.step()
        self._summed_loss += loss.detach()
        self._connect_gradients()

    def _connect_gradients(self) -> None:
        """Make the gradients of the network's parameters views of `gradient`."""
        parameters = list(self._model.parameters())
        gradients = torch.split(self.gradient, [one.numel() for one in parameters])
        for one, gradient in zip(parameters, gradients, strict=True):
            one.grad = gradient.view_as(one)

    def fetch_summed_loss(self) -> float:
        """Fetch the sum of the losses of all batches since the last call."""
        loss = self._summed_loss.item()
        self._summed_loss.zero_()
        return loss


class _Layer(NamedTuple):
    """A layer's parameters and their gradients, as views of the vectors, and its place in the network."""

    weight: Tensor
    """(outputs, inputs)"""
    transposed: Tensor
    """The weight as (inputs, outputs)."""
    bias: Tensor
    """(outputs, 1)"""
    weight_gradient: Tensor
    bias_gradient: Tensor
    """(outputs,)"""
    activated: bool
    starts: bool
    """Whether it is the first one of the encoder or decoder."""


def _layers(architecture: Architecture, parameters: Tensor, gradient: Tensor) -> list[_Layer]:
    """Split the vectors of parameters and gradient into layers, in the network's order."""
    layers, start = [], 0
    for half in (architecture.encoder, architecture.decoder):
        names = list(half)
        for name, (inputs, outputs) in half.items():
            middle, stop = start + inputs * outputs, start + (inputs + 1) * outputs
            weight, bias = parameters[start:middle].view(outputs, inputs), parameters[middle:stop].unsqueeze(1)
            gradients = gradient[start:middle].view(outputs, inputs), gradient[middle:stop]
            place = name != names[-1], name == names[0]
            layers.append(_Layer(weight, weight.t(), bias, *gradients, *place))
            start = stop
    return layers


class _Pass:
    """Forward and backward pass of a batch, with memory for the rows of `example` (rows, columns).

    Gradients are multiplied by `scale`. Values are stored as (features, rows), in which products are a little faster
    than as (rows, features). With a skip, the inputs of the last layer of encoder and decoder are the outputs before
    it, then the inputs of the first layer.
    """

    def __init__(self, layers: Sequence[_Layer], slope: float, example: Tensor, scale: float) -> None:
        self._layers, self._slope, self._scale = layers, slope, scale
        rows, columns = example.shape
        # What a layer writes to, as wide as the inputs of the next layer.
        widths = [*(layer.weight.shape[1] for layer in layers[1:]), columns]
        empty = layers[0].weight.new_empty
        self._values = [empty(width, rows) for width in widths]
        self._transposed = [values.t() for values in self._values]
        # The gradient of a layer's outputs is only needed to compute that of the layer before: two buffers alternate.
        turns = [empty(max(widths) * rows) for _ in range(2)]
        gradients = [turns[n % 2][: width * rows].view(width, rows) for n, width in enumerate(widths)]
        if widths[-2] > len(layers[-2].bias):
            # The gradient of the values that skip the decoder's hidden layers is only used at its first layer.
            gradients[-2] = torch.empty_like(gradients[-2])
        self._value_gradients = gradients
        self._outputs, self._gradients = (
            [one[: len(layer.bias)] for one, layer in zip(values, layers, strict=True)]
            for values in (self._values, gradients)
        )
        self._skipping = gradients[-2][len(self._gradients[-2]) :]
        self._ones = torch.ones_like(self._outputs[0][0])
        self._errors = example.new_empty(columns, rows)
        self._flat_errors = self._errors.view(-1)
        self._loss = example.new_empty(())

    def __call__(self, rows: Tensor) -> Tensor:
        """Write the gradients into the layers; return the loss, which the next call overwrites."""
        columns, factors = rows.shape[1], rows.to(self._ones.dtype)
        inputs = start = factors.t()
        for layer, values, outputs in zip(self._layers, self._values, self._outputs, strict=True):
            start = inputs if layer.starts else start
            torch.addmm(layer.bias, layer.weight, inputs, out=outputs)
            if layer.activated:
                leaky_relu_(outputs, self._slope)
            if len(values) > len(outputs):
                values[len(outputs) :] = start
            inputs = values
        torch.sub(inputs, rows.t(), out=self._errors)
        torch.mul(self._errors, 2 * self._scale / columns, out=self._gradients[-1])
        self._backward(factors)
        return torch.dot(self._flat_errors, self._flat_errors, out=self._loss).div_(columns)

    def _backward(self, rows: Tensor) -> None:
        for number in reversed(range(len(self._layers))):
            layer, gradient = self._layers[number], self._gradients[number]
            if layer.activated:
                # The activation keeps the sign of its input, so its output can be used instead.
                torch.ops.aten.leaky_relu_backward(
                    gradient, self._outputs[number], self._slope, True, grad_input=gradient
                )
            torch.mm(gradient, self._transposed[number - 1] if number else rows, out=layer.weight_gradient)
            torch.mv(gradient, self._ones, out=layer.bias_gradient)
            if number:
                torch.mm(layer.transposed, gradient, out=self._value_gradients[number - 1])
                if layer.starts and len(self._skipping):
                    self._gradients[number - 1] += self._skipping


class GraphedStep:
    """A step that replays full batches from a CUDA graph; smaller batches run without a graph.

    The first steps are not captured: in them the libraries and Adam allocate memory, which a capture does not allow.
    The graph holds the learning rate as a constant, so this starts again when the rate changes. If a schedule changes
    it at every step, all steps run without a graph.

    Parameters
    ----------
    step
        Takes a step on rows (rows, columns), always with the same memory.
    optimizer
        The optimizer whose learning rate the step uses.
    batch_size
        Rows of a full batch.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[[Tensor], None], optimizer: torch.optim.Optimizer, batch_size: int) -> None:
        self._step, self._optimizer, self._batch_size = step, optimizer, batch_size
        self._taken = 0
        self._rate: float | None = None
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, rows: Tensor) -> None:
        """Take a step on normalised rows (rows, columns)."""
        rate = self._optimizer.param_groups[0]["lr"]
        if rate != self._rate:
            self._rate, self._taken, self._graph = rate, 0, None
        if len(rows) < self._batch_size:
            self._step(rows)
        elif self._taken < self.WARM_UP:
            self._step(rows)
            self._taken += 1
        else:
            self._replay(rows)

    def _replay(self, rows: Tensor) -> None:
        if self._graph is None:
            self._rows, self._graph = torch.empty_like(rows), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=torch.cuda.current_stream()):
                self._step(self._rows)
        self._rows.copy_(rows)
        self._graph.replay()


class _Batches:
    """The batches of an epoch, in the order in which the reference's loader draws them."""

    def __init__(self, table: Tensor, settings: TrainingSettings) -> None:
        self._table, self._batch_size = table, settings.batch_size
        self.order = torch.Generator().manual_seed(settings.seed)
        self._sampler = RandomSampler(range(len(table)), generator=self.order) if settings.shuffle else None
        self._views = torch.split(table, settings.batch_size)

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[Tensor]:
        if self._sampler is None:
            yield from self._views
            return
        # The loader starts an epoch by drawing a seed for worker processes.
        torch.empty((), dtype=torch.int64).random_(generator=self.order)
        order = torch.from_numpy(np.fromiter(self._sampler, np.int64)).to(self._table.device)
        for chosen in torch.split(order, self._batch_size):
            yield self._table.index_select(0, chosen)


@contextmanager
def _side_stream(device: torch.device) -> Iterator[None]:
    """Work on a separate stream on a GPU, which capturing a CUDA graph requires."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
