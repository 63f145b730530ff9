"""What a screen can show, each as a scene: something has happened, and some keys were pressed.

Names, times and numbers are made up and always the same; a scene needs no network, no file and no clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from securechat import model as m
from securechat.client.ui.screen_model import view as views
from securechat.client.ui.screen_model.start_form import StartForm
from tests.support.screen_pilot import PilotScreen
from tests.support.screen_rig import ScreenRig

Play = Callable[[PilotScreen], Awaitable[None]]
ME, BOB, CARL, DEWI, BOT = (m.Person(*each) for each in ((1, "me"), (2, "bob"), (3, "carl"), (4, "dewi"), (5, "build")))
LONG = "https://example.org/a/rather/long/path/that/fills/more/than/a/row?with=query&and=more"
SMALL = (19, 5)
FIRST_MS = 1_700_000_000_000
"""2023-11-14 22:13:20 UTC."""
DAY_MS = 86_400_000
CODE = '''```python
def pour(cups: int) -> None:
    """Say so."""
    for number in range(cups):
        print(f"cup {number}")  # hot
```
then
```sh
ls -l | grep tea
```'''


class Scene:
    """A state that things happen to.

    Args:
        rooms: besides the lobby; the last one is open.
    """

    def __init__(self, *rooms: str) -> None:
        self.rig = ScreenRig(*rooms, online=False)
        self.server = self.rig.driver.server
        self.server.page_rows = 200
        self.at_ms = FIRST_MS
        self._room = rooms[-1] if rooms else "lobby"

    def say(self, text: str, by: m.Person = BOB, room: str = "", *, live: bool = False, **fields: object) -> m.Message:
        """Have a message stored, and with ``live`` sent."""
        to = fields.get("to")
        stored = self.server.store(by.id, text, room=None if to else room or self._room, to=to)  # type: ignore[arg-type]
        message = replace(stored, name=by.name, sent_at_ms=self.at_ms, bot=by is BOT, **fields)
        self.server.log[-1] = self.server.entries[-1] = message
        self.at_ms += 1000
        if live:
            self.server.push(message)
            self.rig.pump()
        return message

    def connect(self) -> None:
        """Log in, with others in the room; the notices of the start are gone."""
        self.rig.pump()
        self.server.out.append(m.Presence(self._room, 4, joined=[BOB, CARL, DEWI]))
        self.rig.pump()
        self.rig.driver.now += 60.0
        self.rig.take(views.CloseOverlay(), views.KeyTyped())
        self.rig.pump()

    def everything(self) -> None:
        """Say a bit of all that there is in a room, over two days."""
        asked = self.say("Who brings tea?")
        self.say(f"I do. See {LONG}", CARL, reply=asked.seq)
        self.say(
            "It needs a kettle", edited=900, changed=900, reactions=[m.Reaction("👍", [3]), m.Reaction("🚀", [2, 1])]
        )
        self.say("", CARL, deleted=901, changed=901)
        self.at_ms += DAY_MS
        self.say("@me: tea is at four, and @dewi comes too", DEWI, mentions=[1, 4])
        self.say("I am there", ME)
        self.say("Build 48 has passed", BOT)


async def _as_it_is(_screen: PilotScreen) -> None:
    """Press nothing."""


def _keys(*keys: str) -> Play:
    async def play(screen: PilotScreen) -> None:
        await screen.press(*keys)

    return play


def _room_and(*keys: str) -> tuple[Scene, Play]:
    scene = Scene("ops")
    scene.everything()
    scene.connect()
    return scene, _keys(*keys)


def room() -> tuple[Scene, Play]:
    """A room with a bit of everything."""
    return _room_and()


def empty() -> tuple[Scene, Play]:
    """A room without a message."""
    scene = Scene("ops")
    scene.connect()
    return scene, _as_it_is


def dialogue() -> tuple[Scene, Play]:
    """Direct messages with one person, and unread ones elsewhere."""
    scene = Scene("ops")
    scene.say("psst", to=1, to_name="me")
    scene.say("What is it?", ME, to=2, to_name="bob")
    scene.connect()
    scene.say("unread, @me", CARL, "lobby", live=True, mentions=[1])

    async def play(screen: PilotScreen) -> None:
        await screen.command("/dm bob")

    return scene, play


def selection() -> tuple[Scene, Play]:
    """A message is selected, and numbers are shown."""
    return _room_and("Alt+N", "Ctrl+Up", "k", "k")


def list_selected() -> tuple[Scene, Play]:
    """The list of rooms has the keys."""
    return _room_and("Alt+1")


def code() -> tuple[Scene, Play]:
    """Blocks of code."""
    scene = Scene("ops")
    scene.say(CODE, CARL)
    scene.connect()
    return scene, _as_it_is


def files() -> tuple[Scene, Play]:
    """Files, one of which is on its way."""
    scene = Scene("ops")
    photo = m.FileInfo("0" * 32, "kettle.png", 48_213, "image/png")
    plan = m.FileInfo("1" * 32, "a rather long name of a plan for the tea.pdf", 10_485_760, "application/pdf")
    scene.say("", CARL, files=[photo])
    scene.say("both", files=[photo, plan])
    scene.connect()
    scene.rig.take(views.TransferProgress("kettle.png: 50 %"))
    return scene, _as_it_is


def unread() -> tuple[Scene, Play]:
    """The line where the unread begin, and new ones below."""
    scene = Scene("ops")
    scene.everything()
    scene.connect()
    scene.rig.take(views.FocusChanged(False))
    for number in range(30):
        scene.say(f"unread {number}", CARL, live=True)
    scene.rig.run("first_unread")
    return scene, _as_it_is


def lost() -> tuple[Scene, Play]:
    """The connection is lost, and messages wait."""
    scene = Scene("ops")
    scene.everything()
    scene.connect()

    async def play(screen: PilotScreen) -> None:
        scene.rig.driver.cut()
        scene.rig.note()
        await screen.show()
        for text in ("first", "second"):
            await screen.command(text)
        await screen.paste("not sent yet")

    return scene, play


def failed() -> tuple[Scene, Play]:
    """A message was refused."""
    scene = Scene("ops")
    scene.connect()
    scene.server.refuse_texts = True

    async def play(screen: PilotScreen) -> None:
        await screen.command("may I?")

    return scene, play


def small() -> tuple[Scene, Play]:
    """The window is too small."""
    return _room_and()


def bare() -> tuple[Scene, Play]:
    """The view without panes."""
    return _room_and("Alt+L")


def writing() -> tuple[Scene, Play]:
    """A text of several lines that is too long, as an answer."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.press("Ctrl+Up", "r")
        await screen.paste("first line\n" + "word " * 778 + "\nend")

    return scene, play


