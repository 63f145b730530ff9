#!/usr/bin/env python3
"""Everything from a fresh checkout with nothing but Python: each subcommand sets itself up.

The set-up is a virtual environment in ``.venv``, with the project installed so that edits take effect at once. It is
made once, made anew when it is broken, and brought up to date when what ``pyproject.toml`` says about the project
changes; otherwise nothing is fetched. pip does the fetching, with whatever configuration this machine has for it.

This file uses the standard library only, and no syntax newer than Python 3.8's, so that an old Python can still say
that it is too old.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn, TextIO

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
ROOT = Path(__file__).resolve().parent.parent
PICTURES = "pictures"
"""The extra by which a server writes pictures anew."""
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
FROM_CHECKOUT = {"SECURECHAT_BANNER": "dev"}
"""Has the programs name commands that work here (securechat/programs.py)."""
texts: dict[str, str] = {}
"""The translations of this file's texts into the user's language; empty in English."""


class Problem(Exception):
    """A sentence that tells the user what to do first."""


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand; returns the exit code (POSIX: all but test do not return, they become the program)."""
    hold_closed_streams()
    try:
        choose_language(arguments)
        return flushed(run(arguments))
    except Problem as problem:
        say(f"dev: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        discard(sys.stdout)
        why = error.strerror or str(error)
        say(
            f"dev: {error.filename}: {why}"
            if error.filename
            else _("dev: The output cannot be written: {why}", why=why)
        )
        return 1


def run(arguments: Sequence[str]) -> int:
    """Run one subcommand, or print what the command line asks for."""
    commands = {"serve": serve, "chat": chat, "admin": admin, "certs": certs, "test": test}
    if list(arguments[:1]) == ["--version"]:
        print(f"securechat {project_version()}")
        return 0
    if not arguments or arguments[0] not in commands:
        asked = bool(arguments) and arguments[0] in ("-h", "--help", "help")
        if asked:
            print(usage())
        else:
            say(usage())
        return 0 if asked else 2
    check_python(sys.version_info[:3])
    return commands[arguments[0]](list(arguments[1:]))


def usage() -> str:
    """Return the page of ``--help``."""
    options, command = _("OPTIONS"), _("COMMAND")
    rows = (
        (f"serve [{options}]", _("set everything up and start a server")),
        (f"chat [{options}]", _("start a client")),
        (f"admin {command}", _("manage the server that `serve` has started")),
        (f"certs [{options}]", _("make or renew certificates, the server's or a user's")),
        (f"test [--fast] [{options}]", _("run every check; --fast skips the slow tests")),
    )
    width = max(len(row[0]) for row in rows)
    head = [f"python3 tools/dev.py {typed:{width}}  {what}" for typed, what in rows]
    first = _("usage: ")
    tail = _("`serve --help`, `chat --help`, `admin --help` and `certs --help` list the options.")
    return "\n".join([first + head[0], *(" " * len(first) + each for each in head[1:]), "", tail])


# --- The commands -----------------------------------------------------------------------------------------------------


def serve(arguments: list[str]) -> int:
    """Set up, see to the certificates, become the server; what a configuration file says is left to it."""
    python = set_up(PICTURES)
    environment = dict(FROM_CHECKOUT)
    if not is_given(arguments, "--help", "-h"):
        configured = is_configured(arguments)
        if not configured and not is_given(arguments, "--cert") and "SECURECHAT_CERT" not in os.environ:
            see_to_certificates(python)
            arguments = ["--cert", shown(ROOT / "certs" / "server.pem"), *arguments]
        if not configured:
            environment["SECURECHAT_DATA"] = os.environ.get("SECURECHAT_DATA") or shown(ROOT / "securechat-data")
    return become([python, "-P", "-m", "securechat.cli.serve", *arguments], environment)


def chat(arguments: list[str]) -> int:
    """Set up, become the client, which remembers in ``data/chat`` where it was and who it is.

    Where nothing is remembered and nothing said about trust, this checkout's own CA is trusted.
    """
    python = set_up()
    memory = ROOT / "data" / "chat"
    remembers = "SECURECHAT_STATE" not in os.environ
    environment = {**FROM_CHECKOUT, "SECURECHAT_STATE": str(memory)} if remembers else dict(FROM_CHECKOUT)
    authority = ROOT / "certs" / "ca.pem"
    decided = remembers and any(memory.glob("v1/server-*.json"))  # the folder of client/local_store.py
    decided = (
        decided
        or is_given(arguments, "--ca", "--pin")
        or "SECURECHAT_CA" in os.environ
        or "SECURECHAT_PIN" in os.environ
    )
    if not decided and authority.exists():
        environment["SECURECHAT_CA"] = shown(authority)
        if not names_server(arguments) and (port := port_of_server(python)):
            arguments = [*arguments, "--port", str(port)]
    return become([python, "-P", "-m", "securechat.cli.chat", *arguments], environment)


def names_server(arguments: Sequence[str]) -> bool:
    """Tell whether a client's command line names the server, or asks for something that needs none."""
    is_value = False
    for each in arguments:
        if is_value:
            is_value = False
        elif not each.startswith("-") or each.partition("=")[0] in ("--port", "--invite", "--help", "-h", "--version"):
            return True
        else:
            is_value = each in ("--name", "--cert", "--password-file", "--room", "--history")
    return False


def port_of_server(python: str) -> int:
    """Return the port of the server that runs on this checkout's data; 0 when none does."""
    data = os.environ.get("SECURECHAT_DATA") or str(ROOT / "securechat-data")
    status = run_quietly([python, "-P", "-m", "securechat.cli.admin", "status", "--json", "--data", data])
    try:
        return int(json.loads(status or "{}")["listening"][0].rpartition(":")[2])
    except (ValueError, KeyError, IndexError):
        return 0


def admin(arguments: list[str]) -> int:
    """Set up, become the operator's tool, for the data directory that ``serve`` uses."""
    python = set_up()
    environment = dict(FROM_CHECKOUT)
    if not is_configured(arguments):
        environment["SECURECHAT_DATA"] = os.environ.get("SECURECHAT_DATA") or shown(ROOT / "securechat-data")
        environment["SECURECHAT_CERT"] = os.environ.get("SECURECHAT_CERT") or shown(ROOT / "certs" / "server.pem")
    return become([python, "-P", "-m", "securechat.cli.admin", *arguments], environment)


def certs(arguments: list[str]) -> int:
    """Set up, become the tool that makes certificates."""
    return become([set_up(), str(ROOT / "tools" / "gen_certs.py"), *arguments], FROM_CHECKOUT)


def test(arguments: list[str]) -> int:
    """Every check: style, types on both platforms, layers, then the tests; returns 1 when any of them failed."""
    fast = "--fast" in arguments
    arguments = [each for each in arguments if each != "--fast"]
    python = set_up("dev")
    checks = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "mypy for Windows": [python, "-m", "mypy", "--platform", "win32", "--cache-dir", ".mypy_cache/win32"],
        "lint-imports": [script("lint-imports"), "--no-logo"],
        "imported names": [python, "tools/imported_names.py"],
        # It compiles the tests, which otherwise each worker does for itself in a fresh checkout.
        "collection": [python, "-m", "pytest", "--collect-only", "--quiet"],
        **checks_of_the_page(),
    }
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        passed = dict(zip(checks, pool.map(check, checks, checks.values()), strict=True))
    failed = [name for name in checks if not passed[name]]
    if failed:
        print(_("dev: Failed before the tests: {checks}", checks=", ".join(failed)))
    if {"imported names", "collection"} & set(failed):
        return 1  # some tests cannot run, which would otherwise be found after all others
    # Two workers for each of the two cores that CI has: the tests that start processes wait half of their time.
    selection = ["-m", "not slow"] if fast else []
    alone = is_given(arguments, "--numprocesses", "--pdb") or any(each.startswith("-n") for each in arguments)
    workers = [] if alone else ["-n", "4"]
    sys.stdout.flush()
    done = subprocess.run([python, "-m", "pytest", *workers, *selection, *arguments], cwd=str(ROOT), check=False)
    return done.returncode or (1 if failed else 0)


