"""What a measured stage prints when it has succeeded: which file it wrote, what is in it, and what it cost."""

from pathlib import Path

from baler_energy.analysis.totals import relevant_flags, total
from baler_energy.records import Measurement
from baler_energy.vocabulary import Evidence, Flag, Quantity

__all__ = ["measured_summary"]


def measured_summary(path: Path, facts: str, record: Measurement) -> str:
    """Describe a measured operation, in two lines, and a third one if its window was disturbed.

    Parameters
    ----------
    path, facts
        The file that it wrote, and what is in it.
    record
        Its record.
    """
    uses_gpu = record.parameters.get("device") == "cuda"
    kinds = {kind: total(record.readings, Quantity.ENERGY, kind, uses_gpu=uses_gpu) for kind in Evidence}
    energies = [
        f"{found.energy_j / record.iterations:.4g} J {kind} ({found.scope})" for kind, found in kinds.items() if found
    ]
    count = "1 run" if record.iterations == 1 else f"mean of {record.iterations} runs in the window"
    used = ", ".join(energies) or "energy not known: see `baler-energy doctor`"
    lines = [
        f"{path}: {facts}",
        f"{record.operation}: {record.window.duration_s / record.iterations:.4g} s, {used}; {count}",
    ]
    wrong, notes = relevant_flags(record.flags, record.readings, uses_gpu=uses_gpu)
    words = [word for words in (wrong, notes) if words for word in words.split(",") if word != Flag.MODELLED_ONLY]
    if words:
        lines.append("note: " + "; ".join(f"{word}: {Flag(word).meaning}" for word in words))
    return "\n".join(lines)