def editing() -> tuple[Scene, Play]:
    """An own message is edited."""
    return _room_and("Up")


def completion() -> tuple[Scene, Play]:
    """Words for what is begun."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.paste("/h")
        await screen.press("Down")

    return scene, play


def emoji_completion() -> tuple[Scene, Play]:
    """Emoji for a word."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.paste("well :ro")

    return scene, play


def password() -> tuple[Scene, Play]:
    """A password is typed."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.command("/register")
        await screen.type("hidden")

    return scene, play


def notices() -> tuple[Scene, Play]:
    """An error and a notice below the messages."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.command("/reply 999999 x")
        await screen.press("Ctrl+U", "Alt+Left")

    return scene, play


def switcher() -> tuple[Scene, Play]:
    """The list of rooms and people, filtered."""
    return _room_and("Ctrl+G", "o")


def palette() -> tuple[Scene, Play]:
    """The list of actions and commands."""
    return _room_and("Alt+P", "Down")


def help_page() -> tuple[Scene, Play]:
    """The keys."""
    return _room_and("F1")


def connection() -> tuple[Scene, Play]:
    """The server and how one is connected."""
    return _room_and("F2")


def search_prompt() -> tuple[Scene, Play]:
    """The words of a search are typed."""
    return _room_and("Alt+S", "t", "e", "a")


def search_hits() -> tuple[Scene, Play]:
    """Messages that were found."""
    return _room_and("Alt+S", "t", "e", "a", "Enter")


def reactions() -> tuple[Scene, Play]:
    """Emoji to react with."""
    return _room_and("Ctrl+Up", "+")


def delete_question() -> tuple[Scene, Play]:
    """The question before a message is deleted."""
    return _room_and("Ctrl+Up", "k", "d")


def links() -> tuple[Scene, Play]:
    """The links of a room."""
    scene = Scene("ops")
    scene.say(f"see {LONG} and https://example.org/b", CARL)
    scene.connect()

    async def play(screen: PilotScreen) -> None:
        await screen.command("/open")
        if screen.view.overlay is None:
            await screen.press("Escape", "Ctrl+U", "Ctrl+Up", "o")

    return scene, play


def about() -> tuple[Scene, Play]:
    """All about a message."""
    return _room_and("Ctrl+Up", "k", "k", "i")


def members() -> tuple[Scene, Play]:
    """The answer to a command."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.command("/who")

    return scene, play


def notify() -> tuple[Scene, Play]:
    """What notifies in the room."""
    scene, _ = _room_and()

    async def play(screen: PilotScreen) -> None:
        await screen.command("/notify")

    return scene, play


def past_notices() -> tuple[Scene, Play]:
    """The notices of this run."""
    scene, _ = _room_and()
    scene.rig.take(views.ShowSentence("Saved: kettle.png"))

    async def play(screen: PilotScreen) -> None:
        await screen.command("/notices")

    return scene, play


async def _form(screen: PilotScreen, form: StartForm) -> None:
    layout = screen.view.layout
    form.columns, form.rows = layout.columns, layout.rows
    screen.app.show(form.view())
    await screen.settle()


def start_form() -> tuple[Scene, Play]:
    """The first start, with a refusal."""
    scene = Scene()

    async def play(screen: PilotScreen) -> None:
        form = StartForm("me", (), asks_shell=True)
        values = {"address": "chat.invalid", "name": "me", "shell": "screen"}
        form.refuse(values, "address", "chat.invalid is not known")
        await _form(screen, form)

    return scene, play


def start_comparison() -> tuple[Scene, Play]:
    """A fingerprint that is to be compared."""
    scene = Scene()

    async def play(screen: PilotScreen) -> None:
        form = StartForm("me", (), asks_shell=True)
        form.compare({"address": "chat.lan", "name": "me", "shell": "screen"}, "ab12" * 16)
        await _form(screen, form)

    return scene, play


def start_servers() -> tuple[Scene, Play]:
    """Servers that are remembered."""
    scene = Scene()

    async def play(screen: PilotScreen) -> None:
        await _form(screen, StartForm("me", ("chat.lan:8443", "tea.example:8443")))

    return scene, play


SCENES: dict[str, Callable[[], tuple[Scene, Play]]] = {
    each.__name__: each
    for each in (
        *(room, empty, dialogue, selection, list_selected, code, files, unread, lost, failed, small, bare, writing),
        *(editing, completion, emoji_completion, password, notices, switcher, palette, help_page, connection),
        *(search_prompt, search_hits, reactions, delete_question, links, about, members, notify, past_notices),
        *(start_form, start_comparison, start_servers),
    )
}
