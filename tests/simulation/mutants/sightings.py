"""By which seed each planted bug was found last: where a test looks first, and the table of who is how well hidden.

`python tools/simulate.py --mutants --note` makes it anew; it grows old whenever the world changes, and a test then
takes longer and finds the bug all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "sightings.txt"
_HEAD = "# The first seed that finds each planted bug; made by `python tools/simulate.py --mutants --note`.\n"


@dataclass(slots=True)
class Sightings:
    """The table.

    Attributes:
        seeds: by the name of the planted bug.
    """

    seeds: dict[str, int]

    @classmethod
    def read(cls) -> Sightings:
        """Read the file."""
        lines = _FILE.read_text(encoding="utf-8").splitlines() if _FILE.exists() else []
        pairs = (line.split() for line in lines if line and not line.startswith("#"))
        return cls({name: int(seed) for seed, name in pairs})

    def write(self) -> None:
        """Keep it, the best hidden last."""
        rows = sorted((seed, name) for name, seed in self.seeds.items())
        _FILE.write_text(_HEAD + "".join(f"{seed:>6}  {name}\n" for seed, name in rows), encoding="utf-8")

    def candidates(self, name: str, most: int) -> Iterator[int]:
        """The seeds to try for a planted bug: the one that found it last, then all from the first on."""
        first = self.seeds.get(name)
        if first is not None:
            yield first
        yield from (seed for seed in range(most) if seed != first)
