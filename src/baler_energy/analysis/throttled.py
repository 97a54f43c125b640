"""How long, and why, a GPU's clocks were lowered, from samples of NVML's reasons."""

from collections.abc import Sequence

from baler_energy.analysis.intervals import merge
from baler_energy.meters.throttling import REASONS, reason_words

__all__ = ["NONE", "shares", "spans"]

#: Word for times without a reason: the clocks were not lowered.
NONE = "none"


def spans(times_s: Sequence[float], masks: Sequence[float]) -> dict[str, list[tuple[float, float]]]:
    """Return the time intervals in which each reason applied.

    A sample holds until the next one, the last one as long as the one before it. Reasons may overlap.

    Parameters
    ----------
    times_s, masks
        Times of the samples (s), ascending, and their bit masks (see `meters.throttling.REASONS`).

    Returns
    -------
    dict
        (begin, end) in s, ascending, by reason; `NONE` first, then in the order of the bits. Empty for fewer than two
        samples.
    """
    if len(times_s) < 2:
        return {}
    ends_s = [*times_s[1:], 2 * times_s[-1] - times_s[-2]]
    held: dict[str, list[tuple[float, float]]] = {}
    for begin_s, end_s, mask in zip(times_s, ends_s, masks, strict=True):
        for word in reason_words(int(mask)) or (NONE,):
            held.setdefault(word, []).append((begin_s, end_s))
    order = (NONE, *REASONS.values(), *sorted(set(held) - set(REASONS.values()) - {NONE}))
    return {word: merge(held[word]) for word in order if word in held}


def shares(times_s: Sequence[float], masks: Sequence[float], window_s: float) -> dict[str, float]:
    """Return the share of the window in which each reason applied.

    Parameters
    ----------
    times_s, masks
        As for `spans`; times from the window's start.
    window_s
        Length of the window (s).

    Returns
    -------
    dict
        Fraction of the part of the window that samples cover, by reason, including `NONE`; {} if they cover nothing.
        The shares of overlapping reasons may add up to more than 1.
    """
    held = spans(times_s, masks)
    within_s = {word: sum(_overlap_s(span, window_s) for span in parts) for word, parts in held.items()}
    covered_s = sum(_overlap_s(span, window_s) for span in merge(span for parts in held.values() for span in parts))
    return {word: length_s / covered_s for word, length_s in within_s.items() if length_s > 0}


def _overlap_s(span: tuple[float, float], window_s: float) -> float:
    return max(0.0, min(span[1], window_s) - max(span[0], 0.0))
