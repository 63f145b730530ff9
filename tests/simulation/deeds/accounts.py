"""What people do about their accounts: register, passwords, devices, logins, certificates, invites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from securechat.client.core import actions
from tests.simulation.certificates import proof
from tests.simulation.web_device import device_for

if TYPE_CHECKING:
    from securechat.model import CertificateInfo
    from tests.simulation.device import Device
    from tests.simulation.people import Person

MOST_DEVICES = 3


def register(person: Person, device: Device) -> None:
    """Make the name one's own; where lines break, in the worst moment."""
    if not person.may_register or person.is_account or not device.is_online:
        return
    person.passwords.append(person.fresh_password())
    person.may_be_invalid = True
    person.makes_login()
    device.want(actions.RegisterAccount(person.password))
    if "cut" in person.world.flavour and not person.world.calm:
        target = person.some_place(device)
        device.want(actions.SendMessage(person.speech.next(device, target), target))
        if device.connection is not None and person.rng.random() < 0.5:
            device.connection.end.pause()  # the server does it all, and the answers are lost
        person.later(0.0, 0.4, lambda: person.lose_line(device))


def change_password(person: Person, device: Device) -> None:
    """Choose another password: every other login ends."""
    if not person.is_account or not device.is_online:
        return
    person.wanted_password = person.fresh_password()
    old = person.password
    person.passwords.append(person.wanted_password)
    person.lost_logins = True
    others = [other for other in person.devices if other is not device]
    person.dying[device.name] = [token for other in others for token in other.tokens.values()]
    device.want(actions.SetPassword(old, person.wanted_password))


def add_device(person: Person, device: Device) -> None:
    """Come from another machine, too."""
    if person.is_account and len(person.devices) < MOST_DEVICES and person.passwords:
        address = f"10.0.{len(person.devices)}.{person.number + 1}"
        person.known_as.add(address)
        new = device_for(person.world, person, f"{person.base}.{len(person.devices)}", address)
        if "certificates" in person.world.flavour and person.rng.random() < 0.5:
            new.key = person.rng.choice(person.keys)
        person.devices.append(new)
        person.start(new)


def log_out(person: Person, device: Device) -> None:
    """End this login."""
    if person.is_account and person.passwords:
        person.lost_logins = True
        device.want(actions.EndLogin())


def use_invite(person: Person, device: Device) -> None:
    """Come anew, by an invite."""
    if person.world.invites and not person.is_account and device.is_online:
        invite = person.world.invites.pop()
        device.stop()
        person.may_be_invalid = True
        person.start(device, invite=invite)


# --- Certificates -----------------------------------------------------------------------------------------------------


def add_certificate(person: Person, device: Device) -> None:
    """Let a certificate log in: the one that one shows, or another of one's own."""
    if person.is_account:
        key = person.rng.choice(person.keys)
        person.world.law.may_add(key)
        if key == device.key:
            device.want(actions.AddLoginCertificate(label="mine"))
        else:
            made = proof(key, device.core.me.id)
            device.want(actions.AddLoginCertificate(made.fingerprint, "", made.key, made.proof))


def show_certificate(person: Person, device: Device) -> None:
    """Start the program anew, with a certificate, or without the one it showed."""
    if person.is_account:
        device.stop()
        person.may_be_invalid = True
        device.key = 0 if device.key else person.rng.choice(person.keys)
        if device.key and person.rng.random() < 0.5:
            device.tokens = {}  # nothing but the certificate proves who this is
        person.later(0.0, 0.3, lambda: person.start(device))


def prove_by_certificate(person: Person, device: Device, key: int) -> None:
    """Start the program anew, with nothing but a certificate to prove who this is."""
    person.may_be_invalid = True
    device.stop()
    device.key = key
    device.tokens = {}
    person.later(0.0, 0.3, lambda: person.start(device))


def ask_certificates(person: Person, device: Device) -> None:
    """Look which certificates log in."""
    if person.is_account:
        device.want(actions.AskCertificates())


def look_at_certificates(person: Person, device: Device, certificates: Sequence[CertificateInfo]) -> None:
    """The list has come: now and then, one is removed."""
    person.world.law.certificates_shown(person, certificates)
    if certificates and person.rng.random() < 0.4:
        person.lost_logins = True
        number = person.rng.choice(certificates).certificate
        person.world.law.may_remove(number)
        device.want(actions.RemoveLoginCertificate(number))


DEEDS = (register, register, change_password, add_device, add_device, log_out, use_invite)
WITH_CERTIFICATES = (add_certificate, show_certificate, show_certificate, ask_certificates, ask_certificates)
