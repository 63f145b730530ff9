"""How a bug is planted: one function of the product is replaced for as long as a context lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Mutant = Callable[[], Any]
MUTANTS: dict[str, Mutant] = {}
"""Every planted bug, by what it is: a context manager that plants it and takes it out again."""


def planted(
    owner: Any, name: str, among: dict[str, Mutant] = MUTANTS
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a mutant: the decorated function gets the original and returns what stands in its place.

    Args:
        owner: the class, or the module, whose function is replaced.
        name: the function.
        among: the mutants that it belongs to.
    """

    def plant(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @contextmanager
        def mutant() -> Iterator[None]:
            original = owner.__dict__[name]
            setattr(owner, name, make(original))
            try:
                yield
            finally:
                setattr(owner, name, original)

        among[make.__name__] = mutant
        return make

    return plant


def nothing(*_: Any, **__: Any) -> None:
    """What stands in the place of a function that does something."""
