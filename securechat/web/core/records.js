/**
 * The records of the wire, as types, and the fields that the server leaves out. Made by tools/web_records.py.
 *
 * @typedef {object} Welcome
 * @property {"welcome"} t
 * @property {number} version
 * @property {string} server
 * @property {number} sender_id
 * @property {string} name
 * @property {number} live_from
 * @property {number} lastcid
 * @property {boolean} resumed
 * @property {boolean} account
 * @property {boolean} admin
 * @property {string} token
 * @property {number | null} seen
 * @property {boolean} must_change
 * @property {number} rooms
 * @property {Record<string, number>} limits
 * @property {string[]} features
 *
 * @typedef {object} Joined
 * @property {"joined"} t
 * @property {string} room
 * @property {number} live_from
 * @property {number} total
 * @property {Person[]} members
 * @property {number} ref
 * @property {string} topic
 * @property {string | null} role
 * @property {boolean} private
 * @property {boolean} read_only
 * @property {boolean} archived
 * @property {number} id
 * @property {boolean} made
 * @property {number} purged
 *
 * @typedef {object} Person
 * @property {number} id
 * @property {string} name
 * @property {boolean} [bot] default false
 *
 * @typedef {object} Left
 * @property {"left"} t
 * @property {string} room
 * @property {number} ref
 * @property {string | null} code
 * @property {string} text
 * @property {string} reason
 * @property {Record<string, string | number>} args
 * @property {Person | null} owner
 *
 * @typedef {object} Named
 * @property {"named"} t
 * @property {string} name
 * @property {number} ref
 *
 * @typedef {object} Registered
 * @property {"registered"} t
 * @property {number} ref
 * @property {string} name
 * @property {string} token
 *
 * @typedef {object} Done
 * @property {"done"} t
 * @property {number} ref
 * @property {boolean} [guest] default false
 *
 * @typedef {object} LoginList
 * @property {"loginlist"} t
 * @property {number} ref
 * @property {LoginInfo[]} logins
 * @property {boolean} [more] default false
 *
 * @typedef {object} LoginInfo
 * @property {number} login
 * @property {string} client
 * @property {string} address
 * @property {number} since
 * @property {number} used
 * @property {boolean} [online] default false
 * @property {boolean} [current] default false
 *
 * @typedef {object} CertificateList
 * @property {"certlist"} t
 * @property {number} ref
 * @property {CertificateInfo[]} certificates
 * @property {string | null} presented
 * @property {boolean} more
 *
 * @typedef {object} CertificateInfo
 * @property {number} certificate
 * @property {string} fingerprint
 * @property {string} label
 * @property {number} added
 * @property {boolean} [current] default false
 *
 * @typedef {object} BotList
 * @property {"botlist"} t
 * @property {number} ref
 * @property {BotInfo[]} bots
 * @property {boolean} [more] default false
 *
 * @typedef {object} BotInfo
 * @property {number} id
 * @property {string} name
 * @property {string} kind
 * @property {TokenInfo[]} tokens
 * @property {Person | null} by
 * @property {boolean} stopped
 * @property {OutgoingInfo | null} outgoing
 *
 * @typedef {object} TokenInfo
 * @property {number} token
 * @property {string} name
 * @property {string[]} scopes
 * @property {number} since
 * @property {string[]} rooms
 * @property {number | null} expires
 * @property {number | null} used
 * @property {string} address
 * @property {boolean} online
 *
 * @typedef {object} OutgoingInfo
 * @property {string} to
 * @property {string} on
 * @property {boolean} bots
 * @property {string} off
 *
 * @typedef {object} TokenList
 * @property {"tokenlist"} t
 * @property {number} ref
 * @property {TokenInfo[]} tokens
 * @property {boolean} [more] default false
 *
 * @typedef {object} TokenMade
 * @property {"tokenmade"} t
 * @property {number} ref
 * @property {string} token
 * @property {TokenInfo} info
 * @property {Person | null} bot
 *
 * @typedef {object} UploadAdded
 * @property {"uploading"} t
 * @property {number} ref
 * @property {string} id
 * @property {string} path
 * @property {string} name
 * @property {number} until_ms
 *
 * @typedef {object} FileLinks
 * @property {"linked"} t
 * @property {number} ref
 * @property {FileLink[]} links
 *
 * @typedef {object} FileLink
 * @property {string} id
 * @property {string} path
 *
 * @typedef {object} FileList
 * @property {"filelist"} t
 * @property {number} ref
 * @property {OwnFile[]} files
 * @property {boolean} more
 * @property {number} used
 * @property {number} most
 * @property {OwnUpload[]} uploads
 *
 * @typedef {object} OwnFile
 * @property {FileInfo} file
 * @property {number} seq
 * @property {number} sent_at_ms
 * @property {string | null} room
 * @property {number | null} to
 *
 * @typedef {object} FileInfo
 * @property {string} id
 * @property {string} name
 * @property {number} size
 * @property {string} type
 * @property {number} width
 * @property {number} height
 * @property {number[]} previews
 *
 * @typedef {object} OwnUpload
 * @property {string} id
 * @property {string} name
 * @property {number} size
 * @property {number} offset
 * @property {number} until_ms
 *
 * @typedef {object} ReadElsewhere
 * @property {"read"} t
 * @property {number} seq
 * @property {string | null} room
 * @property {number | null} peer
 *
 * @typedef {object} Notice
 * @property {"notice"} t
 * @property {string} text
 * @property {number} at
 * @property {string} reason
 * @property {Record<string, string | number>} args
 *
 * @typedef {object} Message
 * @property {"msg"} t
 * @property {number} seq
 * @property {number} prev
 * @property {number} by
 * @property {string} name
 * @property {number} at
 * @property {string} text
 * @property {string | null} room
 * @property {number | null} to
 * @property {string | null} toname
 * @property {number | null} reply
 * @property {number[]} mentions
 * @property {number | null} edited
 * @property {number | null} deleted
 * @property {Reaction[]} reactions
 * @property {number | null} changed
 * @property {Person | null} edited_by
 * @property {Person | null} deleted_by
 * @property {boolean} bot
 * @property {FileInfo[]} files
 *
 * @typedef {object} Reaction
 * @property {string} sign
 * @property {number[]} by
 *
 * @typedef {object} Edited
 * @property {"edited"} t
 * @property {number} seq
 * @property {number} target
 * @property {number} by
 * @property {string} name
 * @property {number} at
 * @property {string | null} room
 * @property {number | null} to
 * @property {string | null} text
 * @property {number[]} mentions
 *
 * @typedef {object} Deleted
 * @property {"deleted"} t
 * @property {number} seq
 * @property {number} target
 * @property {number} by
 * @property {string} name
 * @property {number} at
 * @property {string | null} room
 * @property {number | null} to
 *
 * @typedef {object} Reacted
 * @property {"reacted"} t
 * @property {number} seq
 * @property {number} target
 * @property {number} by
 * @property {string} name
 * @property {number} at
 * @property {string | null} room
 * @property {number | null} to
 * @property {string} sign
 * @property {boolean} on
 *
 * @typedef {object} Purged
 * @property {"purged"} t
 * @property {number} through
 * @property {string | null} room
 * @property {number | null} by
 *
 * @typedef {object} SearchPage
 * @property {"hits"} t
 * @property {number} ref
 * @property {Hit[]} hits
 * @property {boolean} more
 * @property {number | null} indexed
 *
 * @typedef {object} Hit
 * @property {Message} message
 * @property {([number, number])[]} marks
 *
 * @typedef {object} RoomRules
 * @property {"roomrules"} t
 * @property {string} room
 * @property {number} ref
 * @property {string} topic
 * @property {boolean} private
 * @property {boolean} read_only
 * @property {number} slow_s
 * @property {number} retention_days
 * @property {string} history
 * @property {boolean} archived
 * @property {string | null} was
 * @property {Person | null} by
 * @property {string | null} role
 * @property {number} id
 *
 * @typedef {object} Invited
 * @property {"invited"} t
 * @property {string} room
 * @property {Person} by
 *
 * @typedef {object} RoleChanged
 * @property {"role"} t
 * @property {string} room
 * @property {Person} person
 * @property {string} role
 * @property {Person | null} by
 * @property {number | null} muted_s
 * @property {string} reason
 *
 * @typedef {object} TypingNow
 * @property {"typing"} t
 * @property {Person} by
 * @property {string | null} room
 *
 * @typedef {object} UnreadList
 * @property {"unreadlist"} t
 * @property {number} ref
 * @property {UnreadItem[]} items
 * @property {boolean} more
 * @property {number | null} through
 * @property {string | null} throughroom
 *
 * @typedef {object} UnreadItem
 * @property {number} read
 * @property {number} unread
 * @property {number} mentions
 * @property {number} first
 * @property {string | null} room
 * @property {Person | null} peer
 *
 * @typedef {object} ConversationList
 * @property {"conversations"} t
 * @property {number} ref
 * @property {ConversationItem[]} items
 * @property {boolean} more
 * @property {number | null} through
 * @property {string | null} throughroom
 *
 * @typedef {object} ConversationItem
 * @property {string | null} room
 * @property {Person | null} peer
 * @property {number} id
 * @property {number} last
 * @property {Person | null} by
 * @property {number} at
 * @property {string} text
 * @property {boolean} cut
 * @property {boolean} deleted
 * @property {number} read
 * @property {number} unread
 * @property {number} mentions
 * @property {number} first
 * @property {number | null} muted_s
 * @property {number} slow_s
 * @property {Person | null} edited_by
 * @property {Person | null} deleted_by
 *
 * @typedef {object} Acked
 * @property {"acked"} t
 * @property {number} cid
 * @property {number} seq
 *
 * @typedef {object} Refused
 * @property {"refused"} t
 * @property {string} code
 * @property {string} text
 * @property {number | null} ref
 * @property {number | null} cid
 * @property {string | null} room
 * @property {number | null} retry
 * @property {string} reason
 * @property {Record<string, string | number>} args
 *
 * @typedef {object} Throttled
 * @property {"throttled"} t
 * @property {number} retry
 *
 * @typedef {object} HistoryPage
 * @property {"page"} t
 * @property {number} ref
 * @property {Message[]} messages
 * @property {number} through
 * @property {boolean} more
 * @property {(Edited | Deleted | Reacted)[]} changes
 * @property {boolean} more_before
 * @property {boolean} more_after
 *
 * @typedef {object} Roster
 * @property {"roster"} t
 * @property {number} ref
 * @property {string} room
 * @property {Person[]} members
 * @property {number} total
 * @property {boolean} [more] default false
 *
 * @typedef {object} RoomsPage
 * @property {"roomlist"} t
 * @property {number} ref
 * @property {RoomCount[]} rooms
 * @property {boolean} [more] default false
 *
 * @typedef {object} RoomCount
 * @property {string} room
 * @property {number} total
 *
 * @typedef {object} Found
 * @property {"found"} t
 * @property {number} ref
 * @property {Person} person
 * @property {boolean} [absent] default false
 *
 * @typedef {object} PeopleList
 * @property {"peoplelist"} t
 * @property {number} ref
 * @property {Person[]} people
 * @property {boolean} [more] default false
 *
 * @typedef {object} Presence
 * @property {"presence"} t
 * @property {string} room
 * @property {number} total
 * @property {Person[]} joined
 * @property {Person[]} left
 * @property {Renaming[]} renamed
 *
 * @typedef {object} Renaming
 * @property {number} id
 * @property {string} old
 * @property {string} new
 *
 * @typedef {object} Closing
 * @property {"closing"} t
 * @property {string} code
 * @property {string} text
 * @property {number | null} resume
 * @property {number | null} retry
 * @property {string} reason
 * @property {Record<string, string | number>} args
 *
 * @typedef {object} Ping
 * @property {"ping"} t
 * @property {number} n
 *
 * @typedef {object} Pong
 * @property {"pong"} t
 * @property {number} n
 *
 * @typedef {object} Hello
 * @property {"hello"} t
 * @property {number} version
 * @property {string} name
 * @property {string} secret
 * @property {string} [client] default ""
 * @property {string | null} [password] default null
 * @property {string | null} [token] default null
 * @property {string | null} [invite] default null
 *
 * @typedef {object} Join
 * @property {"join"} t
 * @property {number} ref
 * @property {string[]} rooms
 *
 * @typedef {object} Leave
 * @property {"leave"} t
 * @property {number} ref
 * @property {string} room
 * @property {boolean} [sure] default false
 *
 * @typedef {object} Say
 * @property {"say"} t
 * @property {number} cid
 * @property {string} room
 * @property {string} text
 * @property {number | null} [reply] default null
 * @property {string | null} [key] default null
 * @property {string | null} [as] default null
 * @property {string[]} [files] default []
 *
 * @typedef {object} Direct
 * @property {"direct"} t
 * @property {number} cid
 * @property {number} to
 * @property {string} text
 * @property {number | null} [reply] default null
 * @property {string | null} [key] default null
 * @property {string[]} [files] default []
 *
 * @typedef {object} History
 * @property {"history"} t
 * @property {number} ref
 * @property {string | null} [room] default null
 * @property {number | null} [peer] default null
 * @property {number | null} [after] default null
 * @property {number | null} [before] default null
 * @property {number} [limit] default 200
 * @property {number | null} [around] default null
 * @property {number | null} [at] default null
 *
 * @typedef {object} Who
 * @property {"who"} t
 * @property {number} ref
 * @property {string} room
 * @property {number | null} [after] default null
 *
 * @typedef {object} Whois
 * @property {"whois"} t
 * @property {number} ref
 * @property {string} name
 *
 * @typedef {object} AskPeople
 * @property {"people"} t
 * @property {number} ref
 * @property {number[]} ids
 *
 * @typedef {object} Rooms
 * @property {"rooms"} t
 * @property {number} ref
 * @property {string | null} [after] default null
 *
 * @typedef {object} Nick
 * @property {"nick"} t
 * @property {number} ref
 * @property {string} name
 *
 * @typedef {object} Edit
 * @property {"amend"} t
 * @property {number} cid
 * @property {number} seq
 * @property {string} text
 * @property {string | null} [room] default null
 * @property {number | null} [to] default null
 *
 * @typedef {object} Delete
 * @property {"delete"} t
 * @property {number} cid
 * @property {number} seq
 * @property {string | null} [room] default null
 * @property {number | null} [to] default null
 *
 * @typedef {object} React
 * @property {"react"} t
 * @property {number} cid
 * @property {number} seq
 * @property {string} sign
 * @property {string | null} [room] default null
 * @property {number | null} [to] default null
 * @property {boolean} [on] default true
 *
 * @typedef {object} Search
 * @property {"search"} t
 * @property {number} ref
 * @property {string} query
 * @property {number | null} [before] default null
 * @property {number} [limit] default 20
 * @property {number | null} [since] default null
 * @property {number | null} [until] default null
 *
 * @typedef {object} Register
 * @property {"register"} t
 * @property {number} ref
 * @property {string} password
 *
 * @typedef {object} ChangePassword
 * @property {"password"} t
 * @property {number} ref
 * @property {string} old
 * @property {string} new
 *
 * @typedef {object} Logins
 * @property {"logins"} t
 * @property {number} ref
 *
 * @typedef {object} Logout
 * @property {"logout"} t
 * @property {number} ref
 * @property {number | null} [login] default null
 *
 * @typedef {object} Certificates
 * @property {"certs"} t
 * @property {number} ref
 *
 * @typedef {object} AddCertificate
 * @property {"certadd"} t
 * @property {number} ref
 * @property {string | null} [fingerprint] default null
 * @property {string} [label] default ""
 * @property {string | null} [key] default null
 * @property {string | null} [proof] default null
 *
 * @typedef {object} RemoveCertificate
 * @property {"certremove"} t
 * @property {number} ref
 * @property {number} certificate
 *
 * @typedef {object} SetRoom
 * @property {"room"} t
 * @property {number} ref
 * @property {string} room
 * @property {string | null} [name] default null
 * @property {string | null} [topic] default null
 * @property {boolean | null} [private] default null
 * @property {boolean | null} [read_only] default null
 * @property {number | null} [slow_s] default null
 * @property {number | null} [retention_days] default null
 * @property {"all" | "joined" | null} [history] default null
 * @property {boolean | null} [archived] default null
 *
 * @typedef {object} AskRoom
 * @property {"roominfo"} t
 * @property {number} ref
 * @property {string} room
 *
 * @typedef {object} InviteTo
 * @property {"invite"} t
 * @property {number} ref
 * @property {string} room
 * @property {number} person
 *
 * @typedef {object} Moderate
 * @property {"moderate"} t
 * @property {number} ref
 * @property {string} room
 * @property {number} person
 * @property {"ban" | "kick" | "mute" | "unban" | "unmute"} act
 * @property {number | null} [seconds] default null
 * @property {string} [reason] default ""
 *
 * @typedef {object} Grant
 * @property {"grant"} t
 * @property {number} ref
 * @property {string} room
 * @property {number} person
 * @property {"member" | "moderator" | "owner"} role
 *
 * @typedef {object} AddBot
 * @property {"botadd"} t
 * @property {number} ref
 * @property {string} name
 * @property {"bot" | "hook"} [kind] default "bot"
 * @property {string[]} [rooms] default []
 * @property {("files" | "metrics" | "post" | "read")[]} [scopes] default ["post", "read"]
 * @property {number | null} [days] default null
 *
 * @typedef {object} AskBots
 * @property {"bots"} t
 * @property {number} ref
 * @property {string | null} [room] default null
 * @property {number | null} [after] default null
 *
 * @typedef {object} RemoveBot
 * @property {"botremove"} t
 * @property {number} ref
 * @property {number} bot
 *
 * @typedef {object} AddToken
 * @property {"tokenadd"} t
 * @property {number} ref
 * @property {string} name
 * @property {("files" | "metrics" | "post" | "read")[]} [scopes] default ["post"]
 * @property {string[]} [rooms] default []
 * @property {number | null} [days] default null
 *
 * @typedef {object} AskTokens
 * @property {"tokens"} t
 * @property {number} ref
 * @property {number | null} [after] default null
 *
 * @typedef {object} RotateToken
 * @property {"tokenrotate"} t
 * @property {number} ref
 * @property {number} token
 *
 * @typedef {object} RemoveToken
 * @property {"tokenremove"} t
 * @property {number} ref
 * @property {number} token
 *
 * @typedef {object} AddUpload
 * @property {"upload"} t
 * @property {number} ref
 * @property {string} name
 * @property {number} size
 * @property {boolean} [as_file] default false
 *
 * @typedef {object} AskLinks
 * @property {"links"} t
 * @property {number} ref
 * @property {string[]} ids
 *
 * @typedef {object} AskFiles
 * @property {"files"} t
 * @property {number} ref
 * @property {string | null} [after] default null
 * @property {string | null} [id] default null
 *
 * @typedef {object} RemoveUpload
 * @property {"uploadremove"} t
 * @property {number} ref
 * @property {string} id
 *
 * @typedef {object} Typing
 * @property {"typing"} t
 * @property {string | null} [room] default null
 * @property {number | null} [peer] default null
 *
 * @typedef {object} AskUnread
 * @property {"unread"} t
 * @property {number} ref
 * @property {number | null} [after] default null
 * @property {string | null} [afterroom] default null
 *
 * @typedef {object} AskConversations
 * @property {"conversations"} t
 * @property {number} ref
 * @property {number | null} [after] default null
 * @property {string | null} [afterroom] default null
 *
 * @typedef {object} Read
 * @property {"read"} t
 * @property {number} seq
 * @property {string | null} [room] default null
 * @property {number | null} [peer] default null
 *
 * @typedef {object} Quit
 * @property {"quit"} t
 *
 * @typedef {Edited | Deleted | Reacted} MessageChange
 * @typedef {Message | MessageChange} LogEntry
 * @typedef {"frame_too_large" | "bad_frame" | "hello_expected" | "unsupported_version" | "hello_timeout" | "ping_timeout" | "slow_reader" | "replaced" | "shutting_down" | "too_many_connections" | "log_failed" | "banned" | "kicked" | "logged_out" | "bye" | "internal" | "unknown_type" | "invalid" | "name_invalid" | "name_reserved" | "name_in_use" | "password_invalid" | "room_invalid" | "not_a_member" | "too_many_rooms" | "no_such_person" | "person_absent" | "text_empty" | "text_too_long" | "out_of_order" | "busy" | "overloaded" | "disk_full" | "quota" | "login_required" | "login_failed" | "login_expired" | "login_slowed" | "certificate_unknown" | "password_needed" | "password_temporary" | "invite_unknown" | "invite_used" | "invite_expired" | "invite_revoked" | "account_needed" | "already_registered" | "muted" | "not_found" | "too_many" | "no_right" | "no_such_room" | "read_only" | "slow_mode" | "archived" | "room_banned" | "last_member" | "query_invalid" | "key_used" | "files_off" | "file_too_large" | "file_not_ready" | "picture_unreadable" | "token_invalid" | "unknown"} ErrorCode
 * @typedef {Welcome | Joined | Left | Named | Registered | Done | LoginList | CertificateList | BotList | TokenList | TokenMade | UploadAdded | FileLinks | FileList | ReadElsewhere | Notice | Message | Edited | Deleted | Reacted | Purged | SearchPage | RoomRules | Invited | RoleChanged | TypingNow | UnreadList | ConversationList | Acked | Refused | Throttled | HistoryPage | Roster | RoomsPage | Found | PeopleList | Presence | Closing | Ping | Pong} Event
 * @typedef {Hello | Join | Leave | Say | Direct | History | Who | Whois | AskPeople | Rooms | Nick | Edit | Delete | React | Search | Register | ChangePassword | Logins | Logout | Certificates | AddCertificate | RemoveCertificate | SetRoom | AskRoom | InviteTo | Moderate | Grant | AddBot | AskBots | RemoveBot | AddToken | AskTokens | RotateToken | RemoveToken | AddUpload | AskLinks | AskFiles | RemoveUpload | Typing | AskUnread | AskConversations | Read | Ping | Pong | Quit} Command
 */

