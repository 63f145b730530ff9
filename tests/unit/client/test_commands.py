"""What a typed line means."""

from __future__ import annotations

import pytest

from securechat.client import catalogue
from securechat.client.core import actions
from securechat.client.core.actions import ModerationVerb
from securechat.client.core.state import ConversationId, PersonKey, RoomKey
from securechat.client.ui.commands.parser import COMMANDS, holds_secret, read
from securechat.client.ui.commands.results import (
    AddCertificateFile,
    AskPassword,
    BackToRoom,
    HistoryRequest,
    InputError,
    ParsedInput,
    PrefillInput,
    SetLanguage,
    ShowHelp,
)
from securechat.client.ui.input.password_prompt import PasswordPurpose
from securechat.client.ui.message_numbers import KEPT_NUMBERS, MessageNumbers
from securechat.model import Edited, Message, Reaction, RevisionKind, SetRoom

HERE = RoomKey("ops")
KNOWN = ("user1", "user1 pc", "Bob")


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("hello", actions.SendMessage("hello", HERE)),
        ("//etc is a folder", actions.SendMessage("/etc is a folder", HERE)),
        ("exit", actions.LeaveChat()),
        (" EXIT ", actions.LeaveChat()),
        ("exit now", actions.SendMessage("exit now", HERE)),
        ("/quit", actions.LeaveChat()),
        ("/help", ShowHelp()),
        ("/help kick", ShowHelp("/kick")),
        ("/help /KICK", ShowHelp("/kick")),
        ("/help dm", ShowHelp("/msg")),
        ("/help /rooms", ShowHelp("/rooms")),
        ("/help nosuch", InputError(catalogue.rooms.no_such_help("nosuch", COMMANDS))),
        ("/who", actions.AskWho("ops")),
        ("/who lobby", actions.AskWho("lobby")),
        ("/rooms", actions.AskRooms()),
        ("/join #Dev", actions.JoinRoom("#Dev")),
        ("/leave", actions.LeaveRoom("ops")),
        ("/history", actions.AskHistory(HERE, 20)),
        ("/history 5", actions.AskHistory(HERE, 5)),
        ("/nick ann b", actions.ChooseName("ann b")),
        ('/msg "user1 pc" hi there', actions.SendDirect("user1 pc", "hi there")),
        ("/msg “user1 pc” hi", actions.SendDirect("user1 pc", "hi")),
        ('/msg "user1" pc is on', actions.SendDirect("user1", "pc is on")),
        ("/msg user1_pc hi", actions.SendDirect("user1 pc", "hi")),
        ("/msg user1 hi", actions.SendDirect("user1", "hi")),
        ("/msg stranger hi", actions.SendDirect("stranger", "hi")),
        ("/ignore bob", actions.IgnorePerson("bob")),
        ("/ignore user1 pc", actions.IgnorePerson("user1 pc")),
        ("two\nlines", actions.SendMessage("two\nlines", HERE)),
        ("pasted\n\n \n", actions.SendMessage("pasted", HERE)),
        ("//pasted \n", actions.SendMessage("/pasted", HERE)),
        ("  art", actions.SendMessage("  art", HERE)),
        ("/register", AskPassword(PasswordPurpose.REGISTER)),
        ("/password", AskPassword(PasswordPurpose.CHANGE)),
        ("/lang", SetLanguage()),
        ("/lang id", SetLanguage("id")),
        ("/LANG id_ID", SetLanguage("id")),
        ("/bahasa", SetLanguage()),
        ("/help language", ShowHelp("/lang")),
        ("/sessions", actions.AskLogins()),
        ("/sessions end 12", actions.EndLogin(12)),
        ("/logout", actions.EndLogin()),
        ("/cert", actions.AskCertificates()),
        ("/sessions list", actions.AskLogins()),
        ("/cert list", actions.AskCertificates()),
        ("/cert add", actions.AddLoginCertificate()),
        ("/cert add my card.pem", AddCertificateFile("my card.pem")),
        ("/cert remove 3", actions.RemoveLoginCertificate(3)),
    ],
)
def test_meaning(line: str, meaning: ParsedInput) -> None:
    assert read(line, HERE, KNOWN) == meaning


