"""The module's own part: what of its options says how to run, and what becomes of every way out."""

from __future__ import annotations

import json
import signal
import typing as t
from collections.abc import Callable, Sequence

import pytest
from ansible.module_utils import basic
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import lock
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result

from tests.unit.module_arguments import module_arguments
from tests.unit.test_run import provider

if t.TYPE_CHECKING:
    from tests.unit.fake_apache import FakeApache

Module = Callable[..., dict[str, t.Any]]


@pytest.fixture
def module(apache: FakeApache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Runs the module on the fake; what it tells Ansible."""
    from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig

    def on_the_fake(wanted: t.Any, way: run.Way, *_usual: t.Any) -> t.Any:
        ways.append(way)
        return real(wanted, way, apache.layout, apache.run, apache.means())

    def call(**options: t.Any) -> dict[str, t.Any]:
        with module_arguments(apache.options(**options)), pytest.raises(SystemExit) as end:
            mail_autoconfig.main()
        told: dict[str, t.Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert bool(told.get("failed")) is bool(end.value.code)
        return told

    real, ways = run.run, []
    # Ansible says the same warning once a process, whichever test was the first to cause it.
    monkeypatch.setattr(mail_autoconfig.AnsibleModule, "warn", lambda self, warning: warned.append(warning))
    warned: list[str] = []
    call.warned = warned  # type: ignore[attr-defined]
    call.ways = ways  # type: ignore[attr-defined]
    monkeypatch.setattr(run, "run", on_the_fake)
    # A run expects answers that the fake is told only by its own publish.
    monkeypatch.setattr(run.expectations, "of_hosts", lambda publications, pairs: ())
    return call


def test_a_run_tells_what_it_did_and_warns(module: Module, apache: FakeApache) -> None:
    told = module()
    assert told["changed"] is told["reloaded"] is True
    assert apache.enabled("sites") == ["autoconfig.server.tld.conf"]
    assert any("no certificate names" in warning for warning in module.warned)  # type: ignore[attr-defined]
    assert module()["changed"] is False


def test_no_option_reaches_the_log_of_the_system(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible says with each call whether the task hides what it logs."""
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, *_more, **_fields: logged.append(str(text)))
    key = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"
    own = {"certificate_content": "none", "certificate_key_content": key}
    assert module(providers=[provider("server.tld", **own)], _ansible_no_log=False)["failed"]
    assert logged == []


def test_the_result_of_a_run_does_not_repeat_what_is_long(module: Module) -> None:
    page = {"provider": "server.tld", "language": "en", "html": "<!DOCTYPE html><html></html>"}
    told = module(providers=[provider("server.tld")], setup_pages=[page])
    arguments = told["invocation"]["module_args"]
    assert arguments["https_port"] == 443
    assert not {"providers", "setup_pages"} & set(arguments)


@pytest.mark.parametrize("place", ["options", "provider"])
def test_a_key_beside_its_certificate_is_in_no_result(module: Module, place: str) -> None:
    content = "-----BEGIN PRIVATE KEY-----\nsecret-of-anna\n-----END PRIVATE KEY-----\n"
    given = {"certificate_content": content}
    options = (
        {"providers": [provider("server.tld")], **given}
        if place == "options"
        else {"providers": [provider("server.tld", **given)]}
    )
    told = module(**options)
    assert told["failed"]
    assert "secret-of-anna" not in repr(told)


def test_every_mistake_in_a_list_is_told_at_once_with_its_place(module: Module, apache: FakeApache) -> None:
    """Nothing is turned into what it is not, as Ansible would."""
    before = apache.footprint()
    wrong = {
        "domains": "other.tld",
        "display_name": 365,
        "incoming": [{"type": "imap", "hostname": "mail.other.tld", "username": ["x"], "hostnam": "y"}],
        "outgoing": {"type": "smtp"},
        "profile": {"removal_disallowed": "no"},
    }
    told = module(
        domain=None,
        providers=[provider("server.tld"), wrong, "x"],
        dns_mx=[{"host": "mx.server.tld", "preference": True}, "mx.server.tld"],
        dns_validation_persist="wildcard=yes",
        setup_pages=[{"provider": "server.tld", "language": False, "html": "<html/>"}],
    )
    assert told["failed"]
    assert apache.footprint() == before
    assert {problem.partition(": ")[0] for problem in told["problems"]} == {
        "providers[1].domains",
        "providers[1].display_name",
        "providers[1].incoming[0].username",
        "providers[1].incoming[0].hostnam",
        "providers[1].outgoing",
        "providers[1].profile.removal_disallowed",
        "providers[2]",
        "providers[2].domains",
        "providers[2].incoming",
        "providers[2].outgoing",
        "dns_mx[0].preference",
        "dns_mx[1]",
        "dns_mx[1].host",
        "dns_validation_persist",
        "setup_pages[0].language",
        "setup_pages[0].html",
    }


