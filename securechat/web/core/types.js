/**
 * The types that core, shell and user interface share. Nothing runs here.
 *
 * @import {Command, ConversationList, Event, HistoryPage, Message, MessageChange, Person, Purged, RoomRules, SearchPage, UnreadList, Welcome} from "./records.js"
 */

/**
 * The phases of a connection. `naming`: the user must give a name (or password, invite), whether connected or not, or a name is
 * waited for.
 * @typedef {"offline" | "dialling" | "naming" | "greeting" | "rejoining" | "online" | "ended"} Phase
 */

/**
 * A room or a dialogue. The core alone changes it; the user interface reads it.
 * @typedef {object} Conversation
 * @property {string} key unique and the same for as long as the page lives, whatever the room is called
 * @property {"room" | "direct"} kind
 * @property {string} name of the room without "#", or the present name of the other person; as the server wrote it
 * @property {number} id of the room (0: it has none), or the sender_id of the other person
 * @property {boolean} member whether the user is in the room; true for a dialogue
 * @property {Room | null} room null for a dialogue
 * @property {Message | null} last the newest message; its text may be cut to 100 code points where it came from a list
 * @property {number} read the user has read up to this seq
 * @property {number} unread messages of others above it; 999 means that many or more
 * @property {number} mentions those of them that mention the user
 * @property {number} firstUnread seq of the first of them; 0 for none
 * @property {number | null} mutedS seconds for which the user may not write here; null: no end; 0: may write
 * @property {readonly Person[]} typing who is writing here now
 * @property {MessageWindow} window
 */

/**
 * @typedef {object} Room
 * @property {string} topic
 * @property {"owner" | "moderator" | "member" | "admin" | null} role of the user; null for a guest
 * @property {boolean} private
 * @property {boolean} readOnly
 * @property {boolean} archived
 * @property {number} slowS
 * @property {number} total members
 * @property {ReadonlyMap<number, Person> | null} members null where only the number is told
 * @property {ReadonlySet<number>} muted sender_ids, as far as told
 */

/**
 * @typedef {Omit<Room, "members" | "muted"> & {members: Map<number, Person> | null, muted: Set<number>}} RoomState
 */

/**
 * The stretch of a conversation that is loaded: contiguous, by seq.
 * @typedef {object} MessageWindow
 * @property {readonly Message[]} messages as they are now
 * @property {boolean} loaded whether it was asked for, and answered
 * @property {boolean} atStart nothing is before it on the server
 * @property {boolean} atEnd the last one is the newest there is, and new ones are put behind it
 * @property {"replace" | "older" | "newer" | null} loading what is being asked for
 * @property {{seq?: number, at?: number, unread?: boolean} | null} target what it was opened at; null: the present
 */

/**
 * What the user sends and the server has not acknowledged.
 * @typedef {object} PendingMessage
 * @property {number} number counts what the user sends; the same over retries and reloads of the page
 * @property {string} key of the conversation; "" while a restored page does not know it yet
 * @property {"message" | "edit" | "delete" | "react"} kind
 * @property {string} text
 * @property {number | null} reply
 * @property {number} seq of the message that is changed; 0 for a message
 * @property {string} sign of a reaction
 * @property {boolean} on of a reaction
 * @property {readonly SentFile[]} files finished uploads
 * @property {boolean} [sent] it may be on the server already, and cannot be taken back
 * @property {"waiting" | "sent" | "failed"} state waiting: for a connection or for its turn; failed: the server refused it
 * @property {Refusal | null} refusal why it failed
 */

/** @typedef {{id: string, name: string, size: number}} SentFile a finished upload */

/**
 * What the server says no with. `text` is English; `ui/i18n.js` makes a sentence of reason and args.
 * @typedef {{code: string, text: string, reason: string, args: Record<string, string | number>, retryS: number | null}} Refusal
 */

