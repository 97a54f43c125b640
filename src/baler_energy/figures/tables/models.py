"""The networks, counted by several tools."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from baler_energy.codecs.baler.architecture import network
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, unless_missing

__all__ = ["TABLE", "models"]


def models(tables: Tables) -> pd.DataFrame:
    """Return parameters and operations of each network from each tool, and whether they agree.

    Returns
    -------
    pandas.DataFrame
        A row per network and tool: ``widths`` of its layers, ``parameters``, ``counted`` by the tool's own
        ``definition``, the resulting ``macs`` and ``flops`` (two per MAC) for one row; ``agrees`` (yes, no, unknown)
        compares MACs and parameters with our own count, and ``reason`` says why they differ.
    """
    keys = ["model", "columns", "latent_columns"]
    counted = tables["models"].drop_duplicates([*keys, "tool"])
    found = []
    for _, part in counted.groupby(keys, sort=False, observed=True):
        rows = part.to_dict("records")
        own = next(row for row in rows if row["tool"] == "baler-energy")
        found += [_compared(row, own) for row in rows]
    columns = [*keys, "widths", "tool", "tool_version", "parameters", "counted", "definition"]
    return pd.DataFrame(found, columns=[*columns, "macs", "flops", "agrees", "reason"])


def _compared(row: Mapping[Any, Any], own: Mapping[Any, Any]) -> dict[Any, Any]:
    """Compare a tool's count of a network with our own."""
    layers = network(row["model"]).sized(row["columns"], row["latent_columns"])
    widths = [row["columns"], *(outputs for _, outputs in (layers.encoder | layers.decoder).values())]
    unlike = [
        f"{row[name] - own[name]:+,.0f} {word} from our count of {own[name]:,.0f}"
        for name, word in (("macs", "MACs"), ("parameters", "parameters"))
        if pd.notna(row[name]) and row[name] != own[name]
    ]
    lined_up = {"widths": "-".join(map(str, widths)), "flops": 2 * row["macs"] if pd.notna(row["macs"]) else None}
    if pd.isna(row["macs"]):
        return {**row, **lined_up, "agrees": "unknown"}
    reason = "; ".join(unlike) or None
    return {**row, **lined_up, "agrees": "no" if unlike else "yes", "reason": reason}


def _row(row: Row) -> dict[str, str]:
    """Write a row of `models` for a reader."""
    version = row["tool_version"]
    absent = pd.isna(row["counted"])
    reason = unless_missing(f"{row['reason']}", row["reason"], "")
    return {
        "model": f"{row['model']}\n{row['widths']}",
        "tool": f"{row['tool']}{f' {version}' if isinstance(version, str) else ''}",
        "parameters": "" if pd.isna(row["parameters"]) else f"{row['parameters']:,.0f}",
        "counted per row": "none" if absent else f"{row['counted']:,.0f} {row['definition']}",
        "MACs per row": "" if pd.isna(row["macs"]) else f"{row['macs']:,.0f}",
        "FLOPs per row": "" if pd.isna(row["flops"]) else f"{row['flops']:,.0f}",
        "agrees": f"{row['agrees']}{f': {reason}' if reason else ''}",
    }


TABLE = TableSpec(
    "models",
    "The networks, counted by several tools",
    "Parameters and operations of a forward pass (encode and decode) of one row, by layer widths. Tools define FLOPs "
    "differently: counted is the tool's own number, MACs are the multiply-accumulates of the matrix products that "
    "follow from its definition, and FLOPs are twice the MACs. No tool counts the activations. Agrees says whether "
    "MACs and parameters equal our own count, or by how much they differ.",
    make=models,
    rows=each(_row),
    without_rows="The study has only one network, so there is nothing to compare.",
)
