"""What a profiled operation spends its time on, in categories that all engines share."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["CATEGORIES", "REST", "breakdown", "over_epochs"]

#: Categories in order, each with its functions: the end of the file's path (empty: any), and names (empty: all).
CATEGORIES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "products and activations": (
        ("torch/_tensor.py", ("backward",)),
        ("torch/nn/modules/module.py", ("_wrapped_call_impl", "_call_impl")),
        ("baler/modules/models.py", ("encode", "decode", "forward")),
        ("codecs/baler/model.py", ("encode", "decode", "forward")),
        ("codecs/baler/fast.py", ("differentiate",)),
        ("codecs/streaming.py", ("encode", "decode")),
    ),
    "optimizer": (("torch/optim/optimizer.py", ("wrapper", "profile_hook_step")), ("torch/optim/adam.py", ())),
    "loss": (
        ("baler/modules/utils.py", ("mse_sum_loss_l1", "mse_loss_l1", "mse_loss_emd_l1")),
        ("codecs/baler/training.py", ("batch_loss",)),
    ),
    "drawing batches": (("tqdm/std.py", ("__iter__",)), ("torch/utils/data/dataloader.py", ())),
    "scaling and rounding": (
        ("baler/modules/helper.py", ("normalize", "renormalize")),
        ("baler/modules/data_processing.py", ("find_minmax", "normalize", "renormalize_func")),
        ("codecs/normalisation.py", ()),
        ("codecs/native.py", ()),
    ),
    "collecting output": (
        ("<__array_function__ internals>", ("concatenate",)),
        ("", ("<built-in method numpy.concatenate>",)),
        ("baler/modules/helper.py", ("detacher",)),
    ),
    "files": (
        ("baler/modules/data_processing.py", ("load_model", "save_model")),
        ("<__array_function__ internals>", ("savez", "savez_compressed", "save")),
        ("numpy/lib/npyio.py", ()),
        ("torch/serialization.py", ()),
        ("codecs/container.py", ()),
        ("formats/__init__.py", ()),
        ("formats/base.py", ()),
        ("formats/npy.py", ()),
        ("formats/npz.py", ()),
    ),
    # A profile sees the thread that submits the work and waits, not the threads that do it.
    "work in other threads": (("concurrent/futures/_base.py", ("result",)), ("concurrent/futures/thread.py", ())),
}
#: Time in no category.
REST = "rest"
#: What a training does once, regardless of its epochs.
_ONCE = frozenset({"scaling and rounding", "files"})


def breakdown(calls: Iterable[Mapping[Any, Any]]) -> dict[str, float]:
    """Divide the time of a profiled operation among categories.

    On each path of the call tree, the outermost function in a category also counts for everything that it calls, so
    that nothing counts twice. This also limits errors: a profile that only records pairs of caller and callee has the
    exact time of a function, but estimates how its callees divide it.

    Parameters
    ----------
    calls
        Rows of kind ``call`` of one operation from the table ``hotspots``: ``name``, ``file``, ``stack``,
        ``total_share``; callers before callees.

    Returns
    -------
    dict
        Share (fraction) by category of `CATEGORIES` and `REST`; the sum is 1.
    """
    shares = dict.fromkeys([*CATEGORIES, REST], 0.0)
    inside: int | None = None
    for row in calls:
        level = str(row["stack"]).count(";")
        if inside is not None and level > inside:
            continue
        found = _category(str(row["name"]), row["file"])
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


def _category(name: str, file: Any) -> str | None:
    place = file if isinstance(file, str) else ""
    for category, functions in CATEGORIES.items():
        for end, names in functions:
            if place.endswith(end) and (not names or name in names):
                return category
    return None
