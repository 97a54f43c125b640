"""What it gains to divide each batch between two threads, each of which computes a part of the gradient.

    python benchmarks/data_parallel.py

Prints, for each precision, the speed relative to one thread of torch's own threads, of two Python threads, and of two
trainings at the same time, and the largest that a divided batch could reach if threads never waited for each other,
with the optimizer's step on one thread (as here) and divided, too: half a batch takes more than half of the time.
Medians over rounds in which the ways take turns.
"""

import statistics
import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.fast import Step, _layers, _Pass
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import new_model

ARCHITECTURE = Architecture.of("baler", 24, 2.0)
BATCH, ROWS, ROUNDS = 512, 25_600, 8
HALF = BATCH // 2


class Divided:
    """A step whose gradient is computed by two threads."""

    def __init__(self, step: Step, example: Tensor) -> None:
        self._step = step
        self._gradients = [torch.zeros_like(step.gradient) for _ in range(2)]
        layers = (_layers(ARCHITECTURE, step.parameters, gradient) for gradient in self._gradients)
        self._passes = [_Pass(one, ARCHITECTURE.negative_slope, example[:HALF], 1.0) for one in layers]
        self._rows: Tensor | None = None
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._other, daemon=True).start()

    def __call__(self, rows: Tensor) -> None:
        """Take a step on a batch."""
        self._rows = rows[HALF:]
        self._go.release()
        self._passes[0](rows[:HALF])
        self._done.acquire()
        torch.add(*self._gradients, out=self._step.gradient)
        self._step.optimizer.step()

    def _other(self) -> None:
        with torch.no_grad():
            while self._go.acquire():
                assert self._rows is not None
                self._passes[1](self._rows)
                self._done.release()


def time_s(call: Callable[[], object]) -> float:
    """Time a call (s)."""
    start_s = time.perf_counter()
    call()
    return time.perf_counter() - start_s


def both(one: Callable[[], object], other: Callable[[], object]) -> None:
    """Call two functions at the same time."""

    def call() -> None:
        with torch.no_grad():
            other()

    thread = threading.Thread(target=call)
    thread.start()
    one()
    thread.join()


def new_step(precision: str) -> Step:
    """Make a step of a new network."""
    settings = TrainingSettings(epochs=1, batch_size=BATCH, seed=1, precision=precision)
    return Step(new_model(ARCHITECTURE, settings), settings)


def main() -> None:
    """Compare and print."""
    for precision in ("float64", "float32"):
        plain, other, second = (new_step(precision) for _ in range(3))
        rows = torch.rand(ROWS, ARCHITECTURE.columns, dtype=plain.parameters.dtype)
        divided, batches = Divided(other, rows), torch.split(rows, BATCH)

        def epoch(step: Callable[[Tensor], None], batches: tuple[Tensor, ...] = batches) -> None:
            for batch in batches:
                step(batch)

        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "one thread": (1, lambda step=plain: epoch(step)),
            "torch's threads": (2, lambda step=plain: epoch(step)),
            "two Python threads": (1, lambda step=divided: epoch(step)),
            "two trainings": (1, lambda step=plain, more=second: both(lambda: epoch(step), lambda: epoch(more))),
            "whole batch": (1, lambda step=plain, first=batches[0]: step.differentiate(first)),
            "half a batch": (1, lambda step=plain, first=batches[0]: step.differentiate(first[:HALF])),
            "optimizer": (1, plain.optimizer.step),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        with torch.no_grad():
            for number in range(ROUNDS + 1):
                for name, (threads, call) in ways.items():
                    torch.set_num_threads(threads)
                    spent_s = time_s(call)
                    times[name] += [spent_s] if number else []  # the first round allocates memory
        median = {name: statistics.median(values) for name, values in times.items()}
        for name, work in (("torch's threads", 1), ("two Python threads", 1), ("two trainings", 2)):
            ratios = [work * one / own for one, own in zip(times["one thread"], times[name], strict=True)]
            print(f"{precision}: {name}: x{statistics.median(ratios):.2f}")
        whole, half, rest = (median[name] for name in ("whole batch", "half a batch", "optimizer"))
        print(
            f"{precision}: half a batch takes {half / whole:.2f} of a whole one, the optimizer {rest / whole:.2f} of it"
        )
        print(f"{precision}: without any waiting: x{(whole + rest) / (half + rest):.2f}")
        print(f"{precision}: and with the optimizer divided: x{(whole + rest) / (half + rest / 2):.2f}")


if __name__ == "__main__":
    main()
