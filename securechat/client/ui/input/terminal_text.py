"""Decodes what a terminal sends: as UTF-8 where it is UTF-8, whatever the locale says, else by the locale's encoding.

A terminal of today sends UTF-8 also where LANG is C or names another encoding, as over SSH or in a container; what
it sends for a letter is no text in UTF-8 only where the terminal does use another encoding. No clock is known here: the
beginning of a character at the end of a long read waits for the next one, at the end of a short one it is a whole
character of the locale's.
"""

from __future__ import annotations

from codecs import getincrementaldecoder, lookup

SPLIT_BYTES = 512
"""Bytes from which on a read may end within a character: a key sends fewer at once, a paste is cut anywhere."""
UNDECODED = "\N{REPLACEMENT CHARACTER}"


class TerminalText:
    """The text of one terminal.

    Args:
        encoding: the locale's, as Python names it.
        errors: as of `codecs`, for bytes that are no text in either encoding.

    Attributes:
        undecoded: characters that stand for such bytes, of the last read.
    """

    def __init__(self, encoding: str, errors: str = "replace") -> None:
        self._encoding = "utf-8" if lookup(encoding).name.startswith("utf") else encoding
        self._errors = errors
        self._utf_8 = getincrementaldecoder("utf-8")(errors if self._encoding == "utf-8" else "strict")
        self.undecoded = 0

    def decode(self, data: bytes) -> str:
        """Return the text of a read, as far as it is whole."""
        begun, _ = self._utf_8.getstate()
        try:
            text = self._utf_8.decode(data)
            half, _ = self._utf_8.getstate()
            if half and self._encoding != "utf-8" and len(data) < SPLIT_BYTES:
                half.decode()  # raises: half a character in UTF-8 is a whole one of the locale
        except UnicodeDecodeError:
            self._utf_8.reset()
            text = (begun + data).decode(self._encoding, self._errors)
        sent = (begun + data).count(UNDECODED.encode())  # one that was typed, or pasted
        self.undecoded = max(0, text.count(UNDECODED) - sent)
        return text