@pytest.mark.parametrize(
    "line",
    [
        "/join",
        "/nick",
        '/msg "user1 pc hi',
        '/msg "user1"pc hi',
        '/msg " " hi',
        "/ignore",
        "/sessions end",
        "/sessions 3",
        "/cert remove x",
        "/logout now",
    ],
)
def test_a_command_without_what_it_needs_says_how_it_is_used(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert line.split(maxsplit=1)[0] in meaning.sentence


@pytest.mark.parametrize("wanted", ["fr", "..", "i" * 5000, "id id", "{known}", "%s"])
def test_a_language_that_does_not_exist_is_refused_with_those_that_do(wanted: str) -> None:
    meaning = read(f"/lang {wanted}", HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert meaning.sentence.startswith(f"There is no translation called {wanted[:20]}")
    assert meaning.sentence.endswith(". Languages: en (English), id (Bahasa Indonesia)")
    assert len(meaning.sentence) < 120


@pytest.mark.parametrize(
    "line", ["caf\udce9 \ud83d", "/nick caf\udce9", "/msg caf\udce9 x\n", "/join caf\udce9", "\udce9"]
)
def test_a_line_that_is_no_text_is_refused_and_nothing_in_it_is_replaced(line: str) -> None:
    assert read(line, HERE, KNOWN) == InputError(catalogue.connection.NOT_TEXT())


INVISIBLE = (" ", "   ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2060", "\u200e", "\x00", "\u2800", "\u3164")


@pytest.mark.parametrize(
    "command", ["/msg bob my pin", "/kick bob", "/nick ann", "/quit", "/usr/bin", "\uff0fmsg bob my pin"]
)
@pytest.mark.parametrize("blank", INVISIBLE)
def test_a_command_behind_a_blank_is_no_public_speech(blank: str, command: str) -> None:
    """Every character that shows nothing was looked through (Unicode's Z and C), and the slash of other keyboards."""
    assert read(blank + command, HERE, KNOWN) == InputError(catalogue.connection.BLANK_BEFORE_COMMAND())


@pytest.mark.parametrize("blank", ["", *INVISIBLE])
@pytest.mark.parametrize("slash", ["/", "\uff0f"])
def test_a_command_about_a_password_is_one_also_behind_a_blank(blank: str, slash: str) -> None:
    if not blank and slash != "/":
        blank = " "
    assert read(f"{blank}{slash}register", HERE, KNOWN) == AskPassword(PasswordPurpose.REGISTER)
    meaning = read(f"{blank}{slash}register correct horse", HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert meaning.secret
    assert "correct" not in meaning.sentence
    assert holds_secret(f"{blank}{slash}register correct horse")


@pytest.mark.parametrize("line", ["  //x", "  text /x", "\u200bart", "a /msg bob x"])
def test_other_text_behind_a_blank_is_sent_as_it_stands(line: str) -> None:
    assert read(line, HERE, KNOWN) == actions.SendMessage(line, HERE)


@pytest.mark.parametrize("known", [("ana", "ana budi"), ("ana budi",), ("ana budi", "ana budi citra")])
@pytest.mark.parametrize("blank", [" ", "  ", "\t", "\n", "\u00a0"])
@pytest.mark.parametrize("command", ["/msg", "/dm", "/kick", "/ban", "/mute"])
def test_where_a_name_ends_is_never_guessed(known: tuple[str, ...], blank: str, command: str) -> None:
    """All commands with text behind a name: /msg, /kick, /ban, /mute; elsewhere the name is all there is.

    Also when "ana" is not here: an account can be away, and its direct messages wait for it.
    """
    meaning = read(f"{command} ana{blank}budi hello", HERE, known)
    assert isinstance(meaning, InputError)
    assert f'"{"ana budi"}"' in meaning.sentence
    assert '"ana"' in meaning.sentence


@pytest.mark.parametrize("command", ["/invite", "/unban", "/unmute", "/ignore"])
def test_where_nothing_follows_a_name_all_of_it_is_the_name(command: str) -> None:
    for typed in ("ana budi", '"ana budi"'):
        meaning = read(f"{command} {typed}", HERE, ("ana", "ana budi"))
        assert isinstance(meaning, actions.ModerateMember | actions.IgnorePerson)
        assert meaning.name == "ana budi"


@pytest.mark.parametrize("line", ["/passwort", "/registre", "/pasword", "/regsiter"])
def test_a_misspelt_command_about_a_password_warns_of_the_next_lines(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert meaning.secret


NUMBERED = MessageNumbers()
NUMBERED.add(HERE, 7, Message(7, 0, 9, "ann", 0, "x", "ops", reactions=[Reaction("old", [1])]))


@pytest.mark.parametrize(
    "word", ["hello", "hello there", "ok", "+1", "12", "\u043f\u0440\u0438\u0432\u0435\u0442", ":smile:"]
)
def test_a_reaction_is_no_word(word: str) -> None:
    assert read(f"/react 7 {word}", HERE, KNOWN, NUMBERED, 1) == InputError(catalogue.rooms.no_emoji(word))
    gone = actions.ChangeMessage(HERE, RevisionKind.UNREACT, 7, emoji=word)
    assert read(f"/react 7 -{word}", HERE, KNOWN, NUMBERED, 1) == gone


@pytest.mark.parametrize(
    "emoji",
    [
        "\N{THUMBS UP SIGN}",
        "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
        "\u2764\ufe0f",
        "1\ufe0f\u20e3",
        "\N{REGIONAL INDICATOR SYMBOL LETTER I}\N{REGIONAL INDICATOR SYMBOL LETTER D}",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "!",
        "\N{TRADE MARK SIGN}",
        "\N{INFORMATION SOURCE}\ufe0f",
    ],
    ids=ascii,
)
def test_every_kind_of_emoji_is_a_reaction(emoji: str) -> None:
    react = actions.ChangeMessage(HERE, RevisionKind.REACT, 7, emoji=emoji)
    assert read(f"/react 7 {emoji}", HERE, KNOWN, NUMBERED, 1) == react


@pytest.mark.parametrize("word", ["10x", "10", "10min", "2nd", "99999999999s"])
@pytest.mark.parametrize("command", ["/ban", "/mute"])
def test_a_mistyped_time_is_no_ban_or_mute_without_end(command: str, word: str) -> None:
    refused = InputError(catalogue.rooms.no_duration(word))
    assert read(f"{command} Bob {word} spam", HERE, KNOWN) == refused
    assert read(f"{command} Bob {word}", HERE, KNOWN) == refused
    assert isinstance(read(f"{command} Bob a {word}", HERE, KNOWN), actions.ModerateMember)


def test_a_reaction_of_another_client_that_is_a_word_can_be_taken_back() -> None:
    gone = actions.ChangeMessage(HERE, RevisionKind.UNREACT, 7, emoji="old")
    assert read("/react 7 old", HERE, KNOWN, NUMBERED, 1) == gone


def test_an_unknown_command_names_the_nearest() -> None:
    meaning = read("/hsitory", HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert "/history" in meaning.sentence


@pytest.mark.parametrize("count", ["0", "99999", "10001", "1x", "-1", "9" * 30])
def test_history_says_which_numbers_it_takes(count: str) -> None:
    meaning = read(f"/history {count}", HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert meaning.sentence == f"Not a number (1-10000) or a day ({catalogue.rooms.A_DAY}): {count}"


def test_an_unknown_command_is_repeated_as_it_was_typed() -> None:
    meaning = read("/QUIT2", HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert "/QUIT2." in meaning.sentence
    assert "Did you mean /quit?" in meaning.sentence


@pytest.mark.parametrize("line", ["/register correct horse", "/password correct horse", "/Register correct"])
def test_a_password_behind_a_command_is_refused_and_not_repeated(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert "correct" not in meaning.sentence
    assert "command alone" in meaning.sentence


@pytest.mark.parametrize(
    "line", ["/register x", "  /register x", "/REGISTER x", "/registre x", "/regster x", "/passwort x", "/password\nx"]
)
def test_a_line_with_a_password_in_it_is_known_by_its_command_also_when_it_is_misspelt(line: str) -> None:
    assert holds_secret(line)


@pytest.mark.parametrize("line", ["/register", "/password", "register x", "/msg bob x", "/rooms x", "hello", "", "/"])
def test_other_lines_hold_no_secret(line: str) -> None:
    assert not holds_secret(line)


ME = 1


def numbered() -> MessageNumbers:
    """Three lines: ann's [70] with my thumb, mine [71], and [72] from a dialogue."""
    numbers = MessageNumbers()
    thumb = [Reaction("👍", [ME])]
    numbers.add(HERE, 70, Message(70, 0, 5, "ann", 0, "hello", "ops", reactions=thumb))
    numbers.add(HERE, 71, Message(71, 70, ME, "me", 0, "my words", "ops"))
    numbers.add(PersonKey(5), 72, Message(72, 0, 5, "ann", 0, "psst", to=ME, to_name="me"))
    return numbers


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("/reply 70 yes, and\n  no", actions.SendMessage("yes, and\n  no", HERE, reply=70)),
        ("/reply [70] yes", actions.SendMessage("yes", HERE, reply=70)),
        ("/edit 71 other", actions.ChangeMessage(HERE, RevisionKind.EDIT, 71, "other")),
        ("/edit 71 ```\n  x", actions.ChangeMessage(HERE, RevisionKind.EDIT, 71, "```\n  x")),
        ("/edit other words", actions.ChangeMessage(HERE, RevisionKind.EDIT, 71, "other words")),
        ("/edit 71", PrefillInput("/edit 71 my words")),
        ("/edit", PrefillInput("/edit 71 my words")),
        ("/delete", actions.ChangeMessage(HERE, RevisionKind.DELETE, 71)),
        ("/delete 70", actions.ChangeMessage(HERE, RevisionKind.DELETE, 70)),
        ("/react 71 👍", actions.ChangeMessage(HERE, RevisionKind.REACT, 71, emoji="👍")),
        ("/react 70 👍", actions.ChangeMessage(HERE, RevisionKind.UNREACT, 70, emoji="👍")),
        ("/react 71 -👍", actions.ChangeMessage(HERE, RevisionKind.UNREACT, 71, emoji="👍")),
        ("/react 👍", actions.ChangeMessage(HERE, RevisionKind.REACT, 71, emoji="👍")),
        ("/react -👍", actions.ChangeMessage(HERE, RevisionKind.UNREACT, 71, emoji="👍")),
        ("/whois ann", actions.AskPerson("ann")),
        ('/whois @"user1 pc"', actions.AskPerson("user1 pc")),
        ("/react 71 -", actions.ChangeMessage(HERE, RevisionKind.REACT, 71, emoji="-")),
        ('/search from:ann "two words"', actions.FindMessages('from:ann "two words"')),
        ("/more", actions.ShowMore()),
        ("/unread", actions.ListUnread()),
        ("/unread 2", actions.ShowUnread(2)),
        ("/jump", actions.ShowUnread()),
        ("/around 72", actions.ShowHistory(PersonKey(5), around=72)),
        ("/history 2026-11-20", HistoryRequest(HERE, date="2026-11-20")),
        ("/history 2026-11-20 #Dev", HistoryRequest("#Dev", date="2026-11-20")),
        ("/history Yesterday", HistoryRequest(HERE, date="yesterday")),
        ("/history monday @ana", HistoryRequest("@ana", date="monday")),
        ("/history 5 user1 pc", HistoryRequest("user1 pc", 5)),
        ("/history @ana", HistoryRequest("@ana", 20)),
        ("/history ana", HistoryRequest("ana", 20)),
        ("/typing", actions.SetTypingNotices()),
        ("/typing off", actions.SetTypingNotices(on=False)),
        ("/topic", actions.AskRoomSettings("ops", topic_only=True)),
        ("/topic what for", actions.ChangeRoomSettings(SetRoom(0, "ops", topic="what for"))),
        ('/topic ""', actions.ChangeRoomSettings(SetRoom(0, "ops", topic=""))),
        ("/room", actions.AskRoomSettings("ops")),
        ("/room set private on", actions.ChangeRoomSettings(SetRoom(0, "ops", private=True))),
        ("/room set read-only off", actions.ChangeRoomSettings(SetRoom(0, "ops", read_only=False))),
        ("/room set slow 2m", actions.ChangeRoomSettings(SetRoom(0, "ops", slow_s=120))),
        ("/room set slow off", actions.ChangeRoomSettings(SetRoom(0, "ops", slow_s=0))),
        ("/room set retention 30d", actions.ChangeRoomSettings(SetRoom(0, "ops", retention_days=30))),
        ("/room set history joined", actions.ChangeRoomSettings(SetRoom(0, "ops", history="joined"))),
        ("/room set archived on", actions.ChangeRoomSettings(SetRoom(0, "ops", archived=True))),
        ("/room set name Dev", actions.ChangeRoomSettings(SetRoom(0, "ops", name="Dev"))),
        ("/invite user1 pc", actions.ModerateMember("ops", ModerationVerb.INVITE, "user1 pc")),
        ("/kick bob too loud", actions.ModerateMember("ops", ModerationVerb.KICK, "Bob", reason="too loud")),
        (
            '/ban "user1 pc" 2h too loud',
            actions.ModerateMember("ops", ModerationVerb.BAN, "user1 pc", 7_200, "too loud"),
        ),
        ("/ban bob", actions.ModerateMember("ops", ModerationVerb.BAN, "Bob")),
        ("/unban user1 pc", actions.ModerateMember("ops", ModerationVerb.UNBAN, "user1 pc")),
        ("/mute bob 10m", actions.ModerateMember("ops", ModerationVerb.MUTE, "Bob", 600)),
        ("/unmute bob", actions.ModerateMember("ops", ModerationVerb.UNMUTE, "bob")),
        ("/role user1 pc Moderator", actions.ModerateMember("ops", ModerationVerb.ROLE, "user1 pc", role="moderator")),
        ("/help rooms", ShowHelp("rooms")),
    ],
)
def test_meaning_of_what_is_done_to_messages_and_rooms(line: str, meaning: ParsedInput) -> None:
    assert read(line, HERE, KNOWN, numbered(), ME) == meaning


@pytest.mark.parametrize("line", ["/reply 70 just for you", "/edit 71 just for you", "/edit 71", "/react 71 👍"])
@pytest.mark.parametrize("here", [PersonKey(5), RoomKey("dev")], ids=["dialogue", "room"])
def test_nothing_typed_elsewhere_is_said_in_the_room_of_a_number(line: str, here: ConversationId) -> None:
    command, number = line.split()[:2]
    meaning = read(line, here, KNOWN, numbered(), ME)
    assert meaning == InputError(
        f"[{number}] is in #ops, not here, so nothing was done. First /join ops, then {command} {number}"
    )


@pytest.mark.parametrize("line", ["/reply 72 yes", "/react 72 👍", "/edit 73 other"])
@pytest.mark.parametrize("here", [HERE, PersonKey(6)], ids=["room", "dialogue"])
def test_nothing_typed_elsewhere_goes_to_the_person_of_a_number(line: str, here: ConversationId) -> None:
    numbers = numbered()
    numbers.add(PersonKey(5), 73, Message(73, 72, ME, "me", 0, "hm", to=5, to_name="ann"))
    command, number = line.split()[:2]
    assert read(line, here, KNOWN, numbers, ME) == InputError(
        f"[{number}] is a direct message with ann, not here, so nothing was done. "
        f'First /dm "ann", then {command} {number}'
    )


def test_a_direct_message_without_a_known_name_is_not_answered_from_elsewhere_either() -> None:
    numbers = MessageNumbers()
    numbers.add(PersonKey(5), 72)
    meaning = read("/reply 72 yes", HERE, KNOWN, numbers, ME)
    assert isinstance(meaning, InputError)
    assert "another dialogue" in meaning.sentence
    assert "First /dm NAME, then /reply 72" in meaning.sentence


@pytest.mark.parametrize("line", ["/reply 9 x", "/edit 9 x", "/delete 9", "/react 9 x"])
def test_a_number_that_stands_beside_no_line_is_said(line: str) -> None:
    meaning = read(line, HERE, KNOWN, numbered(), ME)
    assert isinstance(meaning, InputError)
    assert meaning.sentence.endswith("this number here: 9")


@pytest.mark.parametrize(
    "line",
    [
        "/search",
        "/reply",
        "/reply 70",
        "/reply text",
        "/delete 70 now",
        "/react 70",
        "/react",
        "/react 70 " + "x" * 17,
        "/around",
        "/around 70 2",
        "/unread x",
        "/jump 3",
        "/typing maybe",
        "/room set",
        "/room reset",
        "/invite",
        "/kick",
        "/role bob",
        "/role bob king",
        "/role owner",
    ],
)
def test_each_of_them_says_how_it_is_used(line: str) -> None:
    meaning = read(line, HERE, KNOWN, numbered(), ME)
    assert isinstance(meaning, InputError)
    assert line.split(maxsplit=1)[0] in meaning.sentence


def test_without_a_line_of_ones_own_there_is_nothing_to_change() -> None:
    for line in ("/edit", "/edit x", "/delete"):
        meaning = read(line, RoomKey("elsewhere"), KNOWN, numbered(), ME)
        assert isinstance(meaning, InputError)
        assert "no message here that can be changed" in meaning.sentence


def test_nothing_hostile_gets_into_the_input_line() -> None:
    numbers = MessageNumbers()
    numbers.add(HERE, 70, Message(70, 0, 5, "ann", 0, "a\u202eb", "ops"))
    meaning = read("/edit 70", HERE, KNOWN, numbers, ME)
    assert isinstance(meaning, InputError)
    assert "does not fit into the input line as it is. Type the whole text: /edit 70 text" in meaning.sentence


def test_what_is_deleted_is_not_edited_and_says_why() -> None:
    numbers = MessageNumbers()
    numbers.add(HERE, 70, Message(70, 0, ME, "me", 0, "", "ops", deleted=71))
    meaning = read("/edit 70", HERE, KNOWN, numbers, ME)
    assert isinstance(meaning, InputError)
    assert meaning.sentence == "[70] is deleted and cannot be edited"


def test_a_message_keeps_its_number_and_is_known_as_it_is_now() -> None:
    numbers = numbered()
    numbers.add(HERE, 71)
    numbers.change(Edited(80, 71, ME, "me", 0, "ops", text="better"))
    assert numbers.last_own(HERE, ME) == numbers.find("71")[0]
    assert numbers.message(71) == Message(71, 70, ME, "me", 0, "better", "ops", edited=80, changed=80)


def test_the_oldest_messages_are_forgotten_first() -> None:
    numbers = numbered()
    for seq in range(1_000, 1_000 + KEPT_NUMBERS - 2):
        numbers.add(HERE, seq)
    assert numbers.message(70) is None
    assert numbers.message(71) is not None
    numbers.forget()
    assert numbers.find("1001") == []


def busy() -> MessageNumbers:
    """Messages 113, 48213, 48313 and 48200, which was read back last; and 9."""
    numbers = MessageNumbers()
    for seq in (113, 9, 48_213, 48_313, 48_200):
        numbers.add(HERE, seq, Message(seq, 0, ME, "me", 0, f"text {seq}", "ops"))
    return numbers


@pytest.mark.parametrize(
    ("digits", "seqs"),
    [
        ("48213", [48_213]),
        ("113", [113]),
        ("13", [48_313, 48_213, 113]),
        ("213", [48_213]),
        ("00", [48_200]),
        ("9", [9]),
        ("3", []),
        ("09", []),
        ("148213", []),
    ],
)
def test_a_number_is_a_whole_one_or_at_least_two_of_its_last_digits(digits: str, seqs: list[int]) -> None:
    assert [entry.seq for entry in busy().find(digits)] == seqs


def test_the_last_own_message_is_the_newest_and_not_the_one_read_back_last() -> None:
    last = busy().last_own(HERE, ME)
    assert last is not None
    assert last.seq == 48_313


@pytest.mark.parametrize("line", ["/reply 13 x", "/edit 13 x", "/delete 13", "/react 13 👍", "/around 13"])
def test_where_several_messages_end_in_the_digits_they_are_listed_and_nothing_is_done(line: str) -> None:
    meaning = read(line, HERE, KNOWN, busy(), ME)
    assert meaning == InputError(
        "Several messages end in 13; type more digits: "
        "[48313] me: text 48313; [48213] me: text 48213; [113] me: text 113"
    )


def test_of_many_candidates_the_newest_are_listed() -> None:
    numbers = MessageNumbers()
    for seq in range(105, 1_005, 100):
        numbers.add(HERE, seq)
    meaning = read("/delete 05", HERE, KNOWN, numbers, ME)
    assert isinstance(meaning, InputError)
    assert meaning.sentence.endswith(": [905]; [805]; [705]; [605]; [505]; and 4 more")


def test_what_a_candidate_says_is_harmless() -> None:
    numbers = MessageNumbers()
    for seq in (113, 213):
        numbers.add(HERE, seq, Message(seq, 0, 5, "a\x1b", 0, "b\u202e\nc", "ops"))
    meaning = read("/reply 13 x", HERE, KNOWN, numbers, ME)
    assert isinstance(meaning, InputError)
    assert not set("\x1b\u202e\n") & set(meaning.sentence)


def test_a_message_of_another_screen_is_shown_by_its_number_before_it_can_be_changed() -> None:
    assert read("/around 512", HERE, KNOWN, busy(), ME) == actions.ShowHistory(HERE, around=512)
    assert read("/delete 512", HERE, KNOWN, busy(), ME) == InputError(catalogue.rooms.no_such_number("512"))


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("/part ops", "/leave ops"),
        ("/part", "/leave"),
        ("/names", "/who"),
        ("/LIST", "/rooms"),
        ("/dm ann hi there", "/msg ann hi there"),
    ],
)
def test_commands_of_other_chats_that_mean_the_same_are_understood(line: str, same: str) -> None:
    assert read(line, HERE, KNOWN) == read(same, HERE, KNOWN)


@pytest.mark.parametrize("word", ["/foo", "/xyzzy", "/ping", "/op"])
def test_only_a_typing_error_is_answered_with_a_guess(word: str) -> None:
    meaning = read(word, HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert "Did you mean" not in meaning.sentence


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("/me waves", "/me is not supported"),
        ("/room set colour red", 'Unknown setting "colour". The settings are private, read-only, slow'),
        ("/room foo bar", "/help rooms lists the settings. For example: /room set slow 10s"),
        ("/room slow abc", "A setting is changed with set. Did you mean /room set slow 10s?"),
        ("/room SlowMode 2m", "A setting is changed with set. Did you mean /room set slow 2m?"),
        ("/room name", "A setting is changed with set. Did you mean /room set name demo?"),
        ("/room set private", "private needs on or off"),
        ("/room set private maybe", "private needs on or off, not: maybe"),
        ("/room set slow 10", "slow needs a time of at most a day such as 10s, or off, not: 10"),
        ("/room set slow 2d", "slow needs"),
        ("/room set retention 1h", "retention needs a number of days such as 30d"),
        ("/room set history some", "history needs joined or all"),
        ("/ban bob 0s", "A ban or mute lasts"),
        ("/ban bob 99999d", "at most 365 days"),
        ("/kick bob " + "x" * 301, "A reason has at most 300 characters"),
        ("/topic " + "x" * 1_201, "A topic has at most 1200 characters"),
        ("/search " + "x" * 501, "A search has at most 500 characters"),
    ],
)
def test_a_wrong_argument_is_named_and_the_right_ones_too(line: str, part: str) -> None:
    meaning = read(line, HERE, KNOWN, numbered(), ME)
    assert isinstance(meaning, InputError)
    assert part in meaning.sentence


# --- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("/bot", actions.ShowBots()),
        ("/bot list", actions.ShowBots()),
        ("/BOT Add deploy", actions.MakeBot("deploy")),
        ("/bot add de ploy", actions.MakeBot("de ploy")),
        ('/bot add "de ploy" #ops', actions.MakeBot("de ploy", rooms=("ops",))),
        ("/bot add deploy #ops #dev 30", actions.MakeBot("deploy", rooms=("ops", "dev"), days=30)),
        ("/bot add deploy 30d #ops", actions.MakeBot("deploy", rooms=("ops",), days=30)),
        ("/bot add 30", actions.MakeBot("30")),
        ("/bot add blog post", actions.MakeBot("blog post")),
        ("/bot add deploy #ops --files", actions.MakeBot("deploy", rooms=("ops",), scopes=("post", "read", "files"))),
        ('/bot add "deploy 2"', actions.MakeBot("deploy 2")),
        ('/bot add "deploy 2" 90', actions.MakeBot("deploy 2", days=90)),
        ("/bot rotate deploy", actions.ReplaceBotToken("deploy")),
        ('/bot rotate "deploy 2"', actions.ReplaceBotToken("deploy 2")),
        ("/bot remove deploy 2", actions.EndBot("deploy 2")),
        ("/hook", actions.ShowBots("ops")),
        ("/hook list", actions.ShowBots("ops")),
        ("/hook #dev", actions.ShowBots("dev")),
        ("/hook list #dev", actions.ShowBots("dev")),
        ("/webhook", actions.ShowBots("ops")),
        ("/hook add grafana", actions.MakeBot("grafana", hook=True, rooms=("ops",))),
        ("/hook add graf ana #dev 7", actions.MakeBot("graf ana", hook=True, rooms=("dev",), days=7)),
        ("/hook rotate grafana", actions.ReplaceBotToken("grafana", "ops")),
        ("/hook remove grafana #dev", actions.EndBot("grafana", "dev")),
        ("/token", actions.ShowTokens()),
        ("/token add cron", actions.MakeToken("cron")),
        ("/token add my cron job", actions.MakeToken("my cron job")),
        (
            "/token add cron post READ #ops 30",
            actions.MakeToken("cron", scopes=("post", "read"), rooms=("ops",), days=30),
        ),
        ('/token add "blog post" metrics', actions.MakeToken("blog post", scopes=("metrics",))),
        ("/token add cron post,READ, files", actions.MakeToken("cron", scopes=("post", "read", "files"))),
        ("/token add cron post,", actions.MakeToken("cron", scopes=("post",))),
        ("/token add a,b", actions.MakeToken("a,b")),
        ("/token add post", actions.MakeToken("post")),
        ("/token rotate 4", actions.ReplaceToken(4)),
        ("/token remove 4", actions.EndToken(4)),
        ("/help hook", ShowHelp("/hook")),
    ],
)
def test_commands_about_programs(line: str, meaning: ParsedInput) -> None:
    assert read(line, HERE, KNOWN) == meaning


@pytest.mark.parametrize(
    "line",
    [
        *("/bot add", "/bot add ", '/bot add ""', '/bot add "x', '/bot add "x" y', "/bot add x 3 4", "/bot remove"),
        *("/bot list x", "/bot show", "/bot add " + "x" * 257, "/hook add", "/hook add x #a #b", "/hook list a b"),
        *("/hook rotate", "/hook remove x 7", "/hook x", "/token add", "/token rotate", "/token rotate x"),
        *("/token remove 4 5", "/token remove -1", "/token list x", "/token x"),
    ],
)
def test_what_is_no_command_about_programs_says_how_it_is_typed(line: str) -> None:
    meaning = read(line, HERE, KNOWN)
    assert isinstance(meaning, InputError)
    assert meaning.sentence.startswith(f"Usage: {line.split(maxsplit=1)[0]}")
    assert not meaning.secret


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/bot add x 0", catalogue.programs.DAYS_OUT(most=3650)),
        ("/token add x 3651", catalogue.programs.DAYS_OUT(most=3650)),
        ("/bot add x" + "".join(f" #r{number}" for number in range(11)), catalogue.programs.TOO_MANY_ROOMS(most=10)),
        ("/token add " + "x" * 65, catalogue.programs.NAME_TOO_LONG(most=64)),
    ],
)
def test_what_no_server_would_take_is_refused_with_the_number(line: str, why: str) -> None:
    assert read(line, HERE, KNOWN) == InputError(why)