/**
 * What the page keeps in storage; given to the core when it starts.
 * @typedef {object} SavedState
 * @property {string} secret 32 hexadecimal digits
 * @property {string} name "" before one was accepted
 * @property {string} token of the login; "" for a guest
 * @property {number} lastCid the highest number of a draft that was ever given out
 * @property {SavedMessage[]} unsent in the order typed
 * @property {string[]} [rooms] of a guest, to be entered again
 */

/**
 * What the core is made with.
 * @typedef {object} CoreOptions
 * @property {SavedState} saved with a fresh secret where nothing was stored
 * @property {() => number} jitter returns a number in [0, 1)
 * @property {() => string} freshSecret makes 32 hexadecimal digits
 * @property {string} client program and version, for the operator
 */

/**
 * @typedef {{seq?: number, at?: number, unread?: boolean} | null} WindowTarget
 */

/**
 * A window as the core keeps it.
 * @typedef {object} WindowState
 * @property {Message[]} messages
 * @property {boolean} loaded
 * @property {boolean} atStart
 * @property {boolean} atEnd
 * @property {"replace" | "older" | "newer" | null} loading
 * @property {WindowTarget} target
 * @property {boolean} opened
 * @property {number} low everything from here
 * @property {number} high through here is loaded
 * @property {Message[] | null} tail said since the page on its way was asked for
 * @property {LogQuestion | null} question on its way
 * @property {boolean} towardsStart whether the reader is most likely at the older end
 */

/**
 * A conversation as the core keeps it; `Conversation` is what others may read.
 * @typedef {object} ConversationState
 * @property {string} key
 * @property {"room" | "direct"} kind
 * @property {string} name
 * @property {number} id
 * @property {boolean} member
 * @property {RoomState | null} room
 * @property {Message | null} last
 * @property {number} read
 * @property {number} unread
 * @property {number} mentions
 * @property {number} firstUnread
 * @property {number | null} mutedS
 * @property {Person[]} typing
 * @property {WindowState} window
 * @property {boolean} begun whether the feed has begun with it
 * @property {number} seen seq of the last message seen; below it everything was
 * @property {number} changed likewise, of the last change
 * @property {number} purged no message up to this seq is left
 * @property {{unread: number, mentions: number, first: number, through: number}} counted what the list said, of messages up to `through`
 * @property {{seq: number, by: number, mentionsMe: boolean}[]} news unread messages since
 */

/** @typedef {{conversation: ConversationState, person: Person, until: number}} Typist */
/** @typedef {HistoryPage | SearchPage | UnreadList | ConversationList} LogAnswer */
/** @typedef {PendingMessage & {cid: number, sent: boolean, conversation: ConversationState}} DraftState */
/** @typedef {Extract<Event, {ref: number | null}>} Answer */
/** @typedef {{request: number, question: Question}} Open */
/** @typedef {Extract<Change, {kind: "helloNeeded"}>["field"]} Field */
/** @typedef {Extract<Change, {kind: "ended"}>["why"]} Why */

/**
 * What follows a welcome and a loss.
 * @typedef {object} ConnectionListener
 * @property {(event: Welcome, first: boolean, another: boolean) => void} welcomed
 * @property {() => void} passwordChanged
 * @property {() => void} lost
 * @property {() => void} abandoned the user has another identity
 * @property {() => boolean} busy whether leaving should wait
 * @property {() => boolean} isLoggingOut
 */

/**
 * What the feed yields.
 * @typedef {object} FeedListener
 * @property {(conversation: ConversationState, message: Message, late: boolean) => void} message
 * @property {(conversation: ConversationState, change: MessageChange) => void} change
 * @property {(purged: Purged, conversation: ConversationState | null) => void} purged
 * @property {(missed: number) => void} caughtUp
 */

/**
 * A question to the log; the server answers one at a time. `lost` is called where the connection is lost before the answer;
 * without it, the question is asked again.
 * @typedef {object} LogQuestion
 * @property {ConversationState} [conversation] it is about
 * @property {(ref: number) => Command} command
 * @property {(event: LogAnswer) => void} answered
 * @property {(refusal: Refusal) => void} refused
 * @property {() => void} [lost]
 */