def checks_of_the_page() -> dict[str, list[str]]:
    """Checks of the web client's modules, by deno, which has no wheel for some machines."""
    deno = script("deno")
    if not Path(deno).exists():
        print(_("dev: There is no deno for this machine: the modules of the web client are not checked"), flush=True)
        return {}
    os.environ["DENO_NO_UPDATE_CHECK"] = "1"
    config, page = ["--config", "tools/deno.json"], ["securechat/web", "tests/web_unit"]
    modules = sorted(str(each.relative_to(ROOT)) for folder in page for each in (ROOT / folder).rglob("*.js"))
    return {
        "deno fmt": [deno, "fmt", "--check", *config, *page],
        "deno lint": [deno, "lint", *config, *page],
        "deno check": [deno, "check", *config, *modules],
    }


def check(name: str, command: list[str]) -> bool:
    """Run one check; its output is shown only when it failed."""
    begin = time.monotonic()
    done = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{name:18} {verdict:6} {time.monotonic() - begin:5.1f} s", flush=True)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace"), flush=True)
    return done.returncode == 0


def see_to_certificates(python: str) -> None:
    """Make the certificates, or renew the server's when it is old or lacks an address; say only what was done.

    Raises:
        Problem: there is no certificate and none can be made.
    """
    command = [python, str(ROOT / "tools" / "gen_certs.py"), "--if-needed", "--dir", str(ROOT / "certs")]
    environment = {**os.environ, **FROM_CHECKOUT}
    bundle = ROOT / "certs" / "server.pem"
    before = changed_at(bundle)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if changed_at(bundle) != before:
        print(done.stdout.partition("\n\n")[0])  # the files that were written; what to do next comes from the server
    if done.returncode == 0:
        return
    reason = (done.stderr.strip().splitlines() or [_("gen_certs.py failed without a word")])[-1]
    if not bundle.exists():
        raise Problem(reason)
    say(_("dev: The certificate could not be renewed: {why}", why=reason))