DIALOGUE = PersonKey(5)


@pytest.mark.parametrize("word", ["/dm", "/msg"])
@pytest.mark.parametrize("here", [HERE, DIALOGUE], ids=["room", "dialogue"])
def test_the_command_for_direct_messages_sends_goes_there_or_lists(word: str, here: ConversationId) -> None:
    assert read(f"{word} bob see you", here, KNOWN) == actions.SendDirect("Bob", "see you")
    assert read(f"{word} bob", here, KNOWN) == actions.ShowDirectHistory("Bob", 10, select=True)
    assert read(f'{word} "user1 pc"', here, KNOWN) == actions.ShowDirectHistory("user1 pc", 10, select=True)
    assert read(word, here, KNOWN) == actions.ListConversations()


def test_what_is_typed_in_a_dialogue_goes_there_and_can_be_answered() -> None:
    assert read("hello", DIALOGUE, KNOWN) == actions.SendMessage("hello", DIALOGUE)
    assert read("/reply 72 yes", DIALOGUE, KNOWN, numbered(), ME) == actions.SendMessage("yes", DIALOGUE, reply=72)
    assert read("/history", DIALOGUE, KNOWN) == actions.AskHistory(DIALOGUE, 20)
    assert read("/search x", DIALOGUE, KNOWN) == actions.FindMessages("x")
    assert read("/unread", DIALOGUE, KNOWN) == actions.ListUnread()


@pytest.mark.parametrize("line", ["/join", "/leave", "/part"])
def test_a_dialogue_is_left_for_the_room_before_it(line: str) -> None:
    assert read(line, DIALOGUE, KNOWN) == BackToRoom()


@pytest.mark.parametrize("line", ["/topic x", "/room", "/kick bob", "/who", "/hook add x", "/invite bob"])
def test_a_dialogue_is_no_room(line: str) -> None:
    assert read(line, DIALOGUE, KNOWN) == InputError(catalogue.rooms.NO_ROOM_HERE())


def test_a_room_can_be_named_in_a_dialogue() -> None:
    assert read("/join ops", DIALOGUE, KNOWN) == actions.JoinRoom("ops")
    assert read("/who ops", DIALOGUE, KNOWN) == actions.AskWho("ops")
    assert read("/hook #ops", DIALOGUE, KNOWN) == actions.ShowBots("ops")