/**
 * @typedef {object} SavedMessage
 * @property {number} number
 * @property {number} cid 0: failed
 * @property {boolean} [sent] whether it was sent under this cid, as far as this tab knows
 * @property {string | null} room
 * @property {number | null} to
 * @property {"message" | "edit" | "delete" | "react"} kind
 * @property {string} text
 * @property {number | null} reply
 * @property {number} seq
 * @property {string} sign
 * @property {boolean} on
 * @property {readonly SentFile[]} [files]
 * @property {boolean} failed
 * @property {Refusal | null} [refusal] why
 */

/**
 * What the user does and nothing answers but changes of the state. `key` is a conversation's.
 * @typedef {{do: "hello", name: string, password?: string, invite?: string}
 *   | {do: "send", key: string, text: string, reply?: number | null, files?: readonly SentFile[]}
 *   | {do: "edit", key: string, seq: number, text: string}
 *   | {do: "delete", key: string, seq: number}
 *   | {do: "react", key: string, seq: number, sign: string, on: boolean}
 *   | {do: "retry", number: number}
 *   | {do: "discard", number: number}
 *   | {do: "typing", key: string}
 *   | {do: "read", key: string, seq: number}
 *   | {do: "open", key: string, seq?: number, at?: number, unread?: boolean}
 *   | {do: "older", key: string}
 *   | {do: "newer", key: string}
 *   | {do: "close", key: string}
 *   | {do: "probe"}
 *   | {do: "reconnect"}
 *   | {do: "leave"}} Action
 *
 * hello: the answer to `helloNeeded`. open: show a conversation, at a message, a time (ms since 1970), the first unread one, or the
 * present; it stays loaded until `close`. read: the user has seen everything up to here. probe: ask at once whether the connection lives
 * (3 s). reconnect: dial now. leave: quit; the name is free.
 */

/**
 * What the user asks and the core answers by an `answer` change with the same `request` number (the shell makes a Promise of it).
 * @typedef {{ask: "join", room: string}
 *   | {ask: "leaveRoom", key: string, sure?: boolean}
 *   | {ask: "openDirect", name: string}
 *   | {ask: "openPerson", person: Person}
 *   | {ask: "whois", name: string}
 *   | {ask: "who", key: string, after?: number}
 *   | {ask: "rooms", after?: string}
 *   | {ask: "people", ids: number[]}
 *   | {ask: "search", query: string, before?: number, limit?: number, since?: number, until?: number}
 *   | {ask: "roomInfo", key: string}
 *   | {ask: "setRoom", key: string, rules: Partial<RoomRules> & {name?: string}}
 *   | {ask: "invite", key: string, person: number}
 *   | {ask: "moderate", key: string, person: number, act: "kick" | "ban" | "unban" | "mute" | "unmute", seconds?: number | null, reason?: string}
 *   | {ask: "grant", key: string, person: number, role: "owner" | "moderator" | "member"}
 *   | {ask: "nick", name: string}
 *   | {ask: "register", password: string}
 *   | {ask: "password", old: string, new: string}
 *   | {ask: "logins"}
 *   | {ask: "logout", login?: number}
 *   | {ask: "bots", room?: string, after?: number}
 *   | {ask: "botadd", name: string, kind?: "bot" | "hook", scopes?: string[], rooms?: string[], days?: number}
 *   | {ask: "botremove", bot: number}
 *   | {ask: "tokens", after?: number}
 *   | {ask: "tokenadd", name: string, scopes?: string[], rooms?: string[], days?: number}
 *   | {ask: "tokenrotate", token: number}
 *   | {ask: "tokenremove", token: number}
 *   | {ask: "upload", name: string, size: number, as_file: boolean}
 *   | {ask: "links", ids: readonly string[]}
 *   | {ask: "files", after?: string}
 *   | {ask: "uploadremove", id: string}} Question
 *
 * Answers: join, openDirect, openPerson: the Conversation. whois: the Person who has this name now. who: {members, total, more}. rooms: {rooms, more}. people: Person[].
 * search: {hits: {message, marks}[], more, indexed}. roomInfo: RoomRules. logins: {logins, more}. bots: {bots, more}. tokens: {tokens, more}.
 * upload: UploadAdded. links: FileLinks. files: FileList. botadd, tokenadd, tokenrotate: TokenMade, with the secret, which is kept nowhere. Others: nothing of use.
 * A refusal rejects the Promise with a Refusal; without a connection its code is "offline".
 */

