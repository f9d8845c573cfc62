"""Login names that do not follow from the address, in a real Apache."""

from __future__ import annotations

import plistlib
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests import fuzzing
from tests.conftest import Playbook
from tests.rules import logins
from tools.certificates import Authority
from tools.http_client import OUTLOOK_REQUEST, Client
from tools.private_apache import PrivateApache

from .conftest import client_of

CONFIG = "http://autoconfig.server.tld/mail/config-v1.1.xml"
OUTLOOK = "http://autodiscover.server.tld/autodiscover/autodiscover.xml"
PROVIDER = {
    "domains": ["server.tld", "other.tld"],
    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld", "username": "%EMAILLOCALPART%"}],
}
JANE = {"jane.doe@server.tld": "jdoe"}


class Host:
    """A private Apache that publishes logins."""

    def __init__(self, apache: PrivateApache, playbook: Playbook, client: Client) -> None:
        self.apache = apache
        self.client = client
        self._playbook = playbook

    def run(self, known: dict[str, str], *arguments: str, **options: Any) -> dict[str, Any]:
        given = {**self.apache.module_options(), "providers": [PROVIDER], "https": False, "logins": known, **options}
        return self._playbook.module(given, *arguments)

    @property
    def table(self) -> Path:
        return self.apache.state_directory / "logins/server.tld.txt"

    def outlook(self, address: str) -> set[str]:
        return logins(self.client.request(OUTLOOK, "POST", OUTLOOK_REQUEST.format(address=address).encode()))

    def thunderbird(self, query: str) -> list[str]:
        answer = self.client.request(CONFIG + query)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        return re.findall("<username>([^<]*)<", answer.body.decode())

    def apple(self, address: str) -> tuple[str, str]:
        answer = self.client.request(f"http://autoconfig.server.tld/mail.mobileconfig?email={address}")
        (mail,) = plistlib.loads(answer.body)["PayloadContent"]
        return mail["IncomingMailServerUsername"], mail["OutgoingMailServerUsername"]


@pytest.fixture
def host(apache: PrivateApache, playbook: Playbook, authority: Authority) -> Host:
    return Host(apache, playbook, client_of(apache, authority))


def test_each_client_gets_the_login_of_an_address(host: Host) -> None:
    found = host.run({**JANE, "info@other.tld": "o'neil & co"})
    assert not found["failed"], found
    assert (
        "server.tld: logins: K-9, KMail and Geary ask without the address, and get the user name that follows from it"
        in found["warnings"]
    )
    assert host.outlook("Jane.Doe@Server.tld") == {"jdoe"}
    assert host.thunderbird("?emailaddress=jane.doe@server.tld") == ["jdoe", "jdoe"]
    assert host.thunderbird("?emailaddress=info%40other.tld") == ["o&apos;neil &amp; co"] * 2
    assert host.apple("jane.doe@server.tld") == ("jdoe", "jdoe")


def test_all_others_get_what_follows_from_the_address(host: Host) -> None:
    host.run(JANE)
    assert host.outlook("jane.doe@other.tld") == {"jane.doe@other.tld", "jane.doe"}
    assert host.thunderbird("?emailaddress=jo@server.tld") == ["jo@server.tld", "jo"]
    assert host.apple("jo@server.tld") == ("jo@server.tld", "jo")
    for query in ("", "?emailaddress=jo@foreign.tld", "?emailaddress="):
        assert host.thunderbird(query) == ["%EMAILADDRESS%", "%EMAILLOCALPART%"]


def test_known_and_unknown_addresses_get_answers_of_one_shape(host: Host) -> None:
    host.run(JANE)
    shapes = []
    for user in ("jane.doe", "jane.dos"):
        for method in ("GET", "HEAD"):
            answer = host.client.request(f"{CONFIG}?emailaddress={user}@server.tld", method)
            changing = {"date", "content-length"}
            shapes.append(
                (answer.status, {name: value for name, value in answer.headers.items() if name.lower() not in changing})
            )
    assert shapes[:2] == shapes[2:]


def test_a_change_of_logins_takes_no_reload(host: Host) -> None:
    assert host.run(JANE)["reloaded"]
    assert not host.run(JANE)["changed"]
    found = host.run({"jane.doe@server.tld": "jane", "jo@server.tld": "jo42"})
    assert (found["changed"], found["reloaded"]) == (True, False)
    assert (host.outlook("jane.doe@server.tld"), host.outlook("jo@server.tld")) == ({"jane"}, {"jo42"})


def test_the_last_login_goes_with_its_table(host: Host) -> None:
    host.run(JANE)
    assert host.run({})["reloaded"]
    assert not host.table.exists()
    assert host.outlook("jane.doe@server.tld") == {"jane.doe@server.tld", "jane.doe"}
    assert host.thunderbird("?emailaddress=jane.doe@server.tld") == ["%EMAILADDRESS%", "%EMAILLOCALPART%"]
    host.run(JANE)
    host.run({}, state="absent")
    assert not host.table.parent.exists()


def test_nobody_but_the_web_server_reads_the_table_and_it_is_shown_nowhere(host: Host) -> None:
    found = host.run(JANE, "--diff")
    state = host.table.stat()
    assert stat.S_IMODE(state.st_mode) == 0o640
    assert state.st_uid == 0
    assert host.table.group() == "www-data"
    text = host.table.read_text()
    assert "jdoe" not in text
    assert "jane" not in text
    assert text.splitlines()[1] not in repr(found)
    assert "jdoe" not in repr(found)


def test_a_table_that_was_changed_is_put_back(host: Host) -> None:
    host.run(JANE)
    before = host.table.read_bytes()
    host.table.write_text("nonsense\n")
    assert host.outlook("jane.doe@server.tld") == {"jane.doe@server.tld", "jane.doe"}
    assert host.run(JANE)["changed"]
    assert host.table.read_bytes() == before
    assert host.outlook("jane.doe@server.tld") == {"jdoe"}


def test_a_table_that_the_web_server_cannot_read_fails_the_run(host: Host, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = host.run(JANE, state_directory=str(closed / "state"))
    assert found["failed"]
    assert "POST http://autoconfig.server.tld" in found["details"]
    assert list((host.apache.config_directory / "sites-enabled").iterdir()) == []


def test_the_page_shows_the_login_of_an_address_and_none_before(host: Host) -> None:
    page = fuzzing.PAGE.replace("%EMAILADDRESS%", "%EMAILLOGINADDRESS%")
    host.run(JANE, setup_pages=[{"provider": "server.tld", "language": "en", "html": page}])
    url = "http://autoconfig.server.tld/"
    assert b"jdoe" in host.client.request(url, "POST", b"emailaddress=jane.doe@server.tld").body
    for body in (b"", b"emailaddress=jo@foreign.tld"):
        answer = host.client.request(url, "POST", body).body
        assert b"jdoe" not in answer
        assert b"EMAILLOGIN" not in answer


def test_without_the_responder_logins_are_refused(host: Host) -> None:
    found = host.run(JANE, responder="none")
    assert found["problems"] == ["logins: needs the responder, which needs Apache's module lua (responder: lua)"]
