"""The previews on a screen: reads those that a reader looks at, has them made for the terminal, and hands them over.

Everything here runs on the network's thread. A preview is asked for once its cells have been on the screen for
`STAY_S`, so that scrolling by reads, makes and transmits nothing. What was read and made is kept within bounds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from securechat.client.files.preview_process import PictureProtocol, PreviewEncoder, PreviewSize
from securechat.client.tty.screen_pictures import EncodedPicture
from securechat.client.ui.rows.picture_cells import PictureArea, PictureKey, PictureOrigin
from securechat.limits import MIB
from securechat.model import FileId
from securechat.net.timers import Timer

STAY_S = 0.3
"""On the screen before a preview is asked for: longer than between two steps of a wheel or a held key."""
ASK_AGAIN_S = 30.0
"""After which a preview that did not come is asked for again, if it is on the screen."""
MOST_READ_BYTES = 8 * MIB
"""Of previews that were read: 140 of the largest."""
MOST_MADE_BYTES = 8 * MIB
_MOST_KNOWN = 1_000
"""Files of which the message is known."""
_StayKey: TypeAlias = PictureKey | PictureOrigin


class PicturePainter(Protocol):
    """What is needed of the painter; see `securechat.client.tty.frames.TerminalPainter`."""

    def give_picture(self, area: PictureArea, picture: EncodedPicture) -> None:
        """Take the picture of an area that is shown."""

    def forget_pictures(self, file_ids: Iterable[FileId]) -> None:
        """Have pictures of deleted messages removed, from the terminal too."""


class ScreenPreviews:
    """The previews of one session.

    Args:
        look: asks for the previews of files, which come by `came`.
        encoder: makes them for the terminal.
        painter: gets them.
        wake: tells that the painter has something.
        clock: monotonic seconds.
        call_later: calls something after so many seconds.
    """

    def __init__(
        self,
        look: Callable[[Sequence[FileId]], None],
        encoder: PreviewEncoder,
        painter: PicturePainter,
        wake: Callable[[], None],
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        self._look = look
        self._encoder = encoder
        self._painter = painter
        self._wake = wake
        self._clock = clock
        self._call_later = call_later
        self._protocol = PictureProtocol.KITTY
        self._cell = (8, 16)
        self._areas: tuple[PictureArea, ...] = ()
        self._since: dict[_StayKey, float] = {}
        self._given: set[_StayKey] = set()
        self._read: OrderedDict[FileId, bytes] = OrderedDict()
        self._made: OrderedDict[PictureKey, EncodedPicture | None] = OrderedDict()
        self._making: set[PictureKey] = set()
        self._asked: dict[FileId, float] = {}
        self._seqs: dict[FileId, int] = {}
        self._timer: Timer | None = None

    def use(self, protocol: PictureProtocol, cell: tuple[int, int]) -> None:
        """Make previews for a terminal with this protocol and cells of this size, pixels."""
        if (protocol, cell) != (self._protocol, self._cell):
            self._protocol, self._cell = protocol, cell
            self._made.clear()
        self.erased()

    def show(self, areas: Sequence[PictureArea]) -> None:
        """Take what is on the screen now."""
        self._areas = tuple(areas)
        now = self._clock()
        self._since = {(key := self._key(area)): self._since.get(key, now) for area in areas}
        self._given &= self._since.keys()
        for area in areas:
            self._seqs.pop(area.file_id, None)
            self._seqs[area.file_id] = area.seq
        while len(self._seqs) > _MOST_KNOWN:
            del self._seqs[next(iter(self._seqs))]
        self._expect(now)

    def erased(self) -> None:
        """Everything was deleted from the terminal: what is on the screen is handed over again after a while."""
        self._since.clear()
        self._given.clear()
        self.show(self._areas)

    def came(self, file_id: FileId, data: bytes) -> None:
        """Take a preview as the server made it."""
        self._asked.pop(file_id, None)
        if file_id not in self._seqs:
            return  # deleted meanwhile
        self._read[file_id] = data
        while len(self._read) > 1 and sum(map(len, self._read.values())) > MOST_READ_BYTES:
            self._read.popitem(last=False)
        self._hand_over()

    def forget(self, seq: int | None = None) -> None:
        """A message was deleted; None for some that are not known: nothing of their pictures remains."""
        file_ids = [file_id for file_id, of in self._seqs.items() if seq is None or of == seq]
        for file_id in file_ids:
            self._seqs.pop(file_id)
            self._read.pop(file_id, None)
            for key in [key for key in self._made if key[0] == file_id]:
                del self._made[key]
        if file_ids:
            self._areas = tuple(area for area in self._areas if area.file_id in self._seqs)
            self._painter.forget_pictures(file_ids)
            self._wake()
            if seq is None:
                self._given.clear()

    def _key(self, area: PictureArea) -> _StayKey:
        """What has to stay: kitty's protocol moves a picture that the terminal has, and sixels are drawn anew."""
        return area.key if self._protocol is PictureProtocol.KITTY else area.origin

    def _expect(self, now: float) -> None:
        left = [self._since[key] + STAY_S for area in self._areas if (key := self._key(area)) not in self._given]
        later = [when for when in left if when > now]
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._call_later(min(later) - now, self._hand_over) if later else None
        if len(later) < len(left):
            self._hand_over_stayed(now)

    def _hand_over(self) -> None:
        self._expect(self._clock())

    def _hand_over_stayed(self, now: float) -> None:
        wanted: list[FileId] = []
        for area in self._areas:
            key = self._key(area)
            if key in self._given or self._since[key] + STAY_S > now:
                continue
            if area.key in self._made:
                self._made.move_to_end(area.key)
                self._given.add(key)
                if (picture := self._made[area.key]) is not None:
                    self._painter.give_picture(area, picture)
                    self._wake()
            elif area.file_id in self._read:
                self._read.move_to_end(area.file_id)
                self._make(area)
            elif now - self._asked.get(area.file_id, float("-inf")) >= ASK_AGAIN_S:
                self._asked[area.file_id] = now
                wanted.append(area.file_id)
        while len(self._asked) > _MOST_KNOWN:
            del self._asked[next(iter(self._asked))]
        if wanted:
            self._look(wanted)

    def _make(self, area: PictureArea) -> None:
        key, cell, protocol = area.key, self._cell, self._protocol
        if key in self._making:
            return
        self._making.add(key)

        def done(picture: EncodedPicture | None) -> None:
            self._making.discard(key)
            if (cell, protocol) == (self._cell, self._protocol) and key[0] in self._seqs:
                self._made[key] = picture
                while len(self._made) > 1 and sum(map(_bytes_of, self._made.values())) > MOST_MADE_BYTES:
                    self._made.popitem(last=False)
            self._hand_over()

        size = PreviewSize(protocol, area.columns, area.rows, cell)
        self._encoder.encode(self._read[area.file_id], size, done)


def _bytes_of(picture: EncodedPicture | None) -> int:
    return 100 if picture is None else 100 + len(picture.png) + sum(map(len, picture.strips))
