"""The client's exit codes: one number per reason, stable, for scripts. ``--help`` prints this table."""

from __future__ import annotations

from enum import IntEnum

from securechat.errors import TlsProblem


class ClientExit(IntEnum):
    """Exit codes. 1 is left to crashes, 2 to usage, 128 + n to signals, as in shells."""

    OK = 0
    CRASHED = 1
    USAGE = 2
    WRONG_CA = 10
    WRONG_PIN = 11
    HOST_MISMATCH = 12
    EXPIRED = 13
    NOT_YET_VALID = 14
    BAD_CA_FILE = 15
    NO_CERTIFICATE = 16
    NOT_TLS = 17
    NO_COMMON_PROTOCOL = 18
    TLS_OTHER = 19
    CONNECTION_REFUSED = 20
    HOST_NOT_FOUND = 21
    TIMEOUT = 22
    UNREACHABLE = 23
    CONNECTION_LOST = 24
    CHAIN_INCOMPLETE = 25
    PIN_NOT_OF_CA = 26
    CERTIFICATE_UNUSABLE = 27
    NAME_TAKEN = 30
    NAME_INVALID = 31
    REPLACED = 32
    CLOSED_BY_SERVER = 33
    ROOM_REFUSED = 34
    LOGIN_REFUSED = 35  # a password is needed, or was wrong
    INVITE_REFUSED = 36
    REMOVED = 37  # banned, kicked, or logged out elsewhere
    MESSAGE_REFUSED = 40
    LINES_LOST = 41
    OUTPUT_FAILED = 42  # stdout was closed, or cannot be written: a full disk
    INTERRUPTED = 130
    TERMINATED = 143


OF_TLS_PROBLEM: dict[TlsProblem, ClientExit] = {
    TlsProblem.WRONG_CA: ClientExit.WRONG_CA,
    TlsProblem.WRONG_PIN: ClientExit.WRONG_PIN,
    TlsProblem.CHAIN_INCOMPLETE: ClientExit.CHAIN_INCOMPLETE,
    TlsProblem.PIN_NOT_OF_CA: ClientExit.PIN_NOT_OF_CA,
    TlsProblem.UNUSABLE: ClientExit.CERTIFICATE_UNUSABLE,
    TlsProblem.HOST_MISMATCH: ClientExit.HOST_MISMATCH,
    TlsProblem.EXPIRED: ClientExit.EXPIRED,
    TlsProblem.NOT_YET_VALID: ClientExit.NOT_YET_VALID,
    TlsProblem.NO_CERTIFICATE: ClientExit.NO_CERTIFICATE,
    TlsProblem.NOT_TLS: ClientExit.NOT_TLS,
    TlsProblem.NO_COMMON_PROTOCOL: ClientExit.NO_COMMON_PROTOCOL,
    TlsProblem.BAD_FILE: ClientExit.BAD_CA_FILE,
    TlsProblem.OTHER: ClientExit.TLS_OTHER,
}
