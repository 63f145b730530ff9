"""Whatever happens while a person writes: each text that is neither sent nor thrown away is there after a kill, once.

A model keeps what the person has written: a draft and an edit of each conversation, and what was submitted without a
connection. After every step it is compared with what the next start would find; now and then there is a next start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from securechat.client.core import events
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.input.unsent_texts import UnsentTexts
from securechat.client.ui.screen_model.view import (
    ClickRow,
    CloseOverlay,
    ComposerMode,
    ConversationTarget,
    KeyTyped,
    SubmitText,
    TypedText,
)
from securechat.errors import ErrorCode
from tests.support.screen_rig import ScreenRig, ScreenServer

PEOPLE = {99: "p99", 98: "p98"}
PLACES = ["#ops", "#lobby", "@99", "@98"]
ANSWER = "the answer"
TEXTS = st.sampled_from(["a", "b c", " x\ny", "\N{ROCKET}", "//x", "longer than the others"])
PLACE = st.sampled_from(PLACES)
STEPS = st.one_of(
    st.tuples(st.just("go"), PLACE),
    st.tuples(st.sampled_from(["type", "paste"]), TEXTS),
    st.tuples(st.just("late"), TEXTS, PLACE),
    st.tuples(st.just("ask"), st.booleans()),
    st.tuples(st.just("end"), st.booleans()),
    st.tuples(st.just("hear"), PLACE),
    *[st.tuples(st.just(word)) for word in ("empty", "submit", "edit", "escape", "answer", "cut", "pump", "kill")],
)

ALWAYS = {"go", "hear", "kill", "cut"}
"""What happens while a question is asked as well."""


@dataclass
class Person:
    """A person at a client that is killed now and then, and what is written there."""

    rig: ScreenRig = field(default_factory=lambda: ScreenRig("ops"))
    drafts: dict[str, str] = field(default_factory=dict)
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    asked: bool = False

    def begin(self) -> None:
        for person in PEOPLE:
            self.rig.tell("hello", person)
        for place in PLACES:
            self.go(place)
            self.rig.submit(f"mine in {place}")

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        key = self.rig.core.current
        return f"@{key.person_id}" if isinstance(key, PersonKey) else f"#{key.room}"

    def key(self, place: str) -> ConversationId:
        return PersonKey(int(place[1:])) if place.startswith("@") else self.rig.key(place[1:])

    @property
    def online(self) -> bool:
        return self.rig.core.phase.value == "online"

    @property
    def edits_here(self) -> bool:
        return self.place in self.edits

    @property
    def text(self) -> str:
        return self.edits[self.place][1] if self.edits_here else self.drafts.get(self.place, "")

    def keep(self, place: str, text: str) -> None:
        if place in self.edits:
            self.edits[place] = (self.edits[place][0], text)
        else:
            self.drafts[place] = text

    def found(self, place: str) -> str:
        """What the next start has as the draft of a conversation."""
        waiting = "\n".join(self.waiting.get(place, []))
        escaped = f"/{waiting}" if waiting.startswith("/") else waiting
        return "\n".join(filter(None, (escaped, self.drafts.get(place, ""))))

    def check(self) -> None:
        record = self.rig.state.unsent.all()
        note(f"{record}")
        kept = UnsentTexts(record)
        kept.recognise(PEOPLE.get)
        for place in PLACES:
            was, text = self.edits.get(place, ("", ""))
            edit = kept.edit(self.key(place))
            assert kept.get(self.key(place)) == self.found(place), place
            assert (edit.text if edit is not None else "") == (text if text.strip() and text != was else ""), place
        assert ANSWER not in repr(record)
        server = self.rig.driver.server
        assert not any(ANSWER in each.text for each in server.log)
        composer = self.rig.view.composer
        if self.asked:
            assert composer.mode in {ComposerMode.PASSWORD, ComposerMode.NAME}
        else:
            assert (composer.mode is ComposerMode.EDIT, composer.text) == (self.edits_here, self.text)

    # --- what happens -------------------------------------------------------------------------------------------------

    def go(self, place: str) -> None:
        self.rig.take(ClickRow(ConversationTarget(self.key(place))))
        if self.online:
            self.rig.pump()

    def type(self, text: str) -> None:
        self.rig.type(self.text + text)
        self.keep(self.place, self.text + text)

    def paste(self, text: str) -> None:
        self.type(f"{text}\n{text}\n")

    def late(self, text: str, place: str) -> None:
        """Type while the screen does not know yet that another conversation is open."""
        here, text, revision = self.place, self.text + text, self.rig.view.composer.revision
        if self.key(place) != self.rig.core.current:
            self.go(place)
            self.rig.take(TypedText(text, len(text), revision))
            self.keep(here, text)

    def empty(self) -> None:
        """Throw the text away, as Ctrl+C does."""
        self.rig.type("")
        self.keep(self.place, "")

    def submit(self) -> None:
        here, text = self.place, self.text
        if (self.edits_here and not self.online) or text.startswith(" "):
            return
        self.rig.take(SubmitText(text, self.rig.view.composer.revision))
        if self.edits_here:
            if text.strip():
                del self.edits[here]
        else:
            self.drafts.pop(here, None)
            if text.strip() and not self.online:
                self.waiting.setdefault(here, []).append(text.removeprefix("/").rstrip())
        if self.online:
            self.rig.pump()

    def edit(self) -> None:
        window, me = self.rig.state._context.window, self.rig.core.me.id
        if self.online and not self.edits_here and any(each.sender_id == me for each in window.kept):
            self.rig.run("recall")
            text = self.rig.view.composer.text
            self.edits[self.place] = (text, text)

    def escape(self) -> None:
        self.rig.take(CloseOverlay())
        self.edits.pop(self.place, None)

    def ask(self, hidden: bool) -> None:
        """A question comes into the field."""
        if hidden:
            self.rig.state.note([events.PasswordNeeded("me", False, ErrorCode.PASSWORD_NEEDED, "")])
        else:
            self.rig.state._context.interaction.asks_name = True
            self.rig.take(KeyTyped())
        self.asked = True

    def answer(self) -> None:
        self.rig.type(ANSWER)

    def end(self, late: bool) -> None:
        """The question ends by itself; ``late`` is Enter behind its answer."""
        interaction, revision = self.rig.state._context.interaction, self.rig.view.composer.revision
        self.rig.type(ANSWER)
        interaction.asks_name, interaction.prompt = False, None
        self.rig.take(KeyTyped())
        self.rig.take(TypedText(f"{ANSWER}!", 3, revision))
        if late:
            self.rig.take(SubmitText(ANSWER, revision))
        self.asked = False

    def hear(self, place: str) -> None:
        if self.online and place.startswith("#"):
            self.rig.say("heard", place[1:])
        elif self.online:
            self.rig.tell("heard", int(place[1:]))

    def cut(self) -> None:
        """Lose the connection."""
        self.rig.driver.cut()
        self.rig.note()

    def pump(self) -> None:
        self.rig.pump()
        self.waiting.clear()

    def kill(self) -> None:
        record, server = self.rig.state.unsent.all(), self.rig.driver.server
        assert isinstance(server, ScreenServer)
        server.cut()
        server.out.clear()
        self.rig = ScreenRig("ops", server=server, record=record)
        self.rig.pump()
        self.drafts = {place: text for place in PLACES if (text := self.found(place))}
        self.edits = {place: (was, text) for place, (was, text) in self.edits.items() if text.strip() and text != was}
        self.waiting.clear()
        self.asked = False

    def do(self, step: tuple[object, ...]) -> None:
        word, *rest = step
        if word in ALWAYS or self.asked is (word in {"answer", "end"}):
            getattr(self, str(word))(*rest)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=25))
def test_each_text_is_there_after_a_kill_once_and_in_its_own_conversation(steps: list[tuple[object, ...]]) -> None:
    person = Person()
    person.begin()
    for step in steps:
        person.do(step)
        person.check()
    person.kill()
    person.check()
