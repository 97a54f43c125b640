"""What a profiled operation spends its time on, in categories that engines have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["CATEGORIES", "REST", "breakdown", "over_epochs"]

#: Categories in their order, each with its functions: the end of the file's path (nothing: any), and names (none: all).
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
    # A profile sees the thread that hands out the work and waits, not those that do it.
    "work in other threads": (("concurrent/futures/_base.py", ("result",)), ("concurrent/futures/thread.py", ())),
}
#: What is in no category.
REST = "rest"
#: What a training does once, however many its epochs.
_ONCE = frozenset({"scaling and rounding", "files"})


def breakdown(calls: Iterable[Mapping[Any, Any]]) -> dict[str, float]:
    """Share a profiled operation out among categories.

    On each path of the call tree the outermost function that a category knows decides for all that it calls, so that
    nothing counts twice. In a profile that knows pairs of caller and callee only, a function's time is sure, and how
    what it calls shares it is an estimate: another reason to go no deeper than needed.

    Parameters
    ----------
    calls
        Rows of kind ``call`` of one operation, of the table ``hotspots``: ``name``, ``file``, ``stack``,
        ``total_share``; callers before what they call.

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
    # Shares that a profile estimates may exceed the whole by their error.
    return {name: share / max(1.0, known) for name, share in shares.items()} | {REST: max(0.0, 1.0 - known)}


def over_epochs(shares: Mapping[str, float], epochs: int) -> dict[str, float]:
    """Give the shares of a training of some epochs, from those of a training of one.

    Scaling and files count once, all else once per epoch.

    Parameters
    ----------
    shares
        Share (fraction) by category, as of `breakdown`, with a sum above 0.
    epochs
        Of the training that is asked for.

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
