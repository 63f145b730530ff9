"""For every test: nothing that a run writes may hold a secret."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support import pseudo, scheduling, slow_page, warm
from tests.support.event_loops import without_running_loop
from tests.support.locales import compile_stale_catalogues, read_catalogues_once
from tests.support.secrecy import files_with_secrets

settings.register_profile("project", deadline=None)  # a busy machine takes its time: speed is measured in tools/bench
settings.load_profile("project")


# Hundreds of programs are started here, and a third of a second each would go into compiling the same modules again:
# they start from compiled ones, as a user's do, whatever the environment says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Programs speak English to the tests, whatever language the person speaks who runs them; other parts of the locale,
# such as the encoding, stay as they are.
if everything := os.environ.pop("LC_ALL", None):
    os.environ["LC_CTYPE"] = everything
for variable in ("LANGUAGE", "SECURECHAT_LANG", "SECURECHAT_LOCALE_DIR"):
    os.environ.pop(variable, None)
os.environ["LC_MESSAGES"] = "C"
compile_stale_catalogues()
read_catalogues_once()


@pytest.fixture(scope="session", autouse=True)
def _no_secret_is_written_down(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When the last test is over, look into every file that the tests have left: databases, logs, journals, backups."""
    yield
    found = files_with_secrets(tmp_path_factory.getbasetemp())
    assert not found, f"secrets were written down: {found}"


@pytest.fixture(autouse=True)
def _no_loop_of_a_browser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's loop, suspended beneath other tests of the process, must not look like a running one to them."""
    with contextlib.nullcontext() if "web" in request.path.parts else without_running_loop():
        yield


@pytest.fixture(autouse=True)
def _nothing_is_said_past_the_catalogue() -> Iterator[None]:
    """Under ``--pseudo``, look at what the test's programs have said."""
    if not pseudo.is_installed():
        yield
        return
    yield
    found = {f"{output.command}\n    {each}" for output in pseudo.taken() for each in pseudo.findings(output.text)}
    assert not found, "\n" + "\n".join(sorted(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pseudo", action="store_true", help="run every program in the pseudo-locale (tests/support/pseudo.py)"
    )
    parser.addoption("--update-golden", action="store_true", help="record sessions again (test_indonesian_session.py)")
    parser.addoption("--slow-page", action="store_true", help="make web pages late (tests/support/slow_page.py)")
    parser.addoption("--cold", action="store_true", help="start every program from nothing (tests/support/warm.py)")


def pytest_configure(config: pytest.Config) -> None:
    warm.cold = config.getoption("--cold")
    slow_page.late = config.getoption("--slow-page")
    if config.getoption("--pseudo"):
        pseudo.install(Path(tempfile.mkdtemp(prefix="securechat-pseudo-")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduling.scheduler(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if pseudo.is_installed():
        for item in items:
            if (marker := item.get_closest_marker("not_pseudo")) is not None:
                item.add_marker(pytest.mark.skip(reason=f"not in the pseudo-locale: {marker.args[0]}"))
    items.sort(key=scheduling.order)
