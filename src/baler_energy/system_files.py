"""Files in which the system describes itself, such as those of the Linux kernel."""

from pathlib import Path

__all__ = ["system_text"]


def system_text(path: Path) -> str:
    """Return the text of a file without the space around it; empty if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
