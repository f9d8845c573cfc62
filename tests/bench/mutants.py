"""How much of the library could be wrong without a unit test that sees it: ``./dev bench mutants [SEED]``. No test.

Small mistakes (mutants) are drawn with a fixed seed and put one by one into a copy of the checkout, where the unit tests that
execute the line run. What is printed are those that no test saw: each is either as good as the original, or a missing test.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

import coverage

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = "plugins/module_utils"
# A mutant that builds a list without end is stopped before the machine is.
MEMORY = 4 * 2**30
# Tests that see a file without executing it.
COMPARING = {
    f"{LIBRARY}/_mail_autoconfig/input/spec.py": ["tests/unit/test_options.py::test_every_made_file_is_up_to_date"],
}
# Where this file, as a plugin of pytest, writes what each test took.
TIMES = "MUTANTS_TIMES"

PAIRS = (
    (ast.Eq, ast.NotEq),
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.In, ast.NotIn),
    (ast.Is, ast.IsNot),
    (ast.And, ast.Or),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.FloorDiv),
    (ast.BitAnd, ast.BitOr),
)
OPPOSITES: dict[type[ast.AST], type[t.Any]] = {**dict(PAIRS), **{second: first for first, second in PAIRS}}
DROPPED = (ast.Expr, ast.Raise, ast.Return, ast.AugAssign, ast.Delete, ast.Continue, ast.Break)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change; ``place`` is line and column of the first and behind the last octet, ``statement`` the line it begins in."""

    file: str
    place: tuple[int, int, int, int]
    statement: int
    new: str

    def apply(self, source: str) -> tuple[str, str]:
        """The source with the change, and what was there before."""
        lines = source.encode().splitlines(keepends=True)  # ast counts octets
        first, start, last, end = self.place
        begin, stop = len(b"".join(lines[: first - 1])) + start, len(b"".join(lines[: last - 1])) + end
        text = b"".join(lines)
        return (text[:begin] + self.new.encode() + text[stop:]).decode(), text[begin:stop].decode()


# -- making mutants -----------------------------------------------------------------------------------------------------


def mutants(file: str, source: str) -> list[Mutant]:
    """All mutants of a file, in the order of its text."""
    found = []
    for node, statement in _nodes(ast.parse(source), 0):
        for place, new in _changes(node):
            text = new if isinstance(new, str) else f"({ast.unparse(new)})"
            found.append(Mutant(file, (place.lineno, place.col_offset, place.end_lineno, place.end_col_offset), statement, text))
    return found


def _nodes(node: ast.AST, statement: int) -> Iterator[tuple[ast.AST, int]]:
    """All nodes that are worth a change, each with the line of its statement."""
    statement = node.lineno if isinstance(node, ast.stmt) else statement
    yield node, statement
    for name, value in ast.iter_fields(node):
        # Annotations are never evaluated, and within an f-string nodes have no place of their own before Python 3.12.
        if name in ("annotation", "returns") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _says_nothing(child):
                yield from _nodes(child, statement)


