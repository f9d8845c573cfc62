"""Being told to stop."""

from __future__ import annotations

import os
import signal
import threading
import typing as t
from collections.abc import Callable, Sequence

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import interrupts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import server as servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.interrupts import Interrupted
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError

if t.TYPE_CHECKING:
    from tests.unit.fake_apache import FakeApache

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_becomes_an_exception_and_is_afterwards_what_it_was(number: signal.Signals) -> None:
    before = [signal.getsignal(item) for item in SIGNALS]
    with pytest.raises(Interrupted, match=f"the run was told to stop \\({number.name}\\)"), interrupts.raised():
        os.kill(os.getpid(), number)
    assert [signal.getsignal(item) for item in SIGNALS] == before
    assert not issubclass(Interrupted, Exception)


def test_putting_back_is_not_interrupted() -> None:
    done = []
    with interrupts.raised():
        with interrupts.held_back():
            for number in SIGNALS:
                os.kill(os.getpid(), number)
            done.append(True)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
    assert done == [True]


def test_a_signal_waits_for_what_must_not_be_cut_in_two() -> None:
    done = []

    def work() -> None:
        with interrupts.raised(), interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("to the end")

    with pytest.raises(Interrupted):
        work()
    assert done == ["to the end"]


def test_what_is_started_meanwhile_gets_signals_as_usual() -> None:
    with interrupts.held_back():
        child = os.fork()
        if child == 0:
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
            os._exit(1 if blocked & set(SIGNALS) else 0)
        assert os.waitpid(child, 0)[1] == 0


def test_in_another_thread_signals_are_left_alone() -> None:
    found = []

    def work() -> None:
        with interrupts.raised(), interrupts.held_back():
            found.append(signal.getsignal(signal.SIGTERM))
        found.append("to the end")

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before, "to the end"]


Phase = Callable[["FakeApache", Sequence[str]], bool]
PHASES: dict[str, Phase] = {
    "the configuration is tested": lambda apache, command: apache.judges(command),
    "Apache is reloaded": lambda apache, command: "graceful" in command,
}


@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES.keys())
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_stop_puts_everything_back(
    apache: FakeApache,
    phase: Phase,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "_PAUSE", 0.002)
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")
    before = apache.tree()
    told = []

    def tell(_count: int, command: Sequence[str]) -> Result | None:
        if phase(apache, command) and not told:
            told.append(command)
            os.kill(os.getpid(), number)
        return None

    apache.after = tell
    with pytest.raises(ApplyError, match=r"the run was told to stop \(SIG\w+\); everything was put back") as error:
        apache.publish()
    assert error.value.rolled_back is True
    assert apache.tree() == before
    assert apache.serves("autoconfig.server.tld") == "000-default.conf"
    apache.after = lambda number, command: None
    assert apache.publish().result["reloaded"] is True


def test_a_run_that_is_told_to_stop_again_while_it_puts_back_goes_on(apache: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    before = apache.tree()

    def tell(_count: int, command: Sequence[str]) -> Result | None:
        if apache.judges(command) or "graceful" in command:
            os.kill(os.getpid(), signal.SIGTERM)
        return None

    apache.before = tell
    real = os.unlink

    def unlink(path: str) -> None:
        if "autoconfig" in path:
            os.kill(os.getpid(), signal.SIGTERM)
        real(path)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(ApplyError, match="everything was put back"):
        apache.publish()
    assert apache.tree() == before


def test_before_anything_is_changed_a_run_just_stops(apache: FakeApache) -> None:
    before = apache.footprint()

    def tell(_count: int, command: Sequence[str]) -> Result | None:
        os.kill(os.getpid(), signal.SIGTERM)
        return None

    apache.before = tell
    with pytest.raises(Interrupted):
        apache.publish()
    assert apache.footprint() == before