// deno-fmt-ignore
/** @type {Record<string, {defaults?: Record<string, unknown>, inside?: Record<string, string>}>} */
const RECORDS = {
  "welcome": {"defaults": {"lastcid": 0, "resumed": false, "account": false, "admin": false, "token": "", "seen": null, "must_change": false, "rooms": 0, "limits": {}, "features": []}},
  "joined": {"defaults": {"members": [], "ref": 0, "topic": "", "role": null, "private": false, "read_only": false, "archived": false, "id": 0, "made": false, "purged": 0}},
  "left": {"defaults": {"code": null, "text": "", "reason": "", "args": {}, "owner": null}},
  "certlist": {"defaults": {"presented": null, "more": false}},
  "TokenInfo": {"defaults": {"rooms": [], "expires": null, "used": null, "address": "", "online": false}},
  "BotInfo": {"defaults": {"by": null, "stopped": false, "outgoing": null}, "inside": {"tokens": "TokenInfo"}},
  "botlist": {"inside": {"bots": "BotInfo"}},
  "tokenlist": {"inside": {"tokens": "TokenInfo"}},
  "tokenmade": {"defaults": {"bot": null}, "inside": {"info": "TokenInfo"}},
  "FileInfo": {"defaults": {"type": "application/octet-stream", "width": 0, "height": 0, "previews": []}},
  "OwnFile": {"defaults": {"room": null, "to": null}, "inside": {"file": "FileInfo"}},
  "filelist": {"defaults": {"uploads": []}, "inside": {"files": "OwnFile"}},
  "read": {"defaults": {"room": null, "peer": null}},
  "notice": {"defaults": {"reason": "", "args": {}}},
  "msg": {"defaults": {"room": null, "to": null, "toname": null, "reply": null, "mentions": [], "edited": null, "deleted": null, "reactions": [], "changed": null, "edited_by": null, "deleted_by": null, "bot": false, "files": []}, "inside": {"files": "FileInfo"}},
  "edited": {"defaults": {"room": null, "to": null, "text": null, "mentions": []}},
  "deleted": {"defaults": {"room": null, "to": null}},
  "reacted": {"defaults": {"room": null, "to": null, "sign": "", "on": true}},
  "purged": {"defaults": {"room": null, "by": null}},
  "Hit": {"defaults": {"marks": []}, "inside": {"message": "Message"}},
  "hits": {"defaults": {"more": false, "indexed": null}, "inside": {"hits": "Hit"}},
  "roomrules": {"defaults": {"ref": 0, "topic": "", "private": false, "read_only": false, "slow_s": 0, "retention_days": 0, "history": "all", "archived": false, "was": null, "by": null, "role": null, "id": 0}},
  "role": {"defaults": {"by": null, "muted_s": 0, "reason": ""}},
  "typing": {"defaults": {"room": null}},
  "UnreadItem": {"defaults": {"room": null, "peer": null}},
  "unreadlist": {"defaults": {"items": [], "more": false, "through": null, "throughroom": null}, "inside": {"items": "UnreadItem"}},
  "ConversationItem": {"defaults": {"room": null, "peer": null, "id": 0, "last": 0, "by": null, "at": 0, "text": "", "cut": false, "deleted": false, "read": 0, "unread": 0, "mentions": 0, "first": 0, "muted_s": 0, "slow_s": 0, "edited_by": null, "deleted_by": null}},
  "conversations": {"defaults": {"items": [], "more": false, "through": null, "throughroom": null}, "inside": {"items": "ConversationItem"}},
  "refused": {"defaults": {"ref": null, "cid": null, "room": null, "retry": null, "reason": "", "args": {}}},
  "page": {"defaults": {"more": false, "changes": [], "more_before": false, "more_after": false}, "inside": {"messages": "Message", "changes": "Edited"}},
  "presence": {"defaults": {"joined": [], "left": [], "renamed": []}},
  "closing": {"defaults": {"resume": null, "retry": null, "reason": "", "args": {}}},
  "ping": {"defaults": {"n": 0}},
  "pong": {"defaults": {"n": 0}},
};

/**
 * Puts the fields in that were left out, here and in what is inside.
 * @template T
 * @param {T} record as it was parsed
 * @param {string} [type] where the record has none of its own
 * @returns {T} the same object, complete
 */
export function complete(record, type = "") {
  const fields = /** @type {Record<string, unknown>} */ (record);
  const known = RECORDS[/** @type {string} */ (fields.t) ?? type];
  if (!known) return record;
  for (const [name, value] of Object.entries(known.defaults ?? {})) {
    const fresh = Array.isArray(value) ? [] : typeof value === "object" && value ? {} : value;
    if (fields[name] === undefined) fields[name] = fresh;
  }
  for (const [name, inside] of Object.entries(known.inside ?? {})) {
    const value = fields[name];
    for (const each of Array.isArray(value) ? value : value ? [value] : []) complete(each, inside);
  }
  return record;
}
