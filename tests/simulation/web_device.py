"""A browser: a page with the page's core, storage that outlives it, and a system that kills and freezes it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from securechat.client.core import actions, events
from securechat.client.core.state import ConnectionPhase
from securechat.errors import ErrorCode
from securechat.model import MessageChange
from securechat.testing.link import Death
from securechat.testing.log_checks import HistoryBroken
from securechat.text.names import name_key
from tests.simulation.checkers.histories import Display
from tests.simulation.device import Device
from tests.simulation.web_core import WebCore, WebOutput

if TYPE_CHECKING:
    from securechat.client.core.state import ConversationId
    from tests.simulation.people import Person
    from tests.simulation.world import World

SHARE = 0.6
"""How many devices are browsers, where some are."""
_KILLED = 0.02
"""How often a page is killed between storing what it sends and sending it."""
_FROZEN = 0.05
"""How often the system freezes a page when it is told something."""
_RETRIED = 0.3
"""How often a message that failed is sent again; others are discarded or left."""


class WebDisplay(Display):
    """What the page's core tells: a change comes with its message only where a window has that."""

    def _check_let_go(self, change: MessageChange, key: ConversationId) -> None:
        pass

    def successor(self) -> Display:
        """As for a program; of the same kind."""
        after = super().successor()
        after.__class__ = WebDisplay
        return after


