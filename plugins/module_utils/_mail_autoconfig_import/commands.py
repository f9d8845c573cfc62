"""Asking the programs of the host: bounded in time and size, and only whole answers.

PRIVATE to the collection.
"""

from __future__ import annotations

import functools
import shlex
import typing as t

from .._mail_autoconfig.host import commands
from .._mail_autoconfig.host.commands import Result
from .model import CannotTellError

# The largest is doveconf -n, some 20 KiB; a list of a hundred thousand users is 3 MiB.
MOST_BYTES = 4 * 1024 * 1024
_MOST_SAID = 200

Runner = t.Callable[[t.Sequence[str]], Result]


def runner(timeout: float) -> Runner:
    """Runs a command for so many seconds at most."""
    return functools.partial(_run, timeout=timeout)


def _run(arguments: t.Sequence[str], timeout: float) -> Result:
    return commands.run(arguments, {}, timeout, MOST_BYTES)


def shown(arguments: t.Sequence[str]) -> str:
    """A command as one would type it."""
    return " ".join(map(shlex.quote, arguments))


def said(text: str) -> str:
    """What somebody else said, as one short line of printable characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _MOST_SAID]).split())[:_MOST_SAID]


def result_of(run: Runner, *arguments: str) -> Result:
    """How a command ended. Raises CannotTellError where it did not come to its end."""
    program = arguments[0]
    try:
        result = run(arguments)
    except FileNotFoundError:
        raise CannotTellError(f"there is no {program} here") from None
    except TimeoutError:
        raise CannotTellError(f"{program} did not end in time") from None
    except OSError as exc:
        raise CannotTellError(f"{program} cannot be run ({exc.strerror or type(exc).__name__})") from None
    if result.status < 0 or len(result.output) >= MOST_BYTES:
        raise CannotTellError(f"{program} was ended before it had said all")
    return result


def output_of(run: Runner, *arguments: str) -> str:
    """What a command printed. Raises CannotTellError where it failed or its last line is cut off."""
    result = result_of(run, *arguments)
    if result.status:
        raise CannotTellError(f"{arguments[0]} failed with status {result.status}")
    if result.output and not result.output.endswith("\n"):
        raise CannotTellError(f"what {arguments[0]} printed ends in the middle of a line")
    return result.output
