"""Effects, such as differences, that are smaller than their spread."""

import math

__all__ = ["unless_hidden"]


def unless_hidden(text: str, effect: float, spread: float | None, unit: str = "") -> str:
    """Return the text of an effect, or, if it is smaller than its spread, that it is not distinguishable from zero.

    Parameters
    ----------
    text
        The effect in words.
    effect, spread
        The effect, of either sign, and its spread (such as a standard deviation), in `unit`; without a spread the text
        is returned.
    """
    if spread is None or math.isnan(spread) or abs(effect) >= spread:
        return text
    number = f"{spread:.2g}" if spread < 100 else f"{spread:,.0f}"
    return f"not distinguishable from zero (spread {number}{f' {unit}' if unit else ''})"
