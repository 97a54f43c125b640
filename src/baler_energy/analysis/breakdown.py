"""What a profiled operation spends its time on, in categories that all engines share."""

from collections.abc import Iterable, Mapping
from typing import Any

from baler_energy.variants import ENGINES, load

__all__ = ["CATEGORIES", "REST", "breakdown", "functions_of", "over_epochs"]

#: Functions: the end of the file's path or, ending with a slash, a part of it (empty: any), and names (empty: all).
Functions = tuple[tuple[str, tuple[str, ...]], ...]
#: Categories in order, each with the functions that engines share; engines name their own in ``CALLS``.
CATEGORIES: Mapping[str, Functions] = {
    "products and activations": (
        ("torch/_tensor.py", ("backward",)),
        ("torch/nn/modules/module.py", ("_wrapped_call_impl", "_call_impl")),
        ("codecs/streaming.py", ("encode", "decode")),
    ),
    "optimizer": (("torch/optim/", ("wrapper", "profile_hook_step", "step", "__init__")),),
    "loss": (),
    "drawing batches": (("tqdm/std.py", ("__iter__",)), ("torch/utils/data/dataloader.py", ())),
    "scaling and rounding": (("codecs/normalisation.py", ()), ("codecs/native.py", ())),
    "collecting output": (
        ("<__array_function__ internals>", ("concatenate",)),
        ("", ("<built-in method numpy.concatenate>",)),
    ),
    "files": (
        ("<__array_function__ internals>", ("savez", "savez_compressed", "save")),
        ("numpy/lib/npyio.py", ()),
        ("torch/serialization.py", ()),
        ("codecs/container.py", ()),
        ("baler_energy/formats/", ()),
    ),
    # A profile sees the thread that submits the work and waits, not the threads that do it.
    "work in other threads": (("concurrent/futures/_base.py", ("result",)), ("concurrent/futures/thread.py", ())),
}
#: Time in no category.
REST = "rest"
#: What a training does once, regardless of its epochs.
_ONCE = frozenset({"scaling and rounding", "files"})


def functions_of(engine: str) -> Mapping[str, Functions]:
    """Return the categories in order, each with its functions: the engine's own and the shared ones."""
    own = [load(module).CALLS for module in ENGINES[engine].get("figures", ())]
    return {name: sum((calls.get(name, ()) for calls in own), shared) for name, shared in CATEGORIES.items()}


def breakdown(calls: Iterable[Mapping[Any, Any]], engine: str) -> dict[str, float]:
    """Divide the time of a profiled operation among categories.

    On each path of the call tree, the outermost function in a category also counts for everything that it calls, so
    that nothing counts twice. This also limits errors: a profile that only records pairs of caller and callee has the
    exact time of a function, but estimates how its callees divide it.

    Parameters
    ----------
    calls
        Rows of kind ``call`` of one operation from the table ``hotspots``: ``name``, ``file``, ``stack``,
        ``total_share``; callers before callees.
    engine
        The engine that was profiled.

    Returns
    -------
    dict
        Share (fraction) by category of `CATEGORIES` and `REST`; the sum is 1.
    """
    shares, categories = dict.fromkeys([*CATEGORIES, REST], 0.0), functions_of(engine)
    inside: int | None = None
    for row in calls:
        level = str(row["stack"]).count(";")
        if inside is not None and level > inside:
            continue
        found = _category(categories, str(row["name"]), row["file"])
        inside = None if found is None else level
        if found is not None:
            shares[found] += float(row["total_share"])
    known = sum(shares.values())
    # The sum of estimated shares may exceed 1.
    return {name: share / max(1.0, known) for name, share in shares.items()} | {REST: max(0.0, 1.0 - known)}


def over_epochs(shares: Mapping[str, float], epochs: int) -> dict[str, float]:
    """Return the shares of a training with several epochs, from those of a training with one.

    Scaling and files count once, everything else once per epoch.

    Parameters
    ----------
    shares
        Share (fraction) by category, as from `breakdown`, with a sum above 0.
    epochs
        Number of epochs.

    Returns
    -------
    dict
        Share (fraction) by category; the sum is 1.
    """
    times = {name: share * (1 if name in _ONCE else epochs) for name, share in shares.items()}
    whole = sum(times.values())
    return {name: time / whole for name, time in times.items()}


def _category(categories: Mapping[str, Functions], name: str, file: Any) -> str | None:
    place = file if isinstance(file, str) else ""
    for category, functions in categories.items():
        for path, names in functions:
            if (path in place if path.endswith("/") else place.endswith(path)) and (not names or name in names):
                return category
    return None
