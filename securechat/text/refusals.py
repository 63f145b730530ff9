"""Every refusal: its reason, its code, and the one English sentence made from its arguments.

A reason is a stable word of the wire format, finer than its code: programs decide by the code, and a client in another
language makes its own sentence from reason and arguments. A sentence begins with a capital letter, tells what to do,
and has no full stop at its end. Arguments are validated names, numbers, and texts that a moderator wrote for others;
never an echo of the bytes that were refused, and never words of a sentence, which would stay English in a translation.

The server speaks English to every peer and never looks into a catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping

from securechat.errors import ErrorCode, Overloaded, Refusal, RemoteProtocolError
from securechat.text.file_refusals import FILE_REASONS
from securechat.text.program_refusals import PROGRAM_REASONS
from securechat.translation import N_, Sentence
from securechat.translation.formatting import format_text

# A section per part of the program that refuses; within a section by reason. ``{left:duration}`` shows seconds
# in words. A section that grows by itself has a file of its own, and is taken in here: callers know this table alone.
REASONS: Mapping[str, tuple[ErrorCode, str]] = {
    # --- Frames and commands (wire, server/session) -----------------------------------------------------------------
    "answer_too_long": (ErrorCode.TOO_MANY, N_("The answer is too long to send. Tell the server's administrator")),
    "command_invalid": (
        ErrorCode.INVALID,
        N_("A part of this command is too long, or has a value that is not allowed"),
    ),
    "field_invalid": (ErrorCode.INVALID, N_("A field of the record has a value that is not allowed")),
    "field_invalid_because": (ErrorCode.INVALID, N_("A field of the record is not valid: {why}")),
    "text_half_character": (
        ErrorCode.INVALID,
        N_("A text ends in half a character, such as half an emoji. Cut it between characters"),
    ),
    "frame_empty": (ErrorCode.BAD_FRAME, N_("A frame cannot be empty")),
    "frame_not_json": (ErrorCode.BAD_FRAME, N_("A frame must hold one JSON object in UTF-8")),
    "frame_too_large": (
        ErrorCode.FRAME_TOO_LARGE,
        N_("A frame of {size} bytes is too large. At most {most} bytes are allowed here"),
    ),
    "message_fragments": (ErrorCode.BAD_FRAME, N_("A message may come in at most {most} fragments")),
    "message_not_text": (ErrorCode.BAD_FRAME, N_("A record comes as a text message, not as a binary one")),
    "websocket_broken": (ErrorCode.BAD_FRAME, N_("This breaks a rule of WebSocket (RFC 6455)")),
    "hello_expected": (ErrorCode.HELLO_EXPECTED, N_("Say hello first")),
    "too_many_tries": (ErrorCode.HELLO_EXPECTED, N_("You tried too many names or passwords. Connect again")),
    "protocol_unknown": (
        ErrorCode.BAD_FRAME,
        N_("This port speaks securechat/1. Connect with securechat-client, or offer that protocol by ALPN"),
    ),
    "record_invalid": (ErrorCode.BAD_FRAME, N_("A record of the server is not valid: {why}")),
    "record_type_missing": (
        ErrorCode.INVALID,
        N_("A record is a JSON object with its type, a string, in the field 't'"),
    ),
    "record_type_unknown": (ErrorCode.UNKNOWN_TYPE, N_("The server does not know this type of record")),
    # --- Names, rooms and passwords as typed (text) -----------------------------------------------------------------
    "name_begins_with_dash": (ErrorCode.NAME_INVALID, N_("A name cannot begin with '-'. Choose another one")),
    "name_begins_with_mark": (
        ErrorCode.NAME_INVALID,
        N_("A name cannot begin with a combining mark. Put a letter before it"),
    ),
    "name_character_not_allowed": (
        ErrorCode.NAME_INVALID,
        N_("A name cannot contain '{character}'. Choose one without it"),
    ),
    "name_character_unusable": (
        ErrorCode.NAME_INVALID,
        N_("A name cannot contain the character {code_point}. Choose one without it"),
    ),
    "name_empty": (ErrorCode.NAME_INVALID, N_("A name cannot be empty")),
    "name_has_invisible_character": (
        ErrorCode.NAME_INVALID,
        N_("A name cannot contain invisible or control characters. Choose one without them"),
    ),
    "name_reserved_for_server": (
        ErrorCode.NAME_RESERVED,
        N_("This name is reserved for the server. Choose another one"),
    ),
    "name_too_long": (
        ErrorCode.NAME_INVALID,
        N_("A name has at most {most} characters and {most_bytes} bytes. Choose a shorter one"),
    ),
    "name_without_letter": (ErrorCode.NAME_INVALID, N_("A name needs at least one letter or digit")),
    "password_has_control_character": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password cannot contain control characters, such as a tab or a line break. Type it again"),
    ),
    "password_has_unusable_character": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password cannot contain invisible or unassigned characters. Choose one without them"),
    ),
    "password_is_name": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password cannot be the name of its account. Choose another one"),
    ),
    "password_one_character": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password cannot be the same character again and again. Choose another one"),
    ),
    "password_too_common": (
        ErrorCode.PASSWORD_INVALID,
        N_("This password is one of the most common, which are tried first. Choose another one"),
    ),
    "password_too_long": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password has at most {most} characters. Choose a shorter one"),
    ),
    "password_too_short": (
        ErrorCode.PASSWORD_INVALID,
        N_("A password has at least {least} characters. Choose a longer one, such as three words"),
    ),
    "room_begins_with_dash": (ErrorCode.ROOM_INVALID, N_("A room name cannot begin with '-'. Choose another one")),
    "room_begins_with_mark": (
        ErrorCode.ROOM_INVALID,
        N_("A room name cannot begin with a combining mark. Put a letter before it"),
    ),
    "room_character_not_allowed": (
        ErrorCode.ROOM_INVALID,
        N_("A room name cannot contain '{character}'. Choose one without it"),
    ),
    "room_character_unusable": (
        ErrorCode.ROOM_INVALID,
        N_("A room name cannot contain the character {code_point}. Choose one without it"),
    ),
    "room_empty": (ErrorCode.ROOM_INVALID, N_("A room name cannot be empty")),
    "room_has_invisible_character": (
        ErrorCode.ROOM_INVALID,
        N_("A room name cannot contain invisible or control characters. Choose one without them"),
    ),
    "room_has_space": (ErrorCode.ROOM_INVALID, N_("A room name cannot contain a space. Choose one without it")),
    "room_too_long": (ErrorCode.ROOM_INVALID, N_("A room name has at most {most} characters. Choose a shorter one")),
    "search_date_invalid": (
        ErrorCode.QUERY_INVALID,
        N_("A date is a day, a month or a year, such as 2026-11-20, 2026-11 or 2026, or today or yesterday"),
    ),
    "search_empty": (
        ErrorCode.QUERY_INVALID,
        N_("There is nothing to search for. Give a word, or a filter such as from:NAME"),
    ),
    "search_filter_empty": (ErrorCode.QUERY_INVALID, N_("The filter {filter}: needs a value, such as {example}")),
    "search_has_unknown": (ErrorCode.QUERY_INVALID, N_("The filter has: knows links only. Write has:link")),
    "search_cannot_exclude": (
        ErrorCode.QUERY_INVALID,
        N_('A search cannot leave out words. To find a word with - before it, put it into quotation marks: "-word"'),
    ),
    "search_sender_empty": (
        ErrorCode.QUERY_INVALID,
        N_('The filter from: needs a value, such as from:ana or from:"user1 pc"'),
    ),
    "search_too_many_filters": (ErrorCode.QUERY_INVALID, N_("A search has at most {most} filters. Leave some out")),
    "search_too_many_words": (
        ErrorCode.QUERY_INVALID,
        N_("A search has at most {most} words. Leave some out, or put them into quotation marks"),
    ),
    # --- The log (storage) ------------------------------------------------------------------------------------------
    "account_gone": (
        ErrorCode.LOGIN_REQUIRED,
        N_("This account does not exist any more. Log in with another one, or connect as a guest"),
    ),
    "change_not_stored": (ErrorCode.DISK_FULL, N_("The server's disk is full. Nothing was changed. Try again later")),
    "draft_out_of_order": (
        ErrorCode.OUT_OF_ORDER,
        N_("A later message of yours is stored already. Send this one again with a new number"),
    ),
    "draft_unknown": (ErrorCode.NOT_FOUND, N_("No earlier copy of this message is stored")),
    "log_failed": (ErrorCode.LOG_FAILED, N_("The server cannot store messages any more and is stopping")),
    "login_not_stored": (ErrorCode.DISK_FULL, N_("The server's disk is full. You cannot connect now. Try again later")),
    "message_not_stored": (
        ErrorCode.DISK_FULL,
        N_("The server's disk is full. The message was not stored. Try again later"),
    ),
    "no_such_message": (ErrorCode.NOT_FOUND, N_("There is no such message here, or it was deleted")),
    "author_not_below": (
        ErrorCode.NO_RIGHT,
        N_("Your role here is not above that of the author of this message. Ask an owner of the room"),
    ),
    "not_your_message": (ErrorCode.NO_RIGHT, N_("You can only change your own messages")),
    "overloaded": (ErrorCode.OVERLOADED, N_("The server cannot store messages this fast. Wait and send again")),
    "query_too_expensive": (ErrorCode.BUSY, N_("This takes the server too long. Ask for fewer rooms at once")),
    "reading_only": (
        ErrorCode.DISK_FULL,
        N_("The server's disk is full. You can read, and what you write is stored when there is space"),
    ),
    "key_of_another_message": (
        ErrorCode.KEY_USED,
        N_("This key belongs to another message that you have sent. Use a new key for each message"),
    ),
    "key_of_changed_message": (
        ErrorCode.KEY_USED,
        N_(
            "The message that you have sent with this key was changed or deleted since. Use a new key for a new message"
        ),
    ),
    "room_name_in_log": (
        ErrorCode.ROOM_INVALID,
        N_("Another room has this name or had it before, and their messages would mix. Choose another name"),
    ),
    "search_index_repairing": (ErrorCode.BUSY, N_("The search index is being repaired. Try again in a minute")),
    "search_too_expensive": (
        ErrorCode.BUSY,
        N_("This search takes the server too long. Use longer or more words, or fewer rooms"),
    ),
    "secret_needs_login": (ErrorCode.LOGIN_REQUIRED, N_("This secret belongs to an account. Log in")),
    "secret_of_another": (
        ErrorCode.INVALID,
        N_("This secret belongs to another account. Make a new one for this login"),
    ),
    "too_many_reactions": (ErrorCode.TOO_MANY, N_("A message cannot have more than {most} reactions")),
    "too_many_searches": (ErrorCode.BUSY, N_("Too many searches are waiting. Try again in a moment")),
    # --- Connections and the whole server (server) ------------------------------------------------------------------
    "admin_command_invalid": (ErrorCode.INVALID, N_("This is not an admin command: {why}")),
    "admin_internal": (
        ErrorCode.INTERNAL,
        N_("The server made a mistake, and its log has the details. The command may be done in part"),
    ),
    "admin_line_too_long": (ErrorCode.INVALID, N_("This line is too long for an admin command")),
    "admin_socket_busy": (ErrorCode.BUSY, N_("Too many admin tools are connected. Try again")),
    "hello_timeout": (ErrorCode.HELLO_TIMEOUT, N_("You did not log in in time. Connect again")),
    "internal": (ErrorCode.INTERNAL, N_("The server made a mistake. Connect again")),
    "internal_stopping": (
        ErrorCode.INTERNAL,
        N_("The server made a mistake and is stopping. Connect again when it is back"),
    ),
    "too_many_connections": (
        ErrorCode.TOO_MANY_CONNECTIONS,
        N_("Too many people are connected from your network. Try again later"),
    ),
    "password_check_failed": (
        ErrorCode.BUSY,
        N_("The server cannot check passwords right now. Try again in a few seconds"),
    ),
    "password_queue_full": (
        ErrorCode.BUSY,
        N_("Too many people are logging in right now. Try again in a second"),
    ),
    "ping_timeout": (ErrorCode.PING_TIMEOUT, N_("Your connection did not answer in time. Connect again")),
    "shutting_down": (ErrorCode.SHUTTING_DOWN, N_("The server is shutting down. Connect again when it is back")),
    "slow_reader": (
        ErrorCode.SLOW_READER,
        N_("Your connection is too slow for what is sent to it. Connect again to go on where you stopped"),
    ),
    # --- Logging in, accounts, certificates, invites (hub/accounts) -------------------------------------------------
    "account_deleted": (ErrorCode.KICKED, N_("This account was deleted by an administrator")),
    "account_needed": (ErrorCode.ACCOUNT_NEEDED, N_("You are a guest. /register reserves your name with a password")),
    "address_banned": (
        ErrorCode.BANNED,
        N_("Your network address is banned from this server. Ask its administrator"),
    ),
    "address_banned_because": (
        ErrorCode.BANNED,
        N_("Your network address is banned from this server: {why}. Ask its administrator"),
    ),
    "address_banned_for": (
        ErrorCode.BANNED,
        N_("Your network address is banned from this server for another {left:duration}"),
    ),
    "address_banned_for_because": (
        ErrorCode.BANNED,
        N_("Your network address is banned from this server for another {left:duration}: {why}"),
    ),
    "already_registered": (
        ErrorCode.ALREADY_REGISTERED,
        N_("You are registered already. /password changes your password"),
    ),
    "banned": (ErrorCode.BANNED, N_("You are banned from this server. Ask its administrator")),
    "banned_because": (ErrorCode.BANNED, N_("You are banned from this server: {why}. Ask its administrator")),
    "banned_for": (ErrorCode.BANNED, N_("You are banned from this server for another {left:duration}")),
    "banned_for_because": (ErrorCode.BANNED, N_("You are banned from this server for another {left:duration}: {why}")),
    "certificate_being_added": (ErrorCode.BUSY, N_("A certificate is being added. Try again in a moment")),
    "certificate_of_another_account": (
        ErrorCode.CERTIFICATE_UNKNOWN,
        N_(
            "Your certificate does not belong to this name. Use the name of the account that added it, or your password"
        ),
    ),
    "certificate_unknown": (
        ErrorCode.CERTIFICATE_UNKNOWN,
        N_("Your certificate belongs to no account here. Log in with your password, then type /cert add"),
    ),
    "connection_ended": (ErrorCode.BUSY, N_("The connection ended before its password was checked")),
    "fingerprint_proves_nothing": (
        ErrorCode.INVALID,
        N_(
            "A fingerprint does not prove that the key is yours. Start the client with --cert FILE, then type /cert add"
        ),
    ),
    "hello_being_answered": (ErrorCode.BUSY, N_("A hello is being answered. Wait for the answer")),
    "invite_expired": (ErrorCode.INVITE_EXPIRED, N_("This invite has expired. Ask for a new one")),
    "invite_in_use": (ErrorCode.BUSY, N_("This invite is being used at this moment. Try again")),
    "invite_revoked": (ErrorCode.INVITE_REVOKED, N_("This invite was revoked. Ask for a new one")),
    "invite_unknown": (ErrorCode.INVITE_UNKNOWN, N_("This invite does not exist. Ask for a new one")),
    "invite_used": (ErrorCode.INVITE_USED, N_("This invite has been used up. Ask for a new one")),
    "key_proof_invalid": (
        ErrorCode.INVALID,
        N_("The proof does not fit this key, account and server. Add the file again with /cert add FILE"),
    ),
    "logged_out": (ErrorCode.LOGGED_OUT, N_("This session was ended. Log in again to come back")),
    "login_expired": (ErrorCode.LOGIN_EXPIRED, N_("This login has ended or expired. Log in with your password again")),
    "login_failed": (ErrorCode.LOGIN_FAILED, N_("The name or the password is wrong. Try again")),
    "login_slowed": (
        ErrorCode.LOGIN_SLOWED,
        N_("Too many wrong passwords for this name from your network. Try again in {left:duration}"),
    ),
    "login_slowed_on_connection": (
        ErrorCode.LOGIN_SLOWED,
        N_("Too many wrong passwords on this connection. Try again in {left:duration}"),
    ),
    "logins_busy": (ErrorCode.BUSY, N_("Too many people are logging in at this moment. Try again in a second")),
    "logins_busy_from_network": (
        ErrorCode.BUSY,
        N_("Too many people are logging in from your network at this moment. Try again in a second"),
    ),
    "members_only": (
        ErrorCode.LOGIN_REQUIRED,
        N_("This server is for members. Log in with your name and password, or ask its administrator for an invite"),
    ),
    "name_being_registered": (ErrorCode.BUSY, N_("Your name is being registered. Try again in a moment")),
    "name_kept": (
        ErrorCode.NAME_IN_USE,
        N_(
            "This name is kept for a member who lost the connection. Try again in {left:duration}, "
            "or choose another name"
        ),
    ),
    "name_like_account": (ErrorCode.NAME_IN_USE, N_("This name looks like a registered one. Choose another name")),
    "name_not_free": (
        ErrorCode.NAME_IN_USE,
        N_("This name is registered, or looks like a registered one. Choose another name"),
    ),
    "name_registered": (
        ErrorCode.LOGIN_REQUIRED,
        N_("This name is registered. Log in with its password, or choose another name"),
    ),
    "name_taken": (ErrorCode.NAME_IN_USE, N_("This name is taken. Choose another name")),
    "no_certificate_shown": (
        ErrorCode.INVALID,
        N_("This connection showed no certificate. Type /cert add FILE, or start the client with --cert"),
    ),
    "no_such_certificate": (ErrorCode.NOT_FOUND, N_("There is no certificate {certificate}. /cert lists them")),
    "no_such_session": (ErrorCode.NOT_FOUND, N_("There is no session {session}. /sessions lists them")),
    "old_password_wrong": (ErrorCode.LOGIN_FAILED, N_("The old password is wrong. Try again")),
    "password_being_stored": (ErrorCode.BUSY, N_("Your password is being stored. Try again in a moment")),
    "password_changed_elsewhere": (
        ErrorCode.LOGIN_FAILED,
        N_("Your password was changed elsewhere. Try again with that one"),
    ),
    "password_needed": (ErrorCode.PASSWORD_NEEDED, N_("The invite is valid and the name is free. Choose a password")),
    "password_temporary": (
        ErrorCode.PASSWORD_TEMPORARY,
        N_("An administrator set your password. Choose your own with /password. Nothing else works until then"),
    ),
    "password_unchanged": (
        ErrorCode.PASSWORD_INVALID,
        N_("The new password is the same as the old one. Choose another one"),
    ),
    "passwords_unavailable": (
        ErrorCode.BUSY,
        N_("The server cannot check passwords at this moment. Try again in a second"),
    ),
    "record_gone": (ErrorCode.NOT_FOUND, N_("It is gone. It was removed at this moment")),
    "registrations_used_up": (
        ErrorCode.QUOTA,
        N_("Too many accounts were registered from your address today. Ask for an invite"),
    ),
    "replaced": (ErrorCode.REPLACED, N_("You connected from somewhere else. This connection is closed")),
    "too_many_certificates": (
        ErrorCode.TOO_MANY,
        N_("You have {count} certificates, as many as allowed. Remove one first"),
    ),
    "unsupported_version": (
        ErrorCode.UNSUPPORTED_VERSION,
        N_("This server speaks version {version} of the protocol. Install a matching client"),
    ),
    **FILE_REASONS,  # hub/files
    **PROGRAM_REASONS,  # hub/programs
    # --- Rooms, roles and moderation (hub/rooms) --------------------------------------------------------------------
    "no_such_room": (ErrorCode.NO_SUCH_ROOM, N_("There is no such room that you can join. /rooms lists the rooms")),
    "rooms_of_member_used_up": (ErrorCode.TOO_MANY_ROOMS, N_("You are in {count} rooms, the maximum. Leave one first")),
    "rooms_of_account_used_up": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("You are a member of {count} rooms, the maximum. Leave one first"),
    ),
    "rooms_open_used_up": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("The server has no space for another room. Join one of /rooms"),
    ),
    "rooms_opened_by_network": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("Your network has opened as many rooms as it may at once. Leave one, or join one of /rooms"),
    ),
    "rooms_made_today": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("You have made {count} new rooms today, the maximum. Join one of /rooms, or make it tomorrow"),
    ),
    "rooms_made_by_network_today": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("Your network has made as many new rooms as it may today. Join one of /rooms, or make it tomorrow"),
    ),
    "rooms_of_server_used_up": (
        ErrorCode.TOO_MANY_ROOMS,
        N_("The server keeps as many rooms as it may. Join one of /rooms, or ask an administrator to remove some"),
    ),
    "banned_in_room": (ErrorCode.ROOM_BANNED, N_("You are banned from #{room}. Ask its moderators")),
    "banned_in_room_because": (ErrorCode.ROOM_BANNED, N_("You are banned from #{room}: {why}. Ask its moderators")),
    "banned_in_room_for": (ErrorCode.ROOM_BANNED, N_("You are banned from #{room} for {left:duration}")),
    "banned_in_room_for_because": (ErrorCode.ROOM_BANNED, N_("You are banned from #{room} for {left:duration}: {why}")),
    "banned_from_room": (ErrorCode.ROOM_BANNED, N_("You were banned from #{room} by {by}")),
    "banned_from_room_because": (ErrorCode.ROOM_BANNED, N_("You were banned from #{room} by {by}: {why}")),
    "kicked_from_room": (ErrorCode.KICKED, N_("You were kicked from #{room} by {by}")),
    "kicked_from_room_because": (ErrorCode.KICKED, N_("You were kicked from #{room} by {by}: {why}")),
    "room_became_private": (ErrorCode.NOT_A_MEMBER, N_("#{room} is private now, and you are not a member of it")),
    "room_name_given_away": (ErrorCode.NOT_A_MEMBER, N_("Another room has the name #{room} now. Join it again")),
    "room_name_taken": (ErrorCode.ROOM_INVALID, N_("There is already a room #{room}. Choose another name")),
    "room_looks_like": (
        ErrorCode.ROOM_INVALID,
        N_("#{room} looks like #{other}, but is spelled differently. Use #{other}, or choose another name"),
    ),
    "room_looks_like_another": (
        ErrorCode.ROOM_INVALID,
        N_("#{room} looks like the name of another room. Choose another name"),
    ),
    "room_without_owner": (
        ErrorCode.INVALID,
        N_("#{room} has no owner yet. An administrator can make a member its owner"),
    ),
    "room_needs_owner": (ErrorCode.INVALID, N_("#{room} needs an owner. Make another member an owner first")),
    "last_member_leaving": (
        ErrorCode.LAST_MEMBER,
        N_(
            "You are the only member of #{room}. Without you it has no owner and is lost to all. /leave again leaves it"
        ),
    ),
    "lobby_not_left": (ErrorCode.INVALID, N_("You cannot leave #{room}. /quit exits")),
    "lobby_not_renamed": (ErrorCode.INVALID, N_("#{room} cannot be renamed, and no other room can get its name")),
    "lobby_always_open": (ErrorCode.INVALID, N_("#{room} cannot be private or archived")),
    "lobby_not_moderated": (
        ErrorCode.INVALID,
        N_("Members cannot be kicked or banned from #{room}. Ask an administrator of the server"),
    ),
    "topic_too_long": (ErrorCode.TEXT_TOO_LONG, N_("A topic has at most {most} characters")),
    "topic_needs_moderator": (ErrorCode.NO_RIGHT, N_("Only moderators and owners of #{room} can change its topic")),
    "invitation_needs_moderator": (ErrorCode.NO_RIGHT, N_("Only moderators and owners of #{room} can invite")),
    "moderation_needs_moderator": (
        ErrorCode.NO_RIGHT,
        N_("Only moderators and owners of #{room} can kick, ban or mute"),
    ),
    "settings_need_owner": (ErrorCode.NO_RIGHT, N_("Only owners of #{room} can change its settings")),
    "roles_need_owner": (ErrorCode.NO_RIGHT, N_("Only owners of #{room} can give roles")),
    "rank_not_above": (ErrorCode.NO_RIGHT, N_("Your role in #{room} is not above that of this person. Ask an owner")),
    "moderation_of_admin": (
        ErrorCode.NO_RIGHT,
        N_("Administrators of the server cannot be kicked, banned or muted in a room"),
    ),
    "moderation_of_owner": (
        ErrorCode.NO_RIGHT,
        N_("This person is an owner of #{room} like you. Change the role first: /role NAME member"),
    ),
    "moderation_of_yourself": (ErrorCode.INVALID, N_("You cannot do this to yourself. /leave leaves a room")),
    "mute_of_yourself": (ErrorCode.INVALID, N_("You cannot mute or unmute yourself. Ask a moderator of the room")),
    "invitation_needs_account": (ErrorCode.ACCOUNT_NEEDED, N_("Guests cannot be invited. Ask them to /register first")),
    "invitation_not_needed": (ErrorCode.INVALID, N_("#{room} is public. No invitation is needed")),
    "invited_is_member": (ErrorCode.INVALID, N_("{name} is already a member of #{room}")),
    "invited_is_banned": (ErrorCode.INVALID, N_("{name} is banned from #{room}. Lift the ban first")),
    "invitations_used_up": (
        ErrorCode.TOO_MANY,
        N_("#{room} has {count} open invitations, the maximum. Try again when some have joined"),
    ),
    "bans_used_up": (ErrorCode.TOO_MANY, N_("#{room} has {count} bans, the maximum. Lift one first")),
    "person_not_in_room": (ErrorCode.NOT_FOUND, N_("This person is not in #{room}")),
    "person_not_banned": (ErrorCode.NOT_FOUND, N_("This person is not banned from #{room}")),
    "person_not_muted": (ErrorCode.NOT_FOUND, N_("This person is not muted in #{room}")),
    "no_person_with_number": (ErrorCode.NOT_FOUND, N_("There is no such person any more")),
    "mute_needs_membership": (
        ErrorCode.ACCOUNT_NEEDED,
        N_("Only registered members of #{room} can be muted there. Kick or ban this person instead"),
    ),
    "guest_without_role": (ErrorCode.NOT_FOUND, N_("Guests cannot have roles. Ask them to /register first")),
    "not_a_member": (ErrorCode.NOT_FOUND, N_("{name} is not a member of #{room}. Invite them first")),
    # --- Messages, history, search (hub/messages) -------------------------------------------------------------------
    "text_empty": (ErrorCode.TEXT_EMPTY, N_("The message is empty")),
    "text_too_long": (ErrorCode.TEXT_TOO_LONG, N_("A message has at most {most} characters. Send it in parts")),
    "message_to_yourself": (ErrorCode.INVALID, N_("You cannot send a message to yourself")),
    "person_absent": (
        ErrorCode.PERSON_ABSENT,
        N_("This person is offline and has no account. Write to them when they are back"),
    ),
    "not_in_room": (ErrorCode.NOT_A_MEMBER, N_("You are not in #{room}. Join it first")),
    "no_room_left": (ErrorCode.NOT_A_MEMBER, N_("You are in none of these rooms any more. Join one of them first")),
    "room_being_renamed": (ErrorCode.BUSY, N_("#{room} is being renamed. Try again")),
    "room_archived": (ErrorCode.ARCHIVED, N_("#{room} is archived and read-only")),
    "room_read_only": (
        ErrorCode.READ_ONLY,
        N_("#{room} is read-only. Only its moderators and owners can write there, but you can react"),
    ),
    "slow_mode": (ErrorCode.SLOW_MODE, N_("#{room} is in slow mode. Wait {left:duration} before your next message")),
    "change_without_conversation": (
        ErrorCode.INVALID,
        N_("Name the room of the message, or the other person, not both"),
    ),
    "reaction_invisible": (ErrorCode.INVALID, N_("A reaction must be visible. Choose an emoji")),
    "daily_storage_used_up": (
        ErrorCode.QUOTA,
        N_("Your network address has stored all it may for today. Try again tomorrow"),
    ),
    "jump_without_conversation": (
        ErrorCode.INVALID,
        N_("Name the room or the person whose history to show from there"),
    ),
    "unread_needs_account": (
        ErrorCode.ACCOUNT_NEEDED,
        N_("Guests have no unread counts. /register reserves your name with a password"),
    ),
    "question_under_way": (ErrorCode.BUSY, N_("Your last question is still being answered. Wait for the answer")),
    "reading_behind": (ErrorCode.BUSY, N_("Your connection is still receiving older data. Try again in a moment")),
    "question_failed": (ErrorCode.INTERNAL, N_("The server made a mistake and cannot answer this. You stay connected")),
    "no_such_person": (ErrorCode.NO_SUCH_PERSON, N_("There is no person with this name. /who lists who is here")),
    # --- Members and rates (hub) ------------------------------------------------------------------------------------
    "hello_repeated": (ErrorCode.INVALID, N_("You are logged in already. Connect again to log in anew")),
    "goodbye": (ErrorCode.BYE, N_("Goodbye")),
    "muted": (ErrorCode.MUTED, N_("You are muted on this server. Ask its administrator")),
    "muted_because": (ErrorCode.MUTED, N_("You are muted on this server: {why}. Ask its administrator")),
    "muted_for": (ErrorCode.MUTED, N_("You are muted on this server for {left:duration}")),
    "muted_for_because": (ErrorCode.MUTED, N_("You are muted on this server for {left:duration}: {why}")),
    "muted_in_room": (ErrorCode.MUTED, N_("You are muted in #{room}. Ask its moderators")),
    "muted_in_room_because": (ErrorCode.MUTED, N_("You are muted in #{room}: {why}. Ask its moderators")),
    "muted_in_room_for": (ErrorCode.MUTED, N_("You are muted in #{room} for {left:duration}")),
    "muted_in_room_for_because": (ErrorCode.MUTED, N_("You are muted in #{room} for {left:duration}: {why}")),
    # --- Administration (hub/admin) ---------------------------------------------------------------------------------
    "announcement_empty": (ErrorCode.TEXT_EMPTY, N_("The announcement is empty")),
    "announcement_too_long": (ErrorCode.TEXT_TOO_LONG, N_("An announcement has at most {most} characters")),
    "days_out_of_range": (ErrorCode.INVALID, N_("Give a number of days up to {most}")),
    "duration_out_of_range": (ErrorCode.INVALID, N_("Give a duration of up to {most} days")),
    "invite_days_out_of_range": (ErrorCode.INVALID, N_("An invite lasts up to {most} days")),
    "invite_uses_out_of_range": (ErrorCode.INVALID, N_("An invite can be used 1 to {most} times")),
    "kicked_by_administrator": (ErrorCode.KICKED, N_("You were kicked by an administrator. You may connect again")),
    "kicked_by_administrator_because": (
        ErrorCode.KICKED,
        N_("You were kicked by an administrator: {why}. You may connect again"),
    ),
    "logged_out_by_administrator": (
        ErrorCode.LOGGED_OUT,
        N_("An administrator ended this session. Log in again to come back"),
    ),
    "made_administrator": (ErrorCode.NO_RIGHT, N_("You are an administrator of this server now")),
    "muted_by_administrator": (ErrorCode.MUTED, N_("You were muted by an administrator. You can read, but not write")),
    "muted_by_administrator_because": (
        ErrorCode.MUTED,
        N_("You were muted by an administrator: {why}. You can read, but not write"),
    ),
    "muted_by_administrator_for": (
        ErrorCode.MUTED,
        N_("You were muted by an administrator for {left:duration}. You can read, but not write"),
    ),
    "muted_by_administrator_for_because": (
        ErrorCode.MUTED,
        N_("You were muted by an administrator for {left:duration}: {why}. You can read, but not write"),
    ),
    "network_invalid": (ErrorCode.INVALID, N_("This is not a network address. Write 192.0.2.7 or 192.0.2.0/24")),
    "no_address_known": (
        ErrorCode.NOT_FOUND,
        N_("No user of this name is connected, so no address is known. Ban the name alone, or the address by itself"),
    ),
    "no_longer_administrator": (ErrorCode.NO_RIGHT, N_("You are no longer an administrator of this server")),
    "not_muted": (ErrorCode.NOT_FOUND, N_("No member of this name is muted. `mutes` lists who is")),
    "password_reset_beside_certificate": (
        ErrorCode.LOGGED_OUT,
        N_("An administrator reset your password and ended your sessions. This one stays, by your certificate"),
    ),
    "password_reset_by_administrator": (
        ErrorCode.LOGGED_OUT,
        N_("An administrator reset your password. Ask for the temporary one, and log in with it"),
    ),
    "unknown_account": (ErrorCode.NOT_FOUND, N_("There is no account of this name. `users` lists them")),
    "unknown_ban": (ErrorCode.NOT_FOUND, N_("There is no such ban. `bans` lists them")),
    "unknown_invite": (ErrorCode.NOT_FOUND, N_("There is no invite {invite}. `invites` lists them")),
    "unknown_member": (ErrorCode.NOT_FOUND, N_("No member of this name is here. `users` lists who is")),
    "unknown_session": (ErrorCode.NOT_FOUND, N_("There is no session {session}. `sessions` lists them")),
    "unmuted_by_administrator": (ErrorCode.MUTED, N_("You were unmuted by an administrator. You can write again")),
    "too_many_invites": (
        ErrorCode.TOO_MANY,
        N_("There are {count} open invites, as many as allowed. Revoke some, or create one with more uses"),
    ),
}


def sentence(reason: str, arguments: Mapping[str, str | int]) -> str:
    """Return the English sentence of a refusal.

    Raises:
        KeyError: the reason is not known here, or an argument is missing.
        TypeError: an argument is no number where one belongs.
    """
    return format_text(REASONS[reason][1], arguments)


def translatable_sentence(reason: str, arguments: Mapping[str, str | int]) -> Sentence:
    """Return the sentence of a refusal, which `securechat.translation.translated` shows to a person.

    Raises:
        KeyError, TypeError: as `sentence`.
    """
    return Sentence.of(REASONS[reason][1], arguments)


def refusal_for(reason: str, *, retry_after_s: float | None = None, **arguments: str | int) -> Refusal:
    """Return the refusal with this reason.

    Args:
        reason: a key of `REASONS`.
        retry_after_s: seconds after which the same request may succeed, where that is known.
        arguments: those of its sentence, by name; durations in whole seconds.
    """
    code, template = REASONS[reason]
    detail = format_text(template, arguments)
    if reason == "overloaded":
        return Overloaded(detail, reason, template)
    return Refusal(code, detail, retry_after_s, reason=reason, arguments=arguments, template=template)


def protocol_error(reason: str, **arguments: str | int) -> RemoteProtocolError:
    """Return the error that ends a connection for this reason; see `refusal_for`."""
    return RemoteProtocolError(REASONS[reason][0], sentence(reason, arguments), reason=reason, arguments=arguments)
