"""The engine ``fast``: compress and decompress tables of any size at the speed of the hardware.

Within a block, batches small enough for the caches run through buffers that are allocated once. The scale of the
normalisation is folded into the weights of the first layer (and of a skip), and its inverse into those of the last
layer. So only the minimum is subtracted or added, in float64, while values are copied anyway.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu_

from baler_energy.codecs.baler.checkpoint import Checkpoint, checkpoint_of
from baler_energy.codecs.baler.model import DTYPES
from baler_energy.codecs.baler.runtimes.base import TOLERANCES, Apply
from baler_energy.codecs.baler.runtimes.running import Half, deviation_facts, largest_deviation
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.streaming import BLOCK_ROWS, StreamingCodec, streamed_compression, streamed_decompression
from baler_energy.formats import Source

__all__ = ["checkpoint_of", "compressing", "decompressing", "streaming_codec"]

Floats = NDArray[np.float64]

#: Rows of a batch on a CPU, so that activations stay in the caches; on a GPU a batch is a whole block.
BATCH_ROWS = 1024


def streaming_codec(
    checkpoint: Checkpoint, device: torch.device, packing: str = "none", threads: int | None = None
) -> StreamingCodec:
    """Make the codec of a checkpoint on a device; `packing` and `threads` as in `StreamingCodec`."""
    return StreamingCodec(
        checkpoint,
        lambda: _Encoder(checkpoint, device),
        lambda: _Decoder(checkpoint, device),
        packing=packing,
        threads=1 if device.type == "cuda" else threads,
    )


def compressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up compression of a file of any format, which is read within the window."""
    checkpoint = checkpoint_of(asked)

    def facts(codec: StreamingCodec, source: Source) -> Mapping[str, float | str | None]:
        rows = next(
            (block.data[: asked.warm_up_rows] for block in source.blocks(asked.warm_up_rows)),
            np.empty((0, len(source.names))),
        )
        with np.errstate(all="ignore"):
            eager = _eagerly(checkpoint, "en", asked.device)(checkpoint.normalisation.normalise(rows))
            return _deviation(codec.encode(rows)[0], eager, checkpoint.precision)

    return streamed_compression(
        asked, lambda source: streaming_codec(checkpoint, asked.device, asked.point.packing), checkpoint.names, facts
    )


def decompressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up decompression to a file of the original format, which is written within the window."""
    checkpoint = checkpoint_of(asked)
    codec, scale = streaming_codec(checkpoint, asked.device), checkpoint.normalisation
    # To add a minimum and to subtract it again rounds to the digits that its sum with the range has.
    minimum, column_range = scale.features
    digits = np.divide(np.abs(minimum), column_range, out=np.zeros_like(minimum), where=column_range > 0)
    rounding = 4 * float(np.finfo(np.float64).eps * digits.max(initial=0.0))

    def facts() -> Mapping[str, float | str | None]:
        latents = np.array(asked.compressed.first(asked.warm_up_rows)[0])
        with np.errstate(all="ignore"):
            eager = scale.restore(_eagerly(checkpoint, "de", asked.device)(latents).astype(np.float64))
            found = scale.normalise(codec.decode(latents))
            return _deviation(found, scale.normalise(eager), checkpoint.precision, rounding)

    return streamed_decompression(asked, codec, facts)


def _eagerly(checkpoint: Checkpoint, half: str, device: torch.device) -> Apply:
    """Return the encoder (``en``) or decoder (``de``) as PyTorch itself computes it, on scaled values."""
    return Half(checkpoint.model(device), half, checkpoint.precision, device).apply


def _deviation(
    found: NDArray[Any], expected: NDArray[Any], precision: str, rounding: float = 0.0
) -> Mapping[str, float | str | None]:
    """Return the facts that runtimes have, too, here for the first rows; nulls if eager's values are not finite.

    The tolerance includes the `rounding` of values over their range. Values far from 0, compared with their range, have
    fewer correct digits of it.
    """
    if not np.isfinite(expected).all():
        return {"runtime_deviation": None, "runtime_reason": None}
    deviation = largest_deviation([(found, expected)])
    largest, value_range = float(np.abs(expected).max(initial=0.0)), float(np.ptp(expected)) if expected.size else 0.0
    # If all values are equal, there is no range to divide by.
    offset = largest / value_range if value_range else largest
    allowed = TOLERANCES[precision] * max(1.0, offset) + rounding
    remedy = "Use engine 'reference', and report this as a defect."
    return deviation_facts(deviation, allowed, "Engine 'fast'", remedy)


class _Layers:
    """Layers with buffers for a batch; values are (features, rows), in which products are a little faster."""

    def __init__(self, checkpoint: Checkpoint, prefix: str, device: torch.device) -> None:
        names = checkpoint.architecture.encoder if prefix == "en" else checkpoint.architecture.decoder
        parameters = checkpoint.parameters
        self.device = device
        self.dtype = DTYPES[checkpoint.precision]
        self.slope = checkpoint.architecture.negative_slope
        self.weights = [parameters[f"{name}.weight"].to(device, copy=True) for name in names]
        self.biases = [parameters[f"{name}.bias"].to(device, copy=True)[:, None] for name in names]
        self.batch_rows = BATCH_ROWS if device.type == "cpu" else BLOCK_ROWS
        # Each buffer has the inputs of the next layer: with a skip, the last layer also reads the values themselves.
        widths = [*(weight.shape[1] for weight in self.weights[1:]), len(self.biases[-1])]
        self.buffers = [torch.empty(width, self.batch_rows, dtype=self.dtype, device=device) for width in widths]

    def through_layers(self, values: Tensor) -> Tensor:
        """Pass a batch (inputs, rows) through the layers; the next call overwrites the result (outputs, rows)."""
        last, inputs = len(self.weights) - 1, values
        for number, (weight, bias, buffer) in enumerate(zip(self.weights, self.biases, self.buffers, strict=True)):
            outputs = buffer[: len(bias), : values.shape[1]]
            torch.addmm(bias, weight, inputs, out=outputs)
            inputs = buffer[:, : values.shape[1]]
            if number < last:
                leaky_relu_(outputs, self.slope)
            if len(inputs) > len(outputs):
                inputs[len(outputs) :] = values
        return inputs


class _Encoder(_Layers):
    """Turns values into latents."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, "en", device)
        self.normalisation = checkpoint.normalisation
        self.minimum, column_range = checkpoint.normalisation.features
        self.folded = _foldable(column_range)
        if self.folded:
            # A column that was constant in training becomes 0.
            scale = np.divide(1.0, column_range, out=np.zeros_like(column_range), where=column_range > 0)
            reading = (self.weights[0], self.weights[-1]) if checkpoint.architecture.skip else (self.weights[0],)
            for weight in reading:
                # The inputs that are values are the last ones.
                columns = weight[:, -len(scale) :]
                columns.copy_(columns.double() * torch.from_numpy(scale).to(device))
        self.rows = torch.empty(self.batch_rows, len(column_range), dtype=self.dtype)

    def __call__(self, data: Floats) -> tuple[NDArray[np.floating]]:
        latents = torch.empty(len(data), len(self.biases[-1]), dtype=self.dtype)
        # An overflow gives latents that are not finite, which the caller detects.
        with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(data), self.batch_rows):
                stop = min(start + self.batch_rows, len(data))
                rows = self.rows[: stop - start]
                if self.folded:
                    np.subtract(data[start:stop], self.minimum, out=rows.numpy(), casting="same_kind")
                else:
                    rows.numpy()[:] = self.normalisation.normalise(data[start:stop])
                latents[start:stop] = self.through_layers(rows.to(self.device).t()).t()
        return (latents.numpy(),)


class _Decoder(_Layers):
    """Turns latents into values."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, "de", device)
        self.minimum, self.column_range = (
            torch.from_numpy(row.copy()).to(device) for row in checkpoint.normalisation.features
        )
        self.folded = _foldable(checkpoint.normalisation.features[1])
        if self.folded:
            column_range = self.column_range[:, None]
            self.weights[-1] = (self.weights[-1].double() * column_range).to(self.dtype)
            self.biases[-1] = (self.biases[-1].double() * column_range).to(self.dtype)

    def __call__(self, latents: NDArray[np.floating]) -> Floats:
        data = torch.empty(len(latents), len(self.minimum), dtype=torch.float64)
        values = torch.from_numpy(latents if latents.flags.writeable else latents.copy())
        with torch.inference_mode():
            for start in range(0, len(latents), self.batch_rows):
                stop = min(start + self.batch_rows, len(latents))
                rows = self.through_layers(values[start:stop].to(self.device, self.dtype).t()).t()
                scaled = rows if self.folded else rows.double() * self.column_range
                if self.device.type == "cpu":
                    torch.add(scaled, self.minimum, out=data[start:stop])
                else:
                    data[start:stop] = scaled + self.minimum
        return data.numpy()


def _foldable(column_range: Floats) -> bool:
    """Whether weights multiplied or divided by these ranges stay well inside float32 and float64."""
    ranges = column_range[column_range > 0]
    return bool(((ranges > 1e-20) & (ranges < 1e20)).all())