class WebDevice(Device):
    """A browser in which the page is opened, and opened again.

    Attributes:
        saved: what the page has stored.
    """

    def __init__(self, world: World, person: Person, name: str, address: str) -> None:
        world.browsers += 1
        self._web = world.chance.dice("web", name, world.browsers)  # a name is given again, a secret is not
        super().__init__(world, person, name, address)
        self.saved: dict[str, Any] = {
            "secret": self.secret, "name": "", "token": "", "lastCid": 0, "unsent": [], "rooms": [],
        }  # fmt: skip
        self._dead = False
        self._late_loss: list[tuple[Any, events.Disconnect]] = []
        self._looked = False

    def fresh_secret(self) -> str:
        """Return a fresh resume secret."""
        return f"{self._web.getrandbits(128):032x}"

    def twin(self) -> Device:
        """Return a second tab."""
        twin = WebDevice(self.world, self.person, f"{self.name}'", self.address)
        twin.secret, twin.tokens = self.secret, dict(self.tokens)
        twin.saved = copy.deepcopy(self.saved)
        return twin

    def start(self, *, invite: str = "") -> None:
        """Open the page."""
        self.display = WebDisplay(f"{self.name}/{len(self.lives)}")
        self.lives.append(self.display)
        self.is_frozen = self._looked = self._dead = False
        self._late_loss.clear()
        self._keep_to_storage()
        if invite and self._web.random() < 0.5:
            self.saved["name"] = ""
        for line in self.saved["unsent"]:
            if not line["failed"]:
                self.display.lines[line["number"]] = None
        clock = self.world.clock
        core = WebCore(copy.deepcopy(self.saved), self._web.getrandbits(32), clock.now, invite=invite)
        self.core = core  # type: ignore[assignment]
        clock.note(self.name, f"opens the page as {self.saved['name']!r} with {self.saved['secret'][:6]}")
        self.apply(core.first)  # type: ignore[arg-type]
        if not self.saved["name"] and self.core is core:
            self.want(actions.ChooseName(self.person.name))

    def _keep_to_storage(self) -> None:
        """What a person does to a program by hand, they do to what the page has stored."""
        if self.secret != self.saved["secret"]:  # a fresh one: the storage was cleared
            self.saved = {
                "secret": self.secret, "name": self.person.name, "token": "", "lastCid": 0, "unsent": [], "rooms": [],
            }  # fmt: skip
        if self.saved["token"] and not self.tokens:
            self.saved["token"] = ""

    def stop(self) -> None:
        """Close or kill the page."""
        core = self.core
        super().stop()
        if isinstance(core, WebCore):
            core.drop()

    def want(self, intent: actions.Action) -> None:
        """The user wants something; a frozen page takes no wish."""
        core = self.core
        if self.is_frozen or not isinstance(core, WebCore) or core.phase is ConnectionPhase.ENDED:
            return
        self.world.clock.note(self.name, f"wants {intent!r}"[:160])
        self.apply(core.act(intent, self.world.clock.now))  # type: ignore[arg-type]

    @property
    def is_quiet(self) -> bool:
        """As of a program; a frozen page is not."""
        return not self.is_frozen and super().is_quiet

    def check_replaced(self) -> None:
        """As of a program, where the second tab is the same person's with the same secret."""
        if any(device.secret == self.secret for device in self.person.devices):
            super().check_replaced()

    # --- what the core wants

    def apply(self, output: Any) -> None:
        """Store, then send, then show."""
        assert isinstance(output, WebOutput)
        if self._dead:
            return
        if output.save is not None:
            self._store(output.save)
        core = self.core
        for number in core.state["unsent"] if isinstance(core, WebCore) else ():
            self.display.lines.setdefault(number, None)
        drafts = any(hasattr(command, "client_id") for command in output.commands)
        is_unlucky = drafts and "device" in self.world.flavour and not self.world.calm
        if is_unlucky and self._web.random() < _KILLED:
            self._die()
            return
        super().apply(output)  # type: ignore[arg-type]
        if self.core is core and isinstance(core, WebCore) and not self.is_frozen:
            self._use(core, output)

    def _store(self, save: dict[str, Any]) -> None:
        numbers = [line["number"] for line in save["unsent"]]
        cids = [line["cid"] for line in save["unsent"] if line["cid"]]
        if numbers != sorted(set(numbers)) or len(set(cids)) < len(cids) or max(cids, default=0) > save["lastCid"]:
            raise HistoryBroken(f"{self.name} stores drafts {numbers} as {cids}, up to {save['lastCid']}")
        if save["secret"] == self.saved["secret"] and save["lastCid"] < self.saved["lastCid"]:
            raise HistoryBroken(f"{self.name} stores {save['lastCid']} after {self.saved['lastCid']}")
        self.saved = copy.deepcopy(save)
        self.secret = save["secret"]
        token, name = save["token"], save["name"]
        self.tokens = {name_key(name): token, name: token} if token else {}

    def _use(self, core: WebCore, output: WebOutput) -> None:
        """What a person does with what the page shows: opens a window, reads, sends again; or the system freezes it."""
        now, dice = self.world.clock.now, self._web
        if self.is_online and not self._looked:
            self._looked = True
            self.want(actions.SelectConversation(core.room("lobby")))
        for happening in output.ui_events:
            if self.core is not core:
                return
            if isinstance(happening, events.MessageRefused) and not self.world.leaving:
                self._settle_failed(core, happening.message.number)
            elif isinstance(happening, events.MessageShown) and not happening.own and dice.random() < 0.3:
                self.apply(core.read(happening.key, happening.message.seq, now))
        freezes = (
            "hold" in self.world.flavour and not self.world.calm and self.is_online and self.connection is not None
        )
        if freezes and output.ui_events and self.core is core and dice.random() < _FROZEN:
            self._freeze(dice.choice((0.5, 3.0, 20.0, 100.0)))

    def _settle_failed(self, core: WebCore, number: int) -> None:
        choice = self._web.random()
        if choice < _RETRIED and not self.world.calm:
            self.display.lines[number] = None
            self.apply(core.retry(number, self.world.clock.now))
        elif choice < 2 * _RETRIED:
            self.apply(core.discard(number, self.world.clock.now))

    def _die(self) -> None:
        """The page is killed before it sends what it has stored: it does nothing from now on."""
        self.world.clock.note(self.name, "is killed before it sends")
        core, self.is_frozen, self._dead = self.core, True, True
        self._drop(Death.RESET)
        self._rearm()
        self.world.clock.call_later(0.0, lambda: self.person.crash(self) if self.core is core else None)

    # --- frozen

    def _freeze(self, seconds: float) -> None:
        link, core = self.connection, self.core
        if link is None:
            return
        self.world.clock.note(self.name, f"is frozen for {seconds} s")
        self.is_frozen = True
        link.slow = True
        link.forget_asked()  # when it hears of it, another identity may be the one
        link.end.pause()
        self._rearm()

        def thaw() -> None:
            if self.core is core and self.is_frozen:
                self._thaw()

        self.world.clock.call_later(seconds, thaw)

    def _thaw(self) -> None:
        core, now = self.core, self.world.clock.now
        assert isinstance(core, WebCore)
        self.is_frozen = False
        self.world.clock.note(self.name, "is seen again")
        if self.connection is not None:
            self.connection.read_on()
        if self.connection is not None and not self.is_frozen:
            self.connection.end.resume()
        if self.is_frozen:
            return
        losses, self._late_loss = self._late_loss, []
        for link, loss in losses:
            self.lost(link, loss)
        if self.core is core and self._web.random() < 0.7:
            self.apply(core.probe(now))
        if self.core is core:
            self.apply(core.tick(now))

    def lost(self, link: Any, loss: events.Disconnect) -> None:
        """A frozen page hears later of it."""
        if self.is_frozen and link is self.connection:
            self._late_loss.append((link, loss))
            return
        super().lost(link, loss)

    def _rearm(self) -> None:
        if not self.is_frozen:
            super()._rearm()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hear(self, happening: events.UiEvent) -> None:
        if isinstance(happening, events.ClientEnded) and happening.cause is events.EndReason.CLOSED:
            self.display.ended = True
        if isinstance(happening, events.ClientEnded):  # what is not sent stays in storage, for the next page
            for number in [number for number, what in self.display.lines.items() if what is None]:
                del self.display.lines[number]
        super()._hear(happening)


def device_for(world: World, person: Person, name: str, address: str) -> Device:
    """Return a browser or a program: which one, the seed says."""
    if "web" in world.flavour and world.chance.dice("browser", name).random() < SHARE:
        return WebDevice(world, person, name, address)
    return Device(world, person, name, address)


__all__ = ["Death", "ErrorCode", "WebDevice", "device_for"]
