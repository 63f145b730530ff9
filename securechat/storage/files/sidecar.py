"""The sidecar of an upload: its record as JSON, which outlives the process.

It holds the secret of the upload's address, so it is private as the database is. What is read back may be torn by a
power cut, or foreign: that is no sidecar, and never an exception.
"""

from __future__ import annotations

import msgspec

from securechat.records.files import UploadState

SIDECAR_BYTES = 16 * 1024
"""Of the largest sidecar; ours have below 2 KiB."""
_MAX_PREVIEWS = 8
_DECODER = msgspec.json.Decoder(UploadState)


def encode_sidecar(upload: UploadState) -> bytes:
    """Return the content of a sidecar."""
    return msgspec.json.encode(upload)


def decode_sidecar(file_id: str, data: bytes) -> UploadState | None:
    """Return the upload that a sidecar tells of; None when it is not a whole sidecar of this upload."""
    try:
        upload = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if upload.file_id != file_id or min(upload.size_bytes, upload.sender_id, upload.until_ms) < 0:
        return None
    stored = upload.stored
    if stored is not None:
        info = stored.info
        if info.id != file_id or len(stored.sha256) != 32 or len(info.previews) > _MAX_PREVIEWS:
            return None
    return upload
