"""A dress rehearsal, and that it never stands in the way."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import server as servers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import sockets
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.sockets import Listener
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.twin import Outcome
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Answer

from tests.unit.fake_apache import RefusedError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.unit.fake_apache import FakeApache


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_PAUSE", 0.002)
    monkeypatch.setenv("APACHE_STARTED_BY_SYSTEMD", "")


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to listen on the machine of the tests is no matter; a twin has a network of its own."""
    monkeypatch.setattr(sockets, "listeners", list)


@pytest.fixture
def twin(apache: FakeApache) -> FakeApache:
    """An Apache whose host can have a twin: what is done there is forgotten."""
    apache.add_site("000-default", "<VirtualHost *:80>\n</VirtualHost>\n")

    def run(work: Callable[[], object], **options: t.Any) -> Outcome:
        apache.twin_options = options  # type: ignore[attr-defined]
        with apache.copied_aside():
            apache.stop()
            return Outcome(True, value=work())

    apache.twin = run
    return apache


@pytest.mark.parametrize("mode", ["check", "publish"])
def test_a_change_is_made_in_a_twin_first(twin: FakeApache, mode: str) -> None:
    before = twin.tree()
    result = getattr(twin, mode)().result
    assert (result["rehearsed"], result["rehearsal"]) == (True, "")
    assert twin.commands.count(["apache2ctl", "start"]) == 1
    assert twin.commands.count(["apache2ctl", "graceful"]) == (1 if mode == "check" else 2)
    assert (twin.tree() == before) is (mode == "check")


def refuses(twin: FakeApache) -> None:
    def answer(_number: int, command: Sequence[str]) -> Result | None:
        return Result(1, "", "AH00526: no") if twin.judges(command) else None

    twin.before = answer


def dies(twin: FakeApache) -> None:
    def reloading() -> None:
        raise RefusedError("AH02565: do not match")

    twin.reloading = reloading


def answers_wrongly(twin: FakeApache) -> None:
    twin.answering = lambda question: Answer(403) if question.host == "autoconfig.server.tld" else None


@pytest.mark.parametrize(
    ("trouble", "message", "details"),
    [
        (refuses, "Apache refuses the new configuration", "AH00526: no"),
        (dies, "Apache ended at the reload", "AH02565: do not match"),
        (answers_wrongly, "Apache does not answer as it should", "403, expected 200"),
    ],
)
@pytest.mark.parametrize("mode", ["check", "publish"])
def test_what_fails_in_the_twin_never_reaches_the_host(
    twin: FakeApache, trouble: Callable[[FakeApache], None], message: str, details: str, mode: str
) -> None:
    trouble(twin)
    before, workers = twin.tree(), twin.workers
    with pytest.raises(ApplyError, match=f"{message} .in a rehearsal: nothing was changed") as error:
        getattr(twin, mode)()
    assert details in error.value.details
    assert error.value.rolled_back is None
    assert twin.tree() == before
    assert twin.workers == workers


def test_where_even_the_unchanged_configuration_does_not_start_nothing_is_proven(twin: FakeApache) -> None:
    def answer(_number: int, command: Sequence[str]) -> Result | None:
        return Result(1, "", "no such device") if command == ["apache2ctl", "start"] else None

    twin.before = answer
    result = twin.publish().result
    assert result["rehearsed"] is False
    assert result["rehearsal"].startswith("even as it is, Apache does not start in a twin of this host: apache2ctl start failed")
    assert result["reloaded"] is True


WITHOUT_OURS = ["apache2ctl", "-D", "MAIL_AUTOCONFIG_OFF", "-k", "start"]


def cannot_start(twin: FakeApache, *commands: list[str]) -> None:
    """A certificate that Apache cannot use; without our sites it starts, unless that is among the commands."""

    def answer(_number: int, command: Sequence[str]) -> Result | None:
        if command in commands:
            return Result(1, "", "[ssl:emerg] AH02565: do not match")
        if command == WITHOUT_OURS:
            twin.begin()
            return Result(0, "", "")
        return None

    twin.before = answer


def test_a_certificate_of_others_that_would_end_apache_stops_the_run(twin: FakeApache) -> None:
    cannot_start(twin, ["apache2ctl", "start"], WITHOUT_OURS)
    before = twin.tree()
    with pytest.raises(ApplyError, match="Apache would end at a reload: its configuration is broken already") as error:
        twin.publish()
    assert "AH02565: do not match" in error.value.details
    assert twin.tree() == before


def test_a_certificate_of_ours_that_would_end_apache_does_not_stop_the_run_that_replaces_it(twin: FakeApache) -> None:
    cannot_start(twin, ["apache2ctl", "start"])
    result = twin.publish().result
    assert (result["rehearsed"], result["reloaded"]) == (False, True)
    assert WITHOUT_OURS in twin.commands


def test_without_a_twin_the_change_is_made_and_it_is_said_why(apache: FakeApache) -> None:
    apache.twin = lambda work, **options: Outcome(False, "Operation not permitted")
    result = apache.publish().result
    assert (result["rehearsed"], result["rehearsal"], result["reloaded"]) == (False, "Operation not permitted", True)


def test_a_port_that_another_program_has_on_the_host_is_refused(twin: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network of the twin is its own, so that Apache can listen there."""
    before = twin.tree()
    monkeypatch.setattr(sockets, "listeners", lambda: [Listener("0.0.0.0", 443, "1"), Listener("::", 80, "2")])  # noqa: S104
    monkeypatch.setattr(sockets, "holder", lambda port: {443: (7, "nginx"), 80: (8, "apache2")}[port])
    with pytest.raises(ApplyError, match="Apache would listen where another program does") as error:
        twin.publish()
    assert error.value.details == "port 443: nginx (process 7)"
    assert twin.tree() == before


def never(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
    pytest.fail("rehearsed all the same")


def test_a_rehearsal_can_be_left_out(apache: FakeApache) -> None:
    apache.twin = never
    assert apache.publish({"rehearse": False}).result["rehearsal"] == "rehearse is false"


def test_what_apache_does_not_read_at_its_start_is_not_rehearsed(apache: FakeApache) -> None:
    apache.publish()
    apache.twin = never
    (apache.document_root / "server.tld/mail/config-v1.1.xml").write_text("edited")
    ran = apache.publish()
    assert ran.changed
    assert ran.result["rehearsal"] == "nothing is to be reloaded"
    assert apache.publish().result["rehearsal"] == "nothing is to be reloaded"


def test_the_twin_is_told_what_is_large_and_what_is_written(twin: FakeApache) -> None:
    log = twin.root / "elsewhere.log"
    log.touch()
    inside = twin.error_log.parent / "x.log"
    inside.touch()
    twin.add_site(
        "logging", f'<VirtualHost *:80>\nServerName x.tld\nErrorLog {log}\nCustomLog "{inside}" combined\n</VirtualHost>\n'
    )
    twin.check()
    options = twin.twin_options  # type: ignore[attr-defined]
    assert options["empty_directories"] == [str(twin.error_log.parent)]
    assert options["empty_files"] == [str(log)]
    assert options["remove"] == [str(twin.pid_file)]
    for path in (
        twin.state,
        twin.layout.config_directory,
        twin.layout.available("sites"),
        f"{twin.document_root}/server.tld/mail",
    ):
        assert str(path) in options["writable"]