/**
 * What has changed, for the user interface; in the order in which it happened.
 * @typedef {{kind: "phase", phase: Phase}
 *   | {kind: "welcome", first: boolean, account: boolean, admin: boolean, mustChange: boolean}
 *   | {kind: "helloNeeded", refusal: Refusal | null, field: "name" | "password" | "newPassword" | "invite" | "version"}
 *   | {kind: "waits", untilS: number, refusal: Refusal | null}
 *   | {kind: "conversations"}
 *   | {kind: "conversation", key: string}
 *   | {kind: "window", key: string, how: "replaced" | "older" | "newer" | "live" | "changed" | "loading", seqs: readonly number[]}
 *   | {kind: "message", key: string, message: Message, own: boolean, late: boolean, mentionsMe: boolean}
 *   | {kind: "messageChanged", key: string, change: MessageChange, message: Message | null}
 *   | {kind: "purged", key: string | null, through: number, by: number | null}
 *   | {kind: "pending", key: string}
 *   | {kind: "acked", number: number, seq: number, key: string}
 *   | {kind: "failed", number: number, key: string, refusal: Refusal}
 *   | {kind: "lost", numbers: readonly number[]}
 *   | {kind: "presence", key: string, joined: readonly Person[], left: readonly Person[], renamed: readonly {id: number, old: string, new: string}[]}
 *   | {kind: "typing", key: string}
 *   | {kind: "joined", key: string, made: boolean, again: boolean}
 *   | {kind: "left", key: string, refusal: Refusal | null}
 *   | {kind: "renamed", key: string, old: string, by: Person | null}
 *   | {kind: "rules", key: string, rules: RoomRules}
 *   | {kind: "role", key: string, person: Person, role: string, mutedS: number | null, by: Person | null, reason: string}
 *   | {kind: "invited", room: string, by: Person}
 *   | {kind: "notice", text: string, at: number, refusal: Refusal | null}
 *   | {kind: "throttled", retryS: number}
 *   | {kind: "caughtUp", missed: number}
 *   | {kind: "reset"}
 *   | {kind: "me"}
 *   | {kind: "answer", request: number, value: unknown, refusal: Refusal | null}
 *   | {kind: "ended", why: "replaced" | "banned" | "kicked" | "loggedOut" | "version" | "left" | "bug", refusal: Refusal | null}} Change
 *
 * waits: the next attempt to connect, or to say hello, comes at `untilS` (the core's `now`); the refusal says why where the server did.
 * window.seqs: of the messages that are new or changed. reset: the server has another log; everything shown is void.
 */

/**
 * What one input leads to, in this order: save, send, hang up, dial, show.
 * @typedef {object} CoreOutput
 * @property {SavedState | null} save written to storage before anything is sent; null: nothing of it has changed
 * @property {readonly Command[]} commands
 * @property {boolean} hangUp the core wants to hear no more of this connection, not even its end
 * @property {boolean} dial
 * @property {readonly Change[]} changes
 */