def test_what_is_no_string_is_told_outside_of_lists_too(module: Module) -> None:
    """Ansible would publish the authority True and the contact 7."""
    told = module(
        dns_caa=["letsencrypt.org", True], addresses=["192.0.2.7"], server_admin=7, acme_profile={"a": 1}, username=True
    )
    assert {problem.partition(" is not a string")[0] for problem in told["problems"]} == {
        "dns_caa[1]: True",
        "server_admin: 7",
        "acme_profile: {'a': 1}",
        "username: True",
    }
    told = module(addresses="192.0.2.1,192.0.2.2", listen="127.0.0.1", setup_pages=None)
    assert not told.get("failed"), told
    assert {record["rdata"] for record in told["dns_records"] if record["type"] == "A"} == {"192.0.2.1", "192.0.2.2"}


def test_what_is_no_list_at_all_is_told(module: Module) -> None:
    told = module(domain=None, providers={"domains": ["server.tld"]})
    assert "providers: {'domains': ['server.tld']} is not a list; put a single entry into [ ]" in told["problems"]


@pytest.mark.parametrize(
    "given",
    [
        {"certificate_contents": "secret-of-anna"},
        {"certificate_key_content": ["secret-of-anna"]},
        {"certificate_key_content": {"pem": "secret-of-anna"}},
        {"logo": "-----BEGIN PRIVATE KEY-----\nsecret-of-anna\n-----END PRIVATE KEY-----\n\x00"},
        {"domains": "-----BEGIN PRIVATE KEY-----\nsecret-of-anna\n-----END PRIVATE KEY-----\n"},
    ],
)
def test_a_secret_in_the_wrong_place_is_in_no_result(module: Module, given: dict[str, t.Any]) -> None:
    told = module(domain=None, providers=[{**provider("server.tld"), **given}])
    assert told["failed"]
    assert "secret-of-anna" not in repr(told)


def test_check_mode_writes_nothing(module: Module, apache: FakeApache) -> None:
    before = apache.footprint()
    assert module(_ansible_check_mode=True, _ansible_diff=True)["changed"] is True
    assert apache.footprint() == before


def test_the_options_that_say_how_to_run_reach_the_run(module: Module) -> None:
    module()
    module(
        state="absent",
        reload=False,
        rehearse=False,
        lock_timeout=7,
        return_lists=["urls"],
        apache_is_coming=True,
        _ansible_check_mode=True,
    )
    assert module.ways == [  # type: ignore[attr-defined]
        run.Way(),
        run.Way("absent", check=True, reload=False, rehearse=False, lock_seconds=7, apache_is_coming=True, lists=("urls",)),
    ]


def test_lists_are_returned_on_request(module: Module) -> None:
    lists = {"urls", "dns_records", "dns_record_sets"}
    assert lists <= set(module())
    assert lists & set(module(return_lists=[])) == set()
    assert lists & set(module(return_lists=["dns_records"])) == {"dns_records"}


def test_wrong_input_is_told_all_at_once(module: Module, apache: FakeApache) -> None:
    before = apache.footprint()
    told = module(https_port=0, http_port=0)
    assert told["msg"].startswith("The mail settings cannot be published, and nothing was changed:\n")
    assert len(told["problems"]) == 2
    assert apache.footprint() == before


def test_no_provider_at_all_is_no_way_to_take_everything_away(module: Module, apache: FakeApache) -> None:
    apache.publish()
    assert module(providers=[], purge=True)["problems"] == ["providers: is empty; to take everything away, say state: absent"]
    assert apache.enabled("sites") == ["autoconfig.server.tld.conf"]
    assert module(state="absent", purge=True)["changed"] is True
    assert apache.enabled("sites") == []


def test_a_change_that_fails_says_that_it_was_put_back(module: Module, apache: FakeApache) -> None:
    apache.before = lambda _number, command: Result(1, "", "AH00526: no") if apache.judges(command) else None
    told = module()
    assert told["msg"] == "Apache refuses the new configuration; everything was put back as it was.\nAH00526: no"
    assert (told["details"], told["rolled_back"]) == ("AH00526: no", True)


def test_a_host_that_another_run_works_on_is_told(module: Module, apache: FakeApache) -> None:
    with lock.held(apache.layout.config_directory, 0):
        assert module(lock_timeout=0)["msg"].startswith(f"another run works on {apache.layout.config_directory} (")


def test_a_run_that_is_told_to_stop_before_it_has_begun_says_so(module: Module, apache: FakeApache) -> None:
    def stop(_number: int, _command: Sequence[str]) -> Result | None:
        signal.raise_signal(signal.SIGTERM)
        return None

    apache.before = stop
    assert module()["msg"] == "the run was told to stop (SIGTERM); nothing was changed"


def test_what_cannot_be_read_is_named(module: Module, apache: FakeApache, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr(run, "prepare", fail)
    assert module()["msg"] == "/some/file cannot be read or written: Permission denied; nothing was changed"
