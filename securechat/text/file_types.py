"""The media type that a file's name suggests: a label for people, never a promise about the bytes.

It does not decide how the server serves a file: all but the pictures that the server wrote are downloads
(`application/octet-stream`). So a table of common endings is enough, and the same on every system, which the
`mimetypes` module is not: that one reads the system's files.
"""

from __future__ import annotations

from types import MappingProxyType

UNKNOWN_TYPE = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

_TYPES = MappingProxyType(
    {
        "7z": "application/x-7z-compressed",
        "aac": "audio/aac",
        "apk": "application/vnd.android.package-archive",
        "avi": "video/x-msvideo",
        "avif": "image/avif",
        "bmp": "image/bmp",
        "bz2": "application/x-bzip2",
        "css": "text/css",
        "csv": "text/csv",
        "doc": "application/msword",
        "docx": f"{_OFFICE}.wordprocessingml.document",
        "epub": "application/epub+zip",
        "flac": "audio/flac",
        "gif": "image/gif",
        "gz": "application/gzip",
        "heic": "image/heic",
        "heif": "image/heif",
        "htm": "text/html",
        "html": "text/html",
        "ics": "text/calendar",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "js": "text/javascript",
        "json": "application/json",
        "log": "text/plain",
        "m4a": "audio/mp4",
        "md": "text/markdown",
        "mkv": "video/x-matroska",
        "mov": "video/quicktime",
        "mp3": "audio/mpeg",
        "mp4": "video/mp4",
        "odp": f"{_OPEN_DOCUMENT}.presentation",
        "ods": f"{_OPEN_DOCUMENT}.spreadsheet",
        "odt": f"{_OPEN_DOCUMENT}.text",
        "oga": "audio/ogg",
        "ogg": "audio/ogg",
        "opus": "audio/ogg",
        "pdf": "application/pdf",
        "png": "image/png",
        "ppt": "application/vnd.ms-powerpoint",
        "pptx": f"{_OFFICE}.presentationml.presentation",
        "rar": "application/vnd.rar",
        "rtf": "application/rtf",
        "svg": "image/svg+xml",
        "tar": "application/x-tar",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "txt": "text/plain",
        "vcf": "text/vcard",
        "wav": "audio/wav",
        "webm": "video/webm",
        "webp": "image/webp",
        "xls": "application/vnd.ms-excel",
        "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
        "xml": "application/xml",
        "xz": "application/x-xz",
        "zip": "application/zip",
        "zst": "application/zstd",
    }
)


def media_type(name: str) -> str:
    """Return the media type that belongs to a name's ending; `UNKNOWN_TYPE` for one that is not in the table."""
    return _TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN_TYPE) if "." in name else UNKNOWN_TYPE
