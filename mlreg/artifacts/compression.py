"""Undoing the compression of an artifact, within bounds: a small file may stand for a huge one."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from mlreg.errors import ArtifactUnloadable

MAX_UNPACKED = 4 << 30
_MAX_RATIO, _FREE = 100, 64 << 20


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int) -> bytes: ...

    @property
    def eof(self) -> bool: ...


_FORMATS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZ", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    (b"\x5d\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    (b"x", zlib.decompressobj),
)


def unpack(data: bytes, most: int = MAX_UNPACKED) -> bytes:
    """Undo the compression that the first bytes announce, within bounds."""
    if data.startswith(b"\x04\x22\x4d\x18"):
        raise ArtifactUnloadable(
            "the artifact is compressed by lz4, which is not supported",
            hint="write it again by joblib.dump(model, file, compress='zlib')",
        )
    for prefix, decompressor in _FORMATS:
        if data.startswith(prefix):
            return _unpack(data, decompressor(), most)
    return data


def _unpack(data: bytes, decompressor: _Decompressor, most: int) -> bytes:
    limit = min(most, max(_FREE, _MAX_RATIO * len(data)))
    try:
        unpacked = decompressor.decompress(data, limit + 1)
    except (zlib.error, lzma.LZMAError, OSError) as error:
        raise ArtifactUnloadable(f"the artifact's compression is damaged: {error}") from None
    if len(unpacked) > limit:
        raise ArtifactUnloadable(f"the artifact unpacks to more than {limit:,} bytes")
    if not decompressor.eof:
        raise ArtifactUnloadable("the artifact's compression is damaged: it is cut short")
    return unpacked