def _says_nothing(node: ast.AST) -> bool:
    """Docstrings, imports, and what ``*`` would import."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, (ast.Import, ast.ImportFrom)) or ast.unparse(node).startswith("__all__ =")


def _changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST | str]]:
    """What is changed and what it becomes."""
    match node:
        case ast.Constant():
            yield node, ast.Constant(_other(node.value))
        case ast.Compare(ops=[operator, *more]) if type(operator) in OPPOSITES:
            yield node, ast.Compare(node.left, [OPPOSITES[type(operator)](), *more], node.comparators)
        case ast.BoolOp():
            yield node, ast.BoolOp(OPPOSITES[type(node.op)](), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield node, node.operand
        case ast.BinOp() if type(node.op) in OPPOSITES:
            yield node, ast.BinOp(node.left, OPPOSITES[type(node.op)](), node.right)
        case ast.IfExp():
            yield node, ast.IfExp(node.test, node.orelse, node.body)
        case ast.If():
            yield node.test, ast.UnaryOp(ast.Not(), node.test)
        case ast.comprehension():
            yield from ((test, ast.UnaryOp(ast.Not(), test)) for test in node.ifs)
    if isinstance(node, DROPPED):
        yield node, "pass"


def _other(value: object) -> object:
    """Another value of the same type."""
    if isinstance(value, bool) or value is None or value is ...:
        return not value
    if isinstance(value, (str, bytes)):
        return type(value)() if value else "X" if isinstance(value, str) else b"X"
    return value + 1  # type: ignore[operator]


# -- running tests ------------------------------------------------------------------------------------------------------


def pytest_runtest_logstart(nodeid: str) -> None:
    """As a plugin: say under which test the lines are executed. Parameters are left out, a function is run as a whole."""
    measuring = coverage.Coverage.current()
    if measuring:
        measuring.switch_context(nodeid.partition("[")[0])


def pytest_runtest_logreport(report: object) -> None:
    """As a plugin: write what each test took."""
    if TIMES in os.environ:
        with Path(os.environ[TIMES]).open("a") as file:
            print(report.duration, report.nodeid.partition("[")[0], file=file)  # type: ignore[attr-defined]


class Checkout:
    """A copy of the checkout in which files can be broken."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "ansible_collections/mailops/autoconfig"
        self._data, self._times = directory / "coverage", directory / "times"
        self.seconds: dict[str, float] = {}
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
        for name in filter(lambda name: (PROJECT / name).is_file(), listed.split("\0")):
            (self.place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, self.place / name)
        subprocess.run(["git", "init", "-q"], cwd=self.place, check=True)  # some tests ask which files there are
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(directory),  # goes before the collection of .venv, which is the checkout itself
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "COVERAGE_CORE": "ctrace",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }

    def measure(self, tests: list[str]) -> coverage.CoverageData:
        """Run the tests once; which lines each executes. Also fills ``seconds``."""
        measuring = ["-m", "coverage", "run", f"--data-file={self._data}", f"--include={self.place}/{LIBRARY}/*"]
        command = [sys.executable, *measuring, "-m", "pytest", "-q", "-p", "tests.bench.mutants", *tests]
        environment = {**self._environment, TIMES: str(self._times)}
        subprocess.run(command, cwd=self.place, env=environment, check=True, stdout=subprocess.DEVNULL)
        for line in self._times.read_text().splitlines():
            seconds, _space, test = line.partition(" ")
            self.seconds[test] = self.seconds.get(test, 0) + float(seconds)
        data = coverage.CoverageData(str(self._data))
        data.read()
        return data

    def tests(self, mutant: Mutant, contexts: dict[int, list[str]]) -> set[str]:
        """The tests that execute the line of a mutant; all if that is done by an import, since anybody may use what it makes.

        Nothing is measured in processes that a test forks: for a line that nobody seems to execute, those of its file count.
        """
        executing = contexts.get(mutant.place[0]) or contexts.get(mutant.statement)
        found = set(executing or (test for tests in contexts.values() for test in tests if test))
        return set(self.seconds) if "" in found else found | set(COMPARING.get(mutant.file, ()))

    def sees(self, mutant: Mutant, tests: set[str]) -> bool:
        """Whether one of the tests fails, or does not end, with the mutant. The quick ones first."""
        if not tests:
            return False
        file = self.place / mutant.file
        original = file.read_text()
        file.write_text(mutant.apply(original)[0])
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *sorted(tests, key=self._order)]
        with subprocess.Popen(
            command,
            cwd=self.place,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),  # noqa: PLW1509
        ) as process:
            try:
                return process.wait(20 + 5 * sum(self.seconds.get(test, 0) for test in tests)) != 0
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return True
            finally:
                file.write_text(original)

    def _order(self, test: str) -> tuple[float, str]:
        return self.seconds.get(test, 0), test


def main(arguments: list[str]) -> None:
    """Draw mutants, run the tests, print what no test saw."""
    parser = argparse.ArgumentParser(prog="./dev bench mutants", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("--per-file", type=int, default=10, help="draw at most so many of each file")
    parser.add_argument("--only", nargs="+", default=[""], help="draw of files only whose path contains one of these")
    parser.add_argument("--tests", nargs="+", default=["tests/unit"], help="run these tests only")
    options = parser.parse_args(arguments)
    os.nice(10)
    draw = random.Random(options.seed)  # noqa: S311
    files = sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / LIBRARY).rglob("*.py"))
    drawn = []
    for file in (file for file in files if any(part in file for part in options.only)):
        every = mutants(file, (PROJECT / file).read_text())
        drawn += sorted(draw.sample(every, min(options.per_file, len(every))), key=lambda mutant: mutant.place)
    print(f"{len(drawn)} mutants, seed {options.seed}; nothing saw these:", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        checkout = Checkout(Path(directory).resolve())
        data = checkout.measure(options.tests)
        for mutant in drawn:
            tests = checkout.tests(mutant, data.contexts_by_lineno(str(checkout.place / mutant.file)))
            if not checkout.sees(mutant, tests):
                survivors += 1
                old = " ".join(mutant.apply((checkout.place / mutant.file).read_text())[1].split())
                print(f"{mutant.file}:{mutant.place[0]}: {old} -> {mutant.new} ({len(tests)} tests)", flush=True)
    print(f"{len(drawn) - survivors} of {len(drawn)} mutants were seen")
