"""The walls of the page: its core imports nothing but the core, and names nothing of a browser, a clock or chance."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "securechat" / "web"
MOST_LINES = 700
MOST_CORE_FILES = 9
MOST_CORE_BYTES = 24 * 1024 + 400
_IMPORT = re.compile(r"""(?:import|export)\s*(?:[^"';]*?\bfrom\s*)?["']([^"']+)["']|import\(\s*["'`]([^"'`]+)""")
_BROWSER = re.compile(
    r"\b(?:document|globalThis|navigator|location|localStorage|sessionStorage|indexedDB|WebSocket|fetch|crypto|performance"
    r"|setTimeout|setInterval|clearTimeout|queueMicrotask|requestAnimationFrame|Date|Math\.random|Promise|async|await"
    r"|addEventListener|window\.(?:document|location|setTimeout|open)|console)\b"
)
_ALLOWED = {"core": {"core"}, "shell": {"core", "shell"}, "ui": {"core", "ui"}}
_BOTH = "shell/main.js"


def code_of(text: str) -> str:
    """Return JavaScript without comments and without what stands in quotation marks."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"(?m)(^|\s)//.*$", "", text)
    return re.sub(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""", '""', text)


def modules() -> list[Path]:
    return sorted(WEB.rglob("*.js"))


def imports(path: Path) -> list[Path]:
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [each[0] or each[1] for each in _IMPORT.findall(text)]
    assert all(each.startswith((".", "/")) for each in found), f"{path.name} imports {found}: no other host, no package"
    return [(path.parent / each).resolve() for each in found]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(WEB)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    name = path.relative_to(WEB)
    if str(name) == _BOTH or len(name.parts) == 1:
        return
    for each in imports(path):
        assert each.exists(), f"{name} imports {each}, which is not there"
        folder = each.relative_to(WEB).parts[0]
        assert folder in _ALLOWED[name.parts[0]], f"{name} imports {each.relative_to(WEB)}"


@pytest.mark.parametrize("path", sorted((WEB / "core").glob("*.js")), ids=lambda path: path.name)
def test_the_core_names_no_browser_clock_or_chance(path: Path) -> None:
    found = sorted(set(_BROWSER.findall(code_of(path.read_text(encoding="utf-8")))))
    assert not found, f"{path.name} names {found}"


def test_a_name_of_a_browser_is_noticed() -> None:
    assert _BROWSER.findall(code_of("const a = Date.now(); // setTimeout\nlet b = 'fetch';")) == ["Date"]


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if path.name != "records.js"],  # a generated catalogue
    ids=lambda path: str(path.relative_to(WEB)),
)
def test_a_module_is_one_noun(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, f"look for the second noun in {path.relative_to(WEB)}: {lines} lines"


def test_the_core_stays_small() -> None:
    loaded = [path for path in (WEB / "core").glob("*.js") if path.name != "types.js"]  # which no module imports
    code = b"".join(path.read_bytes() for path in sorted(loaded) if path.name != "records.js")
    assert len(loaded) <= MOST_CORE_FILES
    assert len(gzip.compress(code, 9)) <= MOST_CORE_BYTES