/**
 * The core, as shell and user interface see it (`core/client.js`, class ClientCore).
 * @typedef {object} Core
 * @property {Phase} phase
 * @property {Person} me id 0 before the first welcome
 * @property {boolean} account
 * @property {boolean} admin
 * @property {boolean} mustChange
 * @property {string} server program and version; "" before the first welcome
 * @property {readonly string[]} features
 * @property {Readonly<Record<string, number>>} limits
 * @property {ReadonlyMap<string, Conversation>} conversations by key; what the user is in, and every dialogue
 * @property {readonly PendingMessage[]} pending in the order typed
 * @property {boolean} catchingUp
 * @property {number | null} waitsUntilS when the next attempt to connect comes; null while connected or connecting
 * @property {(seq: number, key: string) => Message | null} find a message that is loaded
 * @property {(id: number) => string | null} nameOf the latest name of a person, if seen
 * @property {() => readonly string[]} knownNames
 * @property {(room: string) => Conversation | null} roomNamed
 * @property {(id: number) => Conversation | null} directWith
 * @property {() => number | null} deadline when `tick` is wanted at the latest; seconds
 * @property {(now: number) => CoreOutput} start
 * @property {(now: number) => CoreOutput} connected
 * @property {(now: number, why: {reason: string, clean: boolean}) => CoreOutput} disconnected
 * @property {(event: Event, now: number) => CoreOutput} received
 * @property {(action: Action, now: number) => CoreOutput} act
 * @property {(question: Question, request: number, now: number) => CoreOutput} ask
 * @property {(now: number) => CoreOutput} tick
 */

/**
 * What the shell gives the user interface (made in `shell/main.js`).
 * @typedef {object} App
 * @property {Core} core
 * @property {(action: Action) => void} act
 * @property {(question: Question) => Promise<any>} ask
 * @property {(listener: (changes: readonly Change[]) => void) => () => void} listen called after each input of the core; returns what ends it
 * @property {Settings} settings
 * @property {<K extends keyof Settings>(name: K, value: Settings[K]) => void} set writes a setting to storage; listeners of settings are told
 * @property {(listener: (name: keyof Settings) => void) => () => void} onSetting
 * @property {Drafts} drafts
 * @property {ServerFacts} facts
 * @property {Route} route
 * @property {(route: Partial<Route>, replace?: boolean) => void} go changes the address: the browser's back leads back
 * @property {(listener: (route: Route) => void) => () => void} onRoute
 * @property {(text: string, urgent?: boolean) => void} announce says it to screen readers
 * @property {(text: string, actions?: {label: string, run: () => void}[]) => void} toast one line at the edge of the screen
 * @property {() => Promise<void>} forget ends the login and clears what this browser keeps
 * @property {() => number} now the core's clock, seconds
 * @property {(route: Partial<Route>) => string} address what `go` would put into the address bar, for the href of a link
 * @property {Invite | null} invite what the page was opened with
 * @property {PageState} page
 * @property {(listener: () => void) => () => void} onPage called when something of `page` has changed
 * @property {(on: boolean) => void} stay whether secret, token and unsent messages outlive this tab
 * @property {() => Promise<void>} takeOver brings the chat from the other tab into this one
 * @property {() => void} restart loads the page anew
 * @property {() => Promise<void>} allowNotifications asks the browser; to be called from a click
 * @property {() => Promise<Uploads>} uploads files that are chosen and not sent yet; rejects where it cannot be loaded
 */

/**
 * A file that was chosen.
 * @typedef {object} Attachment
 * @property {string} id of this page's own
 * @property {string} name
 * @property {number} size bytes
 * @property {string} type media type, as the browser says
 * @property {boolean} asFile keep place, time and camera in it
 * @property {number} sent bytes that have arrived
 * @property {"waiting" | "sending" | "done" | "failed" | "unreadable"} state unreadable: whole, and a picture that the server cannot read
 * @property {Refusal | null} refusal why it failed
 * @property {{id: string, path: string, name: string} | null} upload
 * @property {boolean} stored whether all of it is in IndexedDB
 */

