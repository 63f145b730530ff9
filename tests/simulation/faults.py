"""What breaks: lines, clocks, disks and the server itself. Each fault undoes itself, or is undone by `stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securechat.testing.link import Connection, Death
from tests.simulation.flavour import FAULTS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.device import Device
    from tests.simulation.people import Person
    from tests.simulation.world import World

STALLED = 0.15
"""How many new lines stand still, where lines do."""


class Faults:
    """Lets things break.

    Args:
        world: whose things.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._rng = world.chance.dice("faults")
        self._locks = world.chance.dice("locks")
        self._returns = world.chance.dice("returns")  # of their own: all other runs stay as they are
        acts: dict[str, Callable[[], None]] = {
            "cut": self._cut, "hold": self._hold, "slow": self._slow, "kill": self._kill, "power": self._power,
            "drain": self._drain, "full": self._full, "failure": self._failure, "clock": self._clock,
            "device": self._device, "index": self._index,
        }  # fmt: skip
        self._acts = [(name, acts[name]) for name in FAULTS if name in acts and name in world.flavour]

    def dialled(self, line: Connection, device: Device) -> None:
        """Somebody has a new line."""
        dice = line.rng
        if "hold" in self.world.flavour and not self.world.calm and dice.random() < STALLED:
            self._stall(line, device, dice)

    def act(self, dice: random.Random) -> None:
        """Break something."""
        self._rng = dice
        if self._acts:
            name, act = dice.choice(self._acts)
            self.world.clock.note("fault", name)
            act()

    def stop(self) -> None:
        """Mend everything that does not mend itself."""
        world = self.world
        world.storage.forgive()
        for connection, _ in world.connections:
            if connection.held:
                connection.hold(False)
            connection.client.read_every_s = 0.0
            connection.client.read_bytes = None
            connection.client.resume()
            connection.conduct.window_bytes = 65_536
            connection.conduct.delay_s = (0.0005, 0.01)

    def _later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        self.world.clock.call_later(self._rng.uniform(low_s, high_s), act)

    def _some_line(self) -> Connection | None:
        alive = [connection for connection, _ in self.world.connections[-12:] if not connection.dead]
        return self._rng.choice(alive) if alive else None

    def _cut(self) -> None:
        if (line := self._some_line()) is not None:
            line.die(self._rng.choice((Death.RESET, Death.RESET, Death.RESET, Death.RESET, Death.SILENT)))

    def _hold(self) -> None:
        """The line stands still for a while."""
        if (line := self._some_line()) is not None:
            self._excuse(line)
            line.hold(True)
            self._later(0.1, 6.0, lambda: line.hold(False))

    def _slow(self) -> None:
        """A reader slows down, or stops."""
        if (line := self._some_line()) is None:
            return
        rng = self._rng
        self._excuse(line)
        if rng.random() < 0.5:
            line.client.pause()
            self._later(1.0, 8.0, line.client.resume)
        else:
            line.client.read_bytes = rng.choice((1, 100, 3_000))
            line.client.read_every_s = rng.choice((0.01, 0.1))
            self._later(1.0, 5.0, lambda: self._hurry(line))

    def _stall(self, line: Connection, device: Device, dice: random.Random) -> None:
        """A new line stands still before anybody is greeted on it, and somebody loses patience with the program."""
        clock = self.world.clock
        clock.call_later(dice.uniform(0.0, 0.05), lambda: line.hold(not self.world.calm))
        clock.call_later(dice.uniform(0.3, 1.5), lambda: line.hold(False))
        clock.call_later(dice.uniform(0.1, 0.3), lambda: self._restart(line, device))

    def _restart(self, line: Connection, device: Device) -> None:
        link = device.connection
        if link is not None and link.connection is line and not device.is_online and not self.world.calm:
            device.stop()
            device.start()

    def stop_a_reader(self) -> None:
        """Somebody reads nothing for long, while everybody writes much."""
        if (line := self._some_line()) is not None:
            self._excuse(line)
            line.client.pause()
            self._later(7.0, 8.0, line.client.resume)

    def _hurry(self, line: Connection) -> None:
        line.client.read_bytes, line.client.read_every_s = None, 0.0
        line.client.resume()

    def _excuse(self, line: Connection) -> None:
        """Whoever is slow may be taken for a slow reader."""
        handler = line.client._handler
        if handler is not None and hasattr(handler, "slow"):
            handler.slow = True

    def _kill(self) -> None:
        if self.world.server.alive:
            self.world.server.kill()

    def _power(self) -> None:
        if self.world.server.alive:
            self.world.server.kill(power=True)

    def _drain(self) -> None:
        if self.world.server.alive and self.world.server.log.failure is None:
            self.world.server.drain()

    def _full(self) -> None:
        """The disk is full for a while; at times another program holds the database beside it, before or after."""
        storage, people, rng = self.world.storage, self.world.people, self._rng
        if self._locks.random() < 0.4:
            self._lock(self._locks)
        owner, other = rng.choice(people), rng.choice(people)
        if owner is not other and rng.random() < 0.5:
            self._full_for(owner, other)
            return
        storage.fill(True)
        self._later(0.2, 2.0, lambda: storage.fill(False))
        if self._returns.random() < 0.3:
            self._break_while_full()

    def _break_while_full(self) -> None:
        """Connections break while the disk is full."""
        for connection, _ in self.world.connections[-6:]:
            if not connection.dead and self._returns.random() < 0.7:
                self.world.clock.call_later(
                    self._returns.uniform(0.0, 0.2), lambda line=connection: line.die(Death.RESET)
                )

    def _lock(self, dice: random.Random) -> None:
        """Another program holds the database for a while: messages wait, and the server goes on afterwards."""
        clock, storage = self.world.clock, self.world.storage
        begins_s = dice.uniform(0.0, 2.5)
        clock.call_later(begins_s, lambda: storage.lock(not self.world.calm))
        clock.call_later(begins_s + dice.uniform(0.2, 3.0), lambda: storage.lock(False))

    def _full_for(self, owner: Person, other: Person) -> None:
        """It is full just when somebody comes back, and as soon as there is room, somebody else wants their name."""
        storage, name = self.world.storage, owner.name
        for device in owner.devices:
            if device.core is not None:
                device.stop()

        def comes_back() -> None:
            storage.fill(not self.world.calm)
            for device in owner.devices:
                owner.start(device)
            self._later(0.1, 0.6, has_room)

        def has_room() -> None:
            storage.fill(False)
            self.world.temptation.take_name(other, name)

        away_s = self.world.limits.quiet_return_s  # from then on they are not here any more
        self._later(away_s, 1.2 * away_s, comes_back)

    def _failure(self) -> None:
        """A write or a sync fails: the server must stop."""
        self.world.storage.fail_once()

    def _index(self) -> None:
        """Something fails below the search index: searches may be incomplete for a while, and nothing else is felt."""
        self.world.storage.fail_index()

    def _clock(self) -> None:
        """Somebody sets the wall clock."""
        world = self.world
        world.law.wall_moves()
        world.clock.move_wall(self._rng.choice((-3_600.0, -5.0, 5.0, 3_600.0, 100_000.0)))
        world.token_law.wall_moved()
        for person in world.people:
            person.lost_logins = True

    def _device(self) -> None:
        """A client program is killed."""
        person = self._rng.choice(self.world.people)
        if "admin" in self.world.flavour and person.is_account and self._returns.random() < 0.2:
            self._delete_while_away(person)
            return
        if person.devices[0].core is not None:
            person.crash(person.devices[0])
            if not person.is_account and self._returns.random() < 0.3:  # its window was closed, and its secret with it
                person.devices[0].secret = person.devices[0].fresh_secret()

    def _delete_while_away(self, person: Person) -> None:
        """An account is deleted while none of its programs is connected; then they come back."""
        for device in person.devices:
            if device.core is not None:
                device.stop()
        self._returns_later(0.1, 0.5, lambda: self.world.administrator.delete(person, self._returns))
        for device in person.devices:
            self._returns_later(0.6, 2.0, lambda each=device: person.start(each))

    def _returns_later(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        self.world.clock.call_later(self._returns.uniform(low_s, high_s), act)
