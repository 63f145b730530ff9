"""The lists that open over the panes: each function makes one, as `ScreenOverlay`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from securechat.client import catalogue
from securechat.client.catalogue.names import marked, named
from securechat.client.core.client import ClientCore
from securechat.client.core.events import SearchShown
from securechat.client.core.state import ConversationId, PersonKey
from securechat.client.ui.input.completion import command_words
from securechat.client.ui.input.ui_actions import PALETTE, KeyboardFocus, KeyTable
from securechat.client.ui.notifications import LEVEL_WORDS, NotificationLevel
from securechat.client.ui.rows.describe import login_lines
from securechat.client.ui.rows.links import links_in
from securechat.client.ui.rows.rendering import (
    BotLookup,
    file_text,
    hit_rows,
    local_date,
    own_text,
    safe_sign,
    shown_name,
)
from securechat.client.ui.rows.styled_text import TextRow, TextSpan, TextStyle
from securechat.client.ui.screen_model.notices import ScreenNotice
from securechat.client.ui.screen_model.overlay import (
    ChooseAction,
    ChooseConversation,
    ChooseDelete,
    ChooseEmoji,
    ChooseLine,
    ChooseLink,
    ChooseLogin,
    ChooseMessage,
    ChooseNothing,
    OverlayItem,
    ScreenOverlay,
    item,
    joined,
    styled,
    wrapped,
)
from securechat.client.ui.screen_model.panes import place
from securechat.client.ui.screen_model.view import OverlayKind
from securechat.model import LoginInfo, Message, Person
from securechat.text.sanitize import one_line

MOST_LINKS = 200
"""Links of a conversation in one list, the newest: more are found by a search."""
_EXCERPT = 60


def switcher(core: ClientCore, keys: Iterable[ConversationId]) -> ScreenOverlay:
    """Offer all conversations in their order, then the people whom the user knows.

    Args:
        core: knows names and counts.
        keys: of the conversations.
    """
    items: list[OverlayItem] = []
    there: set[ConversationId] = set()
    for key in keys:
        there.add(key)
        conversation = core.conversations.get(key)
        count = conversation.unread if conversation is not None else 0
        counts = styled(f"  {count}", TextStyle.UNREAD) if count else ""
        items.append(item(joined(place(core, key), counts), ChooseConversation(key)))
    people = {person.id: person for room in core.rooms.values() for person in room.people.values()}
    by_name = sorted(people.values(), key=lambda each: each.name.casefold())
    further = (PersonKey(person.id) for person in by_name if person.id != core.me.id)
    items += [item(place(core, key), ChooseConversation(key)) for key in further if key not in there]
    return ScreenOverlay(OverlayKind.SWITCHER, catalogue.screen.SWITCHER(), items, prompt=catalogue.screen.FIND())


def palette(keys: KeyTable) -> ScreenOverlay:
    """Offer every action by its words, then every command."""
    items = []
    for action in PALETTE:
        shown = keys.keys(action.id)
        row = joined(str(action.words()), "  ", styled(" ".join(shown[:1]), TextStyle.KEY), f"  {action.command}")
        items.append(item(row, ChooseAction(action.id), action.id.replace("_", " ")))
    for words in command_words():
        arguments = f" {words.arguments}" if words.arguments else ""
        row = joined(styled(words.word, TextStyle.KEY), styled(arguments, TextStyle.DIM), f"  {words.meaning}")
        items.append(item(row, ChooseLine(f"{words.word} " if words.arguments else words.word)))
    return ScreenOverlay(OverlayKind.PALETTE, catalogue.screen.PALETTE(), items, prompt=catalogue.screen.FIND())


def help_page(keys: KeyTable, columns: int) -> ScreenOverlay:
    """Show all keys by place, and all commands."""
    items: list[OverlayItem] = []
    for where in KeyboardFocus:
        actions = keys.placed(where)
        if not actions:
            continue
        items.append(item(styled(str(where.words()), TextStyle.NOTICE)))
        for action, names in actions:
            items.append(item(joined("  ", styled(", ".join(names), TextStyle.KEY), f"  {action.words()}")))
    items.append(item(styled(catalogue.screen.COMMANDS(), TextStyle.NOTICE)))
    for words in command_words():
        arguments = f" {words.arguments}" if words.arguments else ""
        row = joined("  ", styled(f"{words.word}{arguments}", TextStyle.KEY), f"  {words.meaning}")
        items += [item(each) for each in wrapped(row, columns)]
    return ScreenOverlay(OverlayKind.HELP, catalogue.screen.HELP(), items, prompt=catalogue.screen.FIND())


def lines(
    kind: OverlayKind, title: str, sentences: Iterable[str], columns: int, further: Iterable[OverlayItem] = ()
) -> ScreenOverlay:
    """Show sentences, such as the answer to a command, and further items; newlines in them come from this program."""
    all_lines = (line for sentence in sentences for line in sentence.split("\n"))
    rows = [row for line in all_lines for row in wrapped(TextRow.of(line), columns)]
    return ScreenOverlay(kind, title, [*map(item, rows), *further])


def links(found: Sequence[tuple[str, str]], title: str, columns: int) -> ScreenOverlay:
    """Offer links, each whole, over several rows where it is longer than one.

    Args:
        found: each with the name of who sent it, safe to show.
        title: of the list.
        columns: of the list.
    """
    items: list[OverlayItem] = []
    for link, name in found:
        spans = [
            TextSpan(0, len(link), TextStyle.LINK, link=link),
            TextSpan(len(link), len(link) + 2 + len(name), TextStyle.DIM),
        ]
        row = TextRow.of(f"{link}  {name}".rstrip(), spans)
        items += [OverlayItem(each, row.casefold(), ChooseLink(link)) for each in wrapped(row, columns)]
    return ScreenOverlay(OverlayKind.LINKS, title, items, prompt=catalogue.screen.FIND())


def links_of(messages: Iterable[Message], is_bot: BotLookup) -> list[tuple[str, str]]:
    """Return the links of messages, each once, as `links` takes them; of the messages in the order given."""
    found: dict[str, str] = {}
    for message in messages:
        for link in links_in(own_text(message)) if message.deleted is None else ():
            if link.target not in found:
                found[link.target] = author(message, is_bot)
            if len(found) == MOST_LINKS:
                return list(found.items())
    return list(found.items())


def hits(core: ClientCore, shown: SearchShown, columns: int, title: str = "") -> ScreenOverlay:
    """Show a page of search hits: Enter goes to the message."""
    items: list[OverlayItem] = []
    for hit in shown.hits:
        key = core.conversation_of(hit.message)
        rows = hit_rows(hit, columns, core.is_bot)
        items += [item(row, ChooseMessage(key, hit.message.seq)) for row in rows]
    said = catalogue.rooms.after_hits(len(shown.hits), more=shown.more, building=shown.building)
    if shown.more:
        items.append(item(styled(catalogue.rooms.MORE(), TextStyle.NOTICE), ChooseLine("/more", sends=True)))
    above = [row for sentence in said for row in wrapped(styled(sentence, TextStyle.NOTICE), columns)]
    return ScreenOverlay(
        OverlayKind.SEARCH, title or catalogue.screen.search_title(one_line(shown.query)), items, above=above
    )


def unread(core: ClientCore, items: Sequence[tuple[ConversationId, int, int]]) -> ScreenOverlay:
    """Show the conversations with unread messages: Enter goes to the first one.

    Args:
        core: knows their names.
        items: each with its unread messages and mentions.
    """
    rows = []
    for key, count, mentions in items:
        counts = f"  {count}" + (f" @{mentions}" if mentions else "")
        rows.append(item(joined(place(core, key), styled(counts, TextStyle.UNREAD)), ChooseConversation(key)))
    above = [] if rows else [styled(catalogue.rooms.ALL_READ(), TextStyle.NOTICE)]
    return ScreenOverlay(OverlayKind.UNREAD, catalogue.screen.UNREAD(), rows, above=above)


def emoji(key: ConversationId, seq: int, known: Mapping[str, str], used: Sequence[str]) -> ScreenOverlay:
    """Offer emoji for a reaction; those used under the message stand first."""
    chosen = dict.fromkeys((*used, *known))
    items = []
    for each in chosen:
        words = known.get(each, "")
        items.append(item(f"{safe_sign(each)}  {words.partition(chr(9))[0]}", ChooseEmoji(key, seq, each), words))
    return ScreenOverlay(OverlayKind.EMOJI, catalogue.screen.EMOJI(), items, prompt=catalogue.screen.FIND())


def delete_question(key: ConversationId, message: Message, columns: int) -> ScreenOverlay:
    """Ask whether a message is to be deleted; No is selected, and is last."""
    text = " + ".join([one_line(own_text(message)), *map(file_text, message.files)])[:_EXCERPT]
    asked = wrapped(TextRow.of(catalogue.screen.delete_question(text)), columns)
    yes = item(catalogue.screen.YES(), ChooseDelete(key, message.seq))
    answers = [yes, item(catalogue.screen.NO(), ChooseNothing())]
    return ScreenOverlay(OverlayKind.QUESTION, catalogue.screen.DETAILS(), answers, above=asked)


def details(core: ClientCore, message: Message, columns: int) -> ScreenOverlay:
    """Show all about a message."""
    words = catalogue.screen
    said = [
        words.number_line(str(message.seq)),
        words.author_line(author(message, core.is_bot)),
        words.sent_line(local_date(message.sent_at_ms)),
    ]
    if message.to is not None:
        said.append(words.recipient_line(_person_name(core, message.to, message.to_name or "")))
    if message.reply is not None:
        said.append(words.reply_line(str(message.reply)))
    if message.edited is not None:
        said.append(words.edited_line(_by(core, message, message.edited_by)))
    if message.deleted is not None:
        said.append(words.deleted_line(_by(core, message, message.deleted_by)))
    if message.mentions:
        said.append(words.mentions_line([_person_name(core, each) for each in message.mentions]))
    said += [file_text(file) for file in message.files]
    said += [
        words.reaction_line(safe_sign(each.sign), [_person_name(core, who) for who in each.by])
        for each in message.reactions
    ]
    return lines(OverlayKind.DETAILS, words.DETAILS(), said, columns)


def notices(past: Iterable[ScreenNotice], now: float, columns: int) -> ScreenOverlay:
    """Show past notices, each below how long ago it came.

    Args:
        past: the newest first.
        now: monotonic seconds.
        columns: of the list.
    """
    items: list[OverlayItem] = []
    ago = ""
    for notice in past:
        said = catalogue.screen.minutes_ago(max(0, int((now - notice.at) / 60)))
        if said != ago:
            ago = said
            items.append(item(styled(said, TextStyle.DIM)))
        style = TextStyle.ERROR if notice.error else TextStyle.NOTICE
        rows = (row for line in notice.sentence.split("\n") for row in wrapped(styled(line, style), columns))
        items += [item(row) for row in rows]
    return ScreenOverlay(OverlayKind.LIST, catalogue.screen.NOTICES(), items, prompt=catalogue.screen.FIND())


def levels(
    core: ClientCore, key: ConversationId, offered: Iterable[NotificationLevel], now: NotificationLevel
) -> ScreenOverlay:
    """Offer what notifies in a conversation; the level that it has is marked.

    Args:
        core: knows names.
        key: the conversation.
        offered: its levels.
        now: the one that it has.
    """
    items = []
    for level in offered:
        mark = "* " if level is now else "  "
        row = joined(f"{mark}{LEVEL_WORDS[level]()}", styled(f"  {level.value}", TextStyle.DIM))
        items.append(item(row, ChooseAction("notify", level.value)))
    return ScreenOverlay(OverlayKind.LIST, catalogue.screen.level_title(str(place(core, key))), items)


class ServerInfo(Struct, frozen=True):
    """What is known of the server and of the connection to it.

    Attributes:
        host, port: the address, as the user gave it.
        ca_fingerprint: of the CA that verifies it, hex digits; empty where this machine trusts it anyway.
        tls_version: such as ``TLSv1.3``; empty without a connection.
        program: and version of the server; empty before the login.
        ca: the path of a file with its CA; see `network.ServerTarget`.
    """

    host: str
    port: int
    ca_fingerprint: str = ""
    tls_version: str = ""
    program: str = ""
    ca: str | None = None


def connection(core: ClientCore, facts: ServerInfo, state: str, why: str, columns: int) -> ScreenOverlay:
    """Show server, encryption, login and what the operator can read.

    Args:
        core: knows whether the user has an account.
        facts: of the server.
        state: of the connection, as the status has it.
        why: the last attempt failed; empty for none.
        columns: of the list.
    """
    words = catalogue.screen
    said = [words.server_line(f"{one_line(facts.host)}:{facts.port}"), words.state_line(state)]
    if why:
        said.append(words.last_attempt(why))
    if facts.program:
        said.append(words.program_line(one_line(facts.program)))
    if facts.tls_version:
        said.append(words.encryption_line(facts.tls_version))
    said.append(words.fingerprint_line(grouped(facts.ca_fingerprint)) if facts.ca_fingerprint else words.SYSTEM_CA())
    said.append(words.LOGIN_ACCOUNT() if core.account else words.LOGIN_GUEST())
    said += [words.OPERATOR_READS(), words.NETWORK_READS_NOTHING(), catalogue.accounts.other_servers()]
    return lines(OverlayKind.CONNECTION, words.CONNECTION(), said, columns)


def logins(shown: Sequence[LoginInfo], columns: int, *, more: bool = False) -> list[OverlayItem]:
    """Return the items of the user's logins: Enter on one asks whether to end it.

    Args:
        shown: as the server has answered.
        columns: of the list.
        more: whether the server left some out.
    """
    items = [item(styled(catalogue.screen.LOGINS(), TextStyle.NOTICE))]
    for each, line in zip(shown, login_lines(shown), strict=True):
        choice = ChooseLogin(each.login, line, current=each.current)
        items += [item(row, choice) for row in wrapped(TextRow.of(line), columns)]
    if more:
        items += [item(row) for row in wrapped(styled(catalogue.accounts.MORE_LOGINS(), TextStyle.DIM), columns)]
    return items


def end_login_question(choice: ChooseLogin, columns: int) -> ScreenOverlay:
    """Ask whether a login is to be ended; No is selected. Without this login the chat ends here."""
    words = catalogue.screen
    asked = wrapped(TextRow.of(words.end_login_question(choice.line)), columns)
    if choice.current:
        asked += wrapped(styled(words.ENDS_THIS_LOGIN(), TextStyle.ERROR), columns)
    line = "/logout" if choice.current else " ".join(("/sessions", "end", str(choice.number)))
    answers = [item(words.NO(), ChooseNothing()), item(words.YES(), ChooseLine(line, sends=True))]
    return ScreenOverlay(OverlayKind.QUESTION, words.LOGINS(), answers, above=asked)


def grouped(digits: str) -> str:
    """Return hex digits in groups of four, to be compared with others."""
    bare = "".join(char for char in digits.lower() if char in "0123456789abcdef")
    return " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def author(message: Message, is_bot: BotLookup) -> str:
    """Return the author of a message, safe to show."""
    name = named(one_line(message.name), bot=message.bot or is_bot(message.sender_id))
    return marked(name) or catalogue.names.DELETED()


def _by(core: ClientCore, message: Message, by: Person | None) -> str:
    return author(message, core.is_bot) if by is None else marked(shown_name(by, core.is_bot))


def _person_name(core: ClientCore, person_id: int, otherwise: str = "") -> str:
    name = core.name_of(person_id) or otherwise or catalogue.rooms.UNKNOWN_MEMBER()
    return marked(named(one_line(name), bot=core.is_bot(person_id)))