def changed_at(path: Path) -> float:
    """Return when a file was last written; 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0


# --- The set-up -------------------------------------------------------------------------------------------------------


def set_up(extra: str | None = None) -> str:
    """Make or mend ``.venv`` and install the project into it; returns the path of its Python.

    Args:
        extra: a group of optional dependencies that must be there too.

    Raises:
        Problem: it cannot be done; the sentence says what to do.
    """
    python = venv_python()
    with only_one():
        if VENV.exists() and (reason := what_is_broken()):
            print(_("dev: Making .venv again: {why}", why=reason), flush=True)
            remove_venv()
        if not VENV.exists():
            make_venv()
        stamp = read_stamp()
        extras = sorted(set(stamp.get("extras", [])) | ({extra} if extra else set()))
        wanted = {"project": project_hash(), "extras": extras, "root": str(ROOT), "python": python_version(python)}
        if stamp != wanted:
            try:
                install(python, extras)
            except Problem:
                if extras != [PICTURES]:
                    raise
                install(python, [])  # the server does without: then a machine for which there is no wheel can run it
                print(_("dev: Without Pillow, so pictures are sent as files, with place and time in them"), flush=True)
            stamp_path().write_text(json.dumps(wanted), encoding="utf-8")
    return python


def make_venv() -> None:
    """Make ``.venv``.

    Raises:
        Problem: this Python cannot; with the command that helps.
    """
    if missing := [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]:
        raise Problem(venv_hint(missing))
    print(_("dev: Making .venv"), flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(str(VENV), ignore_errors=True)
        print(made.stdout.decode(errors="replace"), file=sys.stderr)
        raise Problem(venv_hint(["venv"]))


def install(python: str, extras: Sequence[str]) -> None:
    """Install the project, editable, with pip as this machine has it configured.

    Raises:
        Problem: pip failed; it has said why.
    """
    print(_("dev: Installing securechat and its dependencies into .venv (only after a change)"), flush=True)
    what = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-user", "-e", what]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        raise Problem(
            _("The installation failed (see the message of pip above). Is this machine online? Then run it again")
        )


def what_is_broken() -> str:
    """Say why the ``.venv`` that is there cannot be used; empty when it can."""
    stamp = read_stamp()
    if stamp and stamp.get("root") != str(ROOT):
        return _("the checkout was moved")
    try:
        version = python_version(venv_python())
    except Problem:
        return _("its Python does not run")
    if stamp and stamp.get("python") != version:
        return _("its Python was {old} and is {new} now", old=stamp.get("python"), new=version)
    if tuple(int(part) for part in version.split(".")) < OLDEST:
        return _("its Python is {version}", version=version)
    if not stamp and run_quietly([venv_python(), "-m", "pip", "--version"]) is None:
        return _("it has no pip")
    return ""


def remove_venv() -> None:
    """Delete ``.venv``.

    Raises:
        Problem: something still uses it.
    """
    try:
        if VENV.is_symlink() or not VENV.is_dir():
            VENV.unlink()
        else:
            shutil.rmtree(str(VENV))
    except OSError as error:
        what = error.filename or VENV
        raise Problem(
            _(
                "Cannot remove {what}: {why}. Stop the programs that run from it, or delete it yourself",
                what=what,
                why=error.strerror,
            )
        ) from None


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let only one set-up of this checkout run at a time; the kernel frees the lock when its holder dies."""
    path = ROOT / ".venv.lock"
    try:
        handle = path.open("w")
    except OSError as error:
        raise Problem(_("Cannot write in {folder}: {why}", folder=ROOT, why=error.strerror)) from None
    with handle:
        if not try_lock(handle.fileno()):
            print(_("dev: Waiting for another set-up of this checkout to finish"), flush=True)
            while not try_lock(handle.fileno()):
                time.sleep(0.2)
        yield


