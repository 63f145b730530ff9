"""For every test: nothing that a run writes may hold a secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.secrecy import files_with_secrets


@pytest.fixture(scope="session", autouse=True)
def _no_secret_is_written_down(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When the last test is over, look into every file that the tests have left: databases, logs, journals, backups."""
    yield
    found = files_with_secrets(tmp_path_factory.getbasetemp())
    assert not found, f"secrets were written down: {found}"
