"""Running commands: bounded in time, in English, and never left behind.

PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import typing as t

from . import interrupts

TIMEOUT = 60.0
_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class Result(t.NamedTuple):
    """What a command left: exit status and its output as text."""

    status: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """Everything that it said, errors first."""
        return "\n".join(text for text in (self.errors.strip(), self.output.strip()) if text)


# Runs a command (without a shell) in an environment with these additions. Raises OSError, TimeoutError among them.
Runner = t.Callable[[t.Sequence[str], t.Mapping[str, str]], Result]


def run(
    arguments: t.Sequence[str], environment: t.Mapping[str, str], timeout: float = TIMEOUT, most: int | None = None
) -> Result:
    """Run a command to its end. Raises OSError where it cannot be run, TimeoutError after ``timeout`` seconds.

    :arg most: bytes that it may write to any file, its outputs among them; beyond, the system ends it (SIGXFSZ)

    Its output goes to files rather than pipes, which a daemon that it starts would hold open. Whatever ends the waiting (also a
    signal to this process) ends the command and all that it started.
    """
    variables = {**os.environ, "LC_ALL": "C", **environment}
    variables["PATH"] = _search_path(variables)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal while it is being started would leave it behind, because nobody knew its number yet.
            with interrupts.deferred():
                process = subprocess.Popen(  # noqa: S603 (the arguments are our own; no shell)
                    list(arguments),
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    start_new_session=True,
                    cwd="/",
                    # Before the program begins: in the moment after it, yes(1) writes megabytes.
                    preexec_fn=None if most is None else functools.partial(_bound, most),  # noqa: PLW1509 (it makes one system call)
                )
            status = _status(process, timeout)
        except BaseException as exc:
            if process is not None:
                _end(process)
            if isinstance(exc, subprocess.TimeoutExpired):
                raise TimeoutError(f"{' '.join(arguments[:3])} did not end within {timeout:.0f} s") from None
            raise
        return Result(status, _text(output), _text(errors))


def is_there(program: str) -> bool:
    """Whether a program can be run by its name alone."""
    return shutil.which(program, path=_search_path(os.environ)) is not None


def _search_path(variables: t.Mapping[str, str]) -> str:
    return os.pathsep.join([variables.get("PATH", os.defpath), *_DIRECTORIES])


def _status(process: subprocess.Popen[bytes], timeout: float) -> int:
    """The exit status of a process when it ends. Raises TimeoutExpired.

    With a time limit, subprocess looks whether it has ended, up to 50 ms apart; a thousand certificates are a thousand commands.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # a system that has no such handles, or does not let us have one
        return process.wait(timeout)
    try:
        ends = select.poll()
        ends.register(handle, select.POLLIN)
        if not ends.poll(timeout * 1000):
            raise subprocess.TimeoutExpired(process.args, timeout)
    finally:
        os.close(handle)
    return process.wait()


def _bound(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _end(process: subprocess.Popen[bytes]) -> None:
    # A signal to this process may come when the other one has ended already, and all that it had started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(stream: t.IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