def try_lock(descriptor: int) -> bool:
    """Take the lock; False when another process has it."""
    try:
        if WINDOWS:
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# --- Small facts ------------------------------------------------------------------------------------------------------


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that is too old.

    Raises:
        Problem: with the command that uses a newer one, where there is one.
    """
    if version >= OLDEST:
        return
    present = ".".join(map(str, version))
    if newer := next((name for name in NEWER if shutil.which(name)), None):
        sentence = (
            "securechat needs Python 3.11 or newer, but this is {version}. Run it with {newer} instead of python3"
        )
        raise Problem(sentence.format(version=present, newer=newer))
    raise Problem(f"securechat needs Python 3.11 or newer, but this is {present}")


def venv_hint(missing: Sequence[str], release: Path = Path("/etc/os-release")) -> str:
    """Say how to complete a Python that cannot make virtual environments, with the package of this system.

    Args:
        missing: the modules that are not there.
        release: how the system describes itself (freedesktop.org's os-release).
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with contextlib.suppress(OSError):
        entries = dict(line.partition("=")[::2] for line in release.read_text(encoding="utf-8").splitlines())
        family = {entries.get("ID", "").strip('"'), *entries.get("ID_LIKE", "").strip('"').split()}
        if family & {"debian", "ubuntu"}:
            sudo = "" if not WINDOWS and os.geteuid() == 0 else "sudo "
            package = f"{sudo}apt install python{version}-venv"
            return "\n\n".join(
                (
                    _("This Python cannot make virtual environments. Install the missing package:"),
                    f"    {package}",
                    _("and run the command again"),
                )
            )
    return _(
        "This Python {version} cannot make virtual environments ({modules} missing). Install your system's package",
        version=version,
        modules=", ".join(missing),
    )


def project_version() -> str:
    """Return the version that the checkout's package names."""
    text = (ROOT / "securechat" / "__init__.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def project_hash() -> str:
    """Return a hash of what an installation is made of: what pyproject.toml says about the project, the catalogues."""
    import tomllib  # noqa: PLC0415  (Python 3.11)

    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    relevant = [content.get("build-system"), content.get("project"), content.get("tool", {}).get("setuptools")]
    digest = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode())
    for path in sorted((ROOT / "securechat" / "locale").glob("*/LC_MESSAGES/*.po")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamp_path() -> Path:
    """Where the last successful installation is noted; the last thing a set-up writes."""
    return VENV / "securechat-installed.json"


def read_stamp() -> dict[str, object]:
    """Return what the last successful installation was made of; empty when there was none."""
    try:
        found = json.loads(stamp_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def venv_python() -> str:
    """Return the path of the Python in ``.venv``."""
    return script("python")


def script(name: str) -> str:
    """Return the path of a program in ``.venv``."""
    return str(VENV / "Scripts" / (name + ".exe") if WINDOWS else VENV / "bin" / name)


def python_version(python: str) -> str:
    """Return the version of a Python in a virtual environment, as ``3.11``.

    Raises:
        Problem: it does not run.
    """
    code = "import sys, encodings; assert sys.prefix != sys.base_prefix; print('%d.%d' % sys.version_info[:2])"
    version = run_quietly([python, "-I", "-c", code])
    if version is None:
        raise Problem(_("{program} does not run", program=python))
    return version


def run_quietly(command: Sequence[str]) -> str | None:
    """Return what a command prints; None when it cannot be run or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_given(arguments: Sequence[str], *flags: str) -> bool:
    """Tell whether one of the flags is on the command line, as ``--flag`` or ``--flag=value``."""
    return any(each.partition("=")[0] in flags for each in arguments)


def is_configured(arguments: Sequence[str]) -> bool:
    """Tell whether a configuration file is named, which says by itself what serve would have said."""
    return is_given(arguments, "--config") or bool(os.environ.get("SECURECHAT_CONFIG"))


def shown(path: Path) -> str:
    """Return a path as short as it can be from here."""
    try:
        return str(path.relative_to(ROOT)) if Path.cwd() == ROOT else str(path)
    except OSError:  # the working directory was deleted
        return str(path)


def become(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the program in place of this one; on Windows, which cannot, beside it, with its Ctrl-C and its exit code."""
    full = {**os.environ, **environment}
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # the program says it itself, or has nothing to print
            stream.flush()
    if not WINDOWS:
        exec_(command, full)
    child = subprocess.Popen(command, env=full)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the child has got it too and decides


def exec_(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process.

    Raises:
        Problem: the program cannot be started.
    """
    try:
        os.execve(command[0], list(command), dict(environment))  # noqa: S606
    except OSError as error:
        raise Problem(_("Cannot start {program}: {why}", program=shlex.quote(command[0]), why=error.strerror)) from None


# --- The language -----------------------------------------------------------------------------------------------------


def choose_language(arguments: Sequence[str]) -> None:
    """Read the translations for the user, from their source: nothing is compiled before the first set-up."""
    if sys.version_info[:2] < OLDEST:
        return  # it cannot read the package
    sys.path.insert(0, str(ROOT))
    from securechat.translation import chosen  # noqa: PLC0415

    language, _problem = chosen(arguments)  # the program that is started names a language that does not exist
    source = ROOT / "securechat" / "locale" / language / "LC_MESSAGES" / "securechat.po"
    texts.clear()
    if language != "en" and source.exists():
        try:
            texts.update(read_catalogue(source))
        except (OSError, SyntaxError, ValueError):
            say(f"dev: The translation {source} cannot be read. English is used")


def read_catalogue(path: Path) -> dict[str, str]:
    """Return the texts without plural forms of a .po file, with their translations."""
    found: dict[str, str] = {}
    entry: dict[str, str] = {}
    field = ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if not line:
            if entry.get("msgid"):
                found[entry["msgid"]] = entry.get("msgstr") or entry["msgid"]
            entry = {}
        elif not line.startswith("#"):
            keyword, quote, text = line.partition('"')
            field = keyword.strip() or field
            entry[field] = entry.get(field, "") + ast.literal_eval(quote + text)
    return found


def _(text: str, **arguments: object) -> str:
    """Translate a text and put its arguments in."""
    return texts.get(text, text).format(**arguments)


# --- The streams ------------------------------------------------------------------------------------------------------


def hold_closed_streams() -> None:
    """Give the null device to streams that were closed by ``>&-``, here and for the programs that are started."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115, PTH123 - takes the lowest free number, which is this stream's
            setattr(sys, name, stream)


def say(sentence: str) -> None:
    """Write a sentence to standard error, if it takes one."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def flushed(code: int) -> int:
    """Flush standard output before Python does, which would end with 120; returns the exit code."""
    sys.stdout.flush()
    return code


def discard(stream: TextIO) -> None:
    """Give a stream that cannot be written the null device, which takes what is left in its buffer."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