/**
 * A message with files. draft: in the composer; sending: on its way; said: the core has it, and it waits for the answer.
 * @typedef {object} Parcel
 * @property {string} id of this page's own
 * @property {string} owner of the identity that made it
 * @property {number} madeAt UTC milliseconds
 * @property {{room: string, id: number} | {person: number}} place
 * @property {string} text
 * @property {number | null} reply
 * @property {"draft" | "sending" | "said"} state
 * @property {Attachment[]} files
 */

/**
 * Messages with files until they are sent (`shell/uploads.js`).
 * @typedef {object} Uploads
 * @property {(key: string) => readonly Parcel[]} of a conversation, in the order made
 * @property {(key: string, files: readonly File[]) => void} add to the draft of a conversation
 * @property {(file: Attachment) => void} remove
 * @property {(file: Attachment) => void} retry
 * @property {(file: Attachment, on: boolean) => void} asFile
 * @property {(key: string, text: string, reply: number | null) => void} send the draft
 * @property {(parcel: Parcel) => void} takeBack into the draft
 * @property {(parcel: Parcel) => void} discard
 * @property {(file: Attachment) => Promise<Blob | null>} read all of it, as it was chosen
 * @property {(listener: () => void) => () => void} listen called when anything of it has changed
 */

/** @typedef {{token: string, ca: string, once: boolean}} Invite */

/**
 * What the shell knows of the page itself.
 * @typedef {object} PageState
 * @property {"starting" | "here" | "elsewhere" | "moved"} place elsewhere: another tab has the chat; moved: it took it from this one
 * @property {boolean} needsCa WebSocket fails where fetch works: this browser wants the CA
 * @property {boolean} outdated the server has a newer page than this one
 * @property {boolean} stays as chosen with `stay`
 * @property {boolean} storageFailed the browser stores nothing: all lives until the tab is closed
 * @property {"granted" | "denied" | "default" | "unable"} notifications of the system
 */

/**
 * @typedef {object} Settings
 * @property {"system" | "light" | "dark" | "contrast"} theme
 * @property {string} language "" for the browser's
 * @property {"auto" | "send" | "break"} enter what Enter does; auto: sends, and breaks the line on touch screens
 * @property {boolean} sound
 * @property {boolean} system notifications of the system
 * @property {boolean} disturb false: do not disturb
 * @property {Record<string, "all" | "mentions" | "none">} notify by room name; default mentions
 * @property {readonly number[]} ignored sender_ids whose messages are hidden
 * @property {boolean} typing whether typing notices are sent and shown
 * @property {boolean} membersOpen whether the members are shown on a wide screen
 * @property {readonly string[]} recentEmoji
 */

/**
 * What is typed and not sent, by conversation; kept at each keystroke.
 * @typedef {object} Drafts
 * @property {(key: string) => Draft} get
 * @property {(key: string, draft: Draft) => void} put
 */

/**
 * `before`: what was typed before an edit began; it is back when the edit ends.
 * @typedef {{text: string, reply: number | null, editing: number | null, before?: string}} Draft
 */

/**
 * What the page was told of its server, in `<script type="application/json" id="facts">` of index.html.
 * @typedef {object} ServerFacts
 * @property {string} version
 * @property {string | null} ca fingerprint of the CA, 64 hexadecimal digits; null for a public certificate
 * @property {boolean} limited whether the CA has name constraints
 * @property {"open" | "members"} access
 * @property {Record<string, string>} files name -> address with the hash of its content (`messages.id.json`, `emoji.en.json`)
 */

/**
 * Where the user is: `#/room/NAME/SEQ`, `#/person/ID/SEQ`, `#/`, with `?panel`.
 * @typedef {object} Route
 * @property {string | null} key of the conversation; null: the list
 * @property {number | null} seq of the message
 * @property {string} panel "" or the name of what is open over it: "members", "search", "settings", "room", "help"
 * @property {{room: string} | {person: number} | null} [unknown] what the address names, where that is no conversation of the user
 */

export {};
