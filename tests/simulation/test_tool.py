"""`tools/simulate.py` as somebody uses it who has never seen it: what it prints and returns, and what it says no to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.flavour import Options, written
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.sightings import Sightings
from tests.simulation.shrink import Shrinking
from tests.simulation.world import World
from tools import simulate

ROOT = Path(__file__).resolve().parent.parent.parent
SUMMARY = re.compile(r"(\d+) seeds, (\d+) failed, (\d+) events a seed, (\d+) events/s")


class Runs:
    """Worlds that are not run: what each seed finds is written here, and which were asked for is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[int] = []
        self.found: dict[int, str] = {}
        self.seconds = 0.0
        self.interrupt_at: int | None = None
        monkeypatch.setattr(simulate, "result", self.result)
        monkeypatch.setattr(simulate, "commit", lambda: "abc1234")

    def result(self, seed: int) -> tuple[int, str, int]:
        if seed == self.interrupt_at:
            raise KeyboardInterrupt
        self.asked.append(seed)
        return seed, self.found.get(seed, ""), 100 + seed


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


# --- Many -------------------------------------------------------------------------------------------------------------


def test_seeds_from_here_on_are_run_and_summed_up(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seeds", "4", "--from", "10"]) == 0
    assert runs.asked == [10, 11, 12, 13]
    (line,) = printed(capsys)
    match = SUMMARY.fullmatch(line)
    assert match is not None
    assert match.groups()[:3] == ("4", "0", "112")
    assert int(match[4]) > 0


def test_a_thousand_from_the_first_one_on_unless_somebody_says(runs: Runs) -> None:
    assert simulate.main([]) == 0
    assert runs.asked == list(range(1000))


def test_a_failure_is_a_line_with_its_seed_and_commit_and_then_its_command(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.found = {2: "ann: message 3 was shown twice"}
    assert simulate.main(["--seeds", "4", "--no-shrink"]) == 1
    failure, command, summary = printed(capsys)
    assert failure == "seed 2 at abc1234: ann: message 3 was shown twice"
    assert command.strip() == "python tools/simulate.py --seed 2 --trace"
    assert summary.startswith("4 seeds, 1 failed, ")


def test_a_failure_is_told_before_a_smaller_one_is_looked_for(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[str] = []

    class Looking(Shrinking):
        def __init__(self, seed: int) -> None:
            before.extend(printed(capsys))

        def shrink(self) -> Options:
            return Options(people=2, without=frozenset({"cut", "kill"}), active_s=0.5, only=frozenset({"ann:3"}))

    monkeypatch.setattr(simulate, "Shrinking", Looking)
    runs.found = {0: "broken"}
    assert simulate.main(["--seeds", "1"]) == 1
    assert before == ["seed 0 at abc1234: broken"]
    flags = "--people 2 --without cut,kill --active 0.5 --only ann:3"
    assert printed(capsys)[0].strip() == f"python tools/simulate.py --seed 0 --trace {flags}"


def test_minutes_count_instead_of_seeds(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0

    def monotonic() -> float:
        nonlocal now
        now += 1.0
        return now

    monkeypatch.setattr(simulate.time, "monotonic", monotonic)
    assert simulate.main(["--minutes", "0.5"]) == 0
    assert 20 <= len(runs.asked) <= 30
    assert runs.asked == list(range(len(runs.asked)))


def test_progress_and_rate_are_told_meanwhile(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "_PROGRESS_S", 0.0)
    assert simulate.main(["--seeds", "3"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line[:11] for line in lines] == ["... 1 seeds", "... 2 seeds", "... 3 seeds"]
    assert all(SUMMARY.search(line) for line in lines)


def test_jobs_share_the_work_and_find_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for jobs in ("1", "2"):
        assert simulate.main(["--seeds", "6", "--jobs", jobs]) == 0
    alone, together = printed(capsys)
    assert SUMMARY.fullmatch(alone).groups()[:3] == SUMMARY.fullmatch(together).groups()[:3]  # type: ignore[union-attr]


# --- One --------------------------------------------------------------------------------------------------------------


def test_one_run_says_what_it_was_about_and_prints_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seed", "3"]) == 0
    world = World(3).run()
    assert printed(capsys) == [
        f"seed 3: nothing found ({world.clock.events} events; {', '.join(sorted(world.flavour))})"
    ]


def test_a_trace_has_a_line_for_all_that_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--seed", "3", "--trace"]) == 0
    *trace, _ = printed(capsys)
    assert trace == World(3, tracing=True).run().clock.lines
    assert len(trace) > 50


def test_a_smaller_run_is_the_one_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Options] = []

    def world(seed: int, options: Options, *, tracing: bool) -> World:
        made.append(options)
        return World(seed, options, tracing=tracing)

    monkeypatch.setattr(simulate, "World", world)
    flags = ["--people", "2", "--hostile", "0", "--without", "cut,kill", "--active", "0.5", "--only", "ann:1;bob:1,2"]
    assert simulate.main(["--seed", "3", *flags]) == 0
    only = frozenset({"ann:1", "bob:1", "bob:2"})
    assert made == [Options(2, 0, frozenset({"cut", "kill"}), 0.5, only)]
    assert "cut" not in printed(capsys)[-1]


def test_acts_that_did_not_come_about_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Or a wrong name would look like an act that does no harm."""
    act = World(3).run().schedule.acts[0]
    assert simulate.main(["--seed", "3", "--only", f"{act},9999;nobody:1"]) == 0
    absent = written(frozenset({f"{act.partition(':')[0]}:9999", "nobody:1"}))
    assert capsys.readouterr().err == f"of --only, these acts did not come about: {absent}\n"


def test_what_one_run_finds_is_told_and_returned(capsys: pytest.CaptureFixture[str]) -> None:
    with MUTANTS["one_message_of_a_batch_not_fanned_out"]():
        seed = next(seed for seed in range(500) if simulate.failure_of(seed))
        assert simulate.main(["--seed", str(seed)]) == 1
    assert re.fullmatch(rf"seed {seed}: .+ \(\d+ events; .*\)", printed(capsys)[0])


# --- Planted bugs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def few_mutants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two bugs, of which one is found by the fifth seed; returns where the table is kept."""
    planted: list[str] = []

    class Plant:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            planted.append(self.name)

        def __exit__(self, *_: object) -> None:
            planted.clear()

    def failure(seed: int) -> str:
        return "broken" if planted == ["found"] and seed == 5 else ""

    monkeypatch.setattr(simulate, "MUTANTS", {name: lambda name=name: Plant(name) for name in ("found", "hidden")})
    monkeypatch.setattr(simulate, "failure_of", failure)
    table = tmp_path / "sightings.txt"
    monkeypatch.setattr("tests.simulation.mutants.sightings._FILE", table)
    return table


def test_each_planted_bug_is_looked_for_and_a_survivor_is_a_failure(
    few_mutants: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate.main(["--mutants", "--seeds", "7", "--from", "2"]) == 1
    _, found, hidden, summary = (line.split() for line in printed(capsys))
    assert found == ["found", "5", "broken"]
    assert hidden == ["hidden", "never", "survived", "7", "seeds"]
    assert " ".join(summary) == "2 planted, 1 survived"
    assert not few_mutants.exists(), "a table is kept only when somebody says so"


def test_the_table_is_kept_when_somebody_says_so(few_mutants: Path) -> None:
    few_mutants.write_text("# old\n     9  hidden\n", encoding="utf-8")
    assert simulate.main(["--mutants", "--seeds", "7", "--note"]) == 1
    assert Sightings.read().seeds == {"found": 5, "hidden": 9}


@pytest.mark.slow
def test_planted_bugs_stay_planted_no_longer_than_they_are_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The real ones, with one seed each."""
    before = simulate.result(3)
    simulate.main(["--mutants", "--seeds", "1"])
    assert len(printed(capsys)) == len(MUTANTS) + 2
    assert simulate.result(3) == before


# --- What makes no sense ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--seeds 0", "argument --seeds: '0' is no whole number from 1 on"),
        ("--seeds many", "argument --seeds: 'many' is no whole number from 1 on"),
        ("--from -1", "--from"),
        ("--jobs 0", "argument --jobs: '0' is no whole number from 1 on"),
        ("--minutes 0", "argument --minutes: '0' is no number above 0"),
        ("--minutes nan", "argument --minutes: 'nan' is no number above 0"),
        ("--minutes soon", "argument --minutes: 'soon' is no number above 0"),
        ("--minutes 1 --seeds 5", "leave one out"),
        ("--seed 1.5", "argument --seed: '1.5' is no whole number from 0 on"),
        ("--seed 3 --people 0", "argument --people: '0' is no whole number from 1 on"),
        ("--seed 3 --active 0", "argument --active: '0' is no number above 0"),
        ("--seed 3 --without cut,kil", "there is no kil: write some of cut,delay,"),
        ("--seed 3 --only ann", "'ann' names no acts: write them as 'ann:3,7;faults:2'"),
        ("--seed 3 --only ann:x", "'ann:x' names no acts: write them as 'ann:3,7;faults:2'"),
        ("--seed 3 --seeds 5", "--seeds: of no use with --seed; leave it out"),
        ("--seed 3 --from 5 --no-shrink", "--from, --no-shrink: of no use with --seed; leave it out"),
        ("--seed 3 --note", "--note: of no use with --seed; leave it out"),
        ("--trace", "--trace: only with --seed N"),
        ("--people 2 --hostile 0", "--people, --hostile: only with --seed N"),
        ("--seed 3 --from 0", "--from: of no use with --seed; leave it out"),
        ("--note", "--note: only with --mutants"),
        ("--mutants --jobs 2", "--jobs: of no use with --mutants; leave it out"),
        ("--mutants --seed 2", "--seed: of no use with --mutants; leave it out"),
        ("--mutant", "unrecognized arguments: --mutant"),
        ("7", "unrecognized arguments: 7"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    runs: Runs, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        simulate.main(line.split())
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not runs.asked


def test_the_help_names_every_flag_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        simulate.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("Exit codes: 0", "130", "--seed N", "--without A,B", *simulate.PARTS))


# --- Interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "code"), [({}, 130), ({1: "broken"}, 1)])
def test_an_interrupt_ends_with_a_summary(
    runs: Runs, capsys: pytest.CaptureFixture[str], found: dict[int, str], code: int
) -> None:
    runs.found, runs.interrupt_at = found, 3
    assert simulate.main(["--seeds", "9", "--no-shrink"]) == code
    assert printed(capsys)[-1].startswith(f"interrupted: 3 seeds, {len(found)} failed, ")


def test_an_interrupted_run_shows_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(World, "_check_histories", interrupt)
    assert simulate.main(["--seed", "3", "--trace"]) == 130
    lines = printed(capsys)
    assert re.fullmatch(r"seed 3: interrupted after \d+ events", lines[-1])
    assert len(lines) > 50


def test_planted_bugs_are_summed_up_as_far_as_they_were_tried(
    few_mutants: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulate, "failure_of", lambda seed: "broken" if seed == 0 else interrupt())
    assert simulate.main(["--mutants", "--seeds", "2", "--note"]) == 0
    few_mutants.unlink()
    monkeypatch.setattr(simulate, "failure_of", interrupt)
    assert simulate.main(["--mutants", "--seeds", "2", "--note"]) == 130
    assert printed(capsys)[-1] == "interrupted: 0 of 2 planted, 0 survived"
    assert not few_mutants.exists(), "half a table was kept"


def interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_real_ctrl_c_ends_it_without_a_traceback(jobs: str) -> None:
    program = "import sys; from tools import simulate; simulate._PROGRESS_S = 0.0; sys.exit(simulate.begin())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--minutes", "60", "--jobs", jobs],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("... 1 seeds")
    os.killpg(process.pid, signal.SIGINT)  # to all of them, as a terminal does
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert re.match(r"interrupted: \d+ seeds, 0 failed, ", out.splitlines()[-1])
    assert all(line.startswith("... ") for line in err.splitlines()), err


def test_whoever_stops_reading_is_not_told_of_it() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "tools/simulate.py", "--seed", "3", "--trace"]
    done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
