"""A file that ends with the SHA-256 of all bytes before it."""

import hashlib
from pathlib import Path
from typing import BinaryIO

from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError

__all__ = ["DIGEST_BYTES", "HashedFile", "check_digest"]

DIGEST_BYTES = 64
_READ_BYTES = 1 << 20


class HashedFile:
    """A file written from front to back and hashed on the way, except its last bytes, which the digest replaces."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._last = b""

    def write(self, content: bytes) -> int:
        """Append to the file."""
        self._file.write(content)
        if len(content) >= DIGEST_BYTES:
            self._digest.update(self._last)
            self._digest.update(memoryview(content)[:-DIGEST_BYTES])
            self._last = bytes(content[-DIGEST_BYTES:])
        else:
            joined = self._last + content
            self._digest.update(joined[:-DIGEST_BYTES])
            self._last = joined[-DIGEST_BYTES:]
        return len(content)

    def flush(self) -> None:
        """Flush the file's buffer."""
        self._file.flush()

    def finish(self) -> None:
        """Replace the last bytes by the digest, and close the file."""
        self._file.seek(-DIGEST_BYTES, 2)
        self._file.write(self._digest.hexdigest().encode())
        self._file.close()

    def close(self) -> None:
        """Close the file without a digest."""
        self._file.close()


def check_digest(path: Path) -> None:
    """Refuse a file that does not end with the digest of all bytes before it.

    Raises
    ------
    InputError
        It is missing, damaged or truncated, or has no digest.
    """
    with refusing_damage(path, "compressed file"), path.open("rb") as file:
        left = path.stat().st_size - DIGEST_BYTES
        digest = hashlib.sha256()
        while left > 0 and (block := file.read(min(_READ_BYTES, left))):
            digest.update(block)
            left -= len(block)
        found = file.read(DIGEST_BYTES)
    if left or digest.hexdigest().encode() != found:
        raise InputError(
            f"{path}: is damaged, truncated or not a compressed file of this program: its checksum does not match. "
            "Compress again, or use an intact copy."
        )
