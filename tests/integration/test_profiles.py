"""Apple's profiles from a real Apache: personal, stable, signed, and never passed off as signed."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Playbook
from tools.certificates import Authority, give_to_web_server, verified
from tools.http_client import Client, Response
from tools.private_apache import PrivateApache

URL = "http://autoconfig.server.tld/mail.mobileconfig"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://autoconfig.server.tld/mail.mobileconfig")
PROVIDER: dict[str, Any] = {
    "id": "server.tld",
    "domains": ["server.tld", "bücher.example"],
    "display_name": "Server & Söhne <mail>",
    "incoming": [{"type": "imap", "hostname": "mail.server.tld", "username": "%EMAILLOCALPART%.%EMAILDOMAIN%"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.%EMAILDOMAIN%", "port": 587}],
    "caldav": {"url": "https://dav.server.tld/calendars/%EMAILADDRESS%/"},
    "carddav": {"url": "https://dav.server.tld:8443/"},
    "profile": {
        "description": 'For "%EMAILADDRESS%"',
        "consent": [{"text": "Agreed?"}, {"text": "Einverstanden?", "lang": "de"}],
    },
}


def publish(apache: PrivateApache, playbook: Playbook, **options: Any) -> dict[str, Any]:
    result = playbook.module({**apache.module_options(), "providers": [PROVIDER], **options})
    assert not result["failed"], result
    return result


def fetch(client: Client, address: str | None = None, parameter: str = "emailaddress") -> Response:
    return client.request(URL if address is None else f"{URL}?{parameter}={quote(address, safe='')}")


def profile(client: Client, address: str | None = None) -> dict[str, Any]:
    answer = fetch(client, address)
    assert answer.status == 200, answer
    content: dict[str, Any] = plistlib.loads(answer.body)
    return content


def identities(content: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["PayloadIdentifier"], each["PayloadUUID"]) for each in (content, *content["PayloadContent"])]


@pytest.fixture
def published(apache: PrivateApache, playbook: Playbook) -> PrivateApache:
    publish(apache, playbook)
    return apache


@pytest.fixture
def pair(apache: PrivateApache, authority: Authority) -> dict[str, str]:
    """The options for a pair that signs, which the web server's user may read."""
    directory = apache.directory / "signing"
    authority.issue_for_signing(directory)
    give_to_web_server(directory / "privkey.pem")
    paths = {"certificate": "cert.pem", "chain": "chain.pem", "key": "privkey.pem"}
    return {f"signing_{name}": str(directory / file) for name, file in paths.items()}


# -- personal and stable ------------------------------------------------------------------------------------------------


def test_a_personal_profile_is_complete(published: PrivateApache, client: Client) -> None:
    answer = fetch(client, "Jo.Doe@server.tld")
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="server.tld.mobileconfig"'
    content = plistlib.loads(answer.body)
    assert content["PayloadDisplayName"] == "Server & Söhne <mail>"
    assert content["PayloadDescription"] == 'For "Jo.Doe@server.tld"'
    assert content["ConsentText"] == {"default": "Agreed?", "de": "Einverstanden?"}
    mail, calendar, contacts = content["PayloadContent"]
    assert mail["EmailAddress"] == "Jo.Doe@server.tld"
    assert mail["IncomingMailServerUsername"] == "Jo.Doe.server.tld"
    assert (mail["OutgoingMailServerUsername"], mail["OutgoingMailServerHostName"]) == ("Jo.Doe@server.tld", "mail.server.tld")
    assert (mail["OutgoingMailServerPortNumber"], mail["OutgoingMailServerUseSSL"]) == (587, True)
    assert calendar["CalDAVPrincipalURL"] == "/calendars/Jo.Doe@server.tld/"
    assert (contacts["CardDAVHostName"], contacts["CardDAVPort"]) == ("dav.server.tld", 8443)
    assert not [key for each in content["PayloadContent"] for key in each if key.endswith("Password") and "Same" not in key]


def test_identities_follow_from_the_address(published: PrivateApache, client: Client) -> None:
    """By Python's own UUIDs (RFC 9562), which the script does not use."""
    found = identities(profile(client, "Jo.Doe@Server.TLD"))
    top = str(uuid.uuid5(uuid.uuid5(NAMESPACE, ""), "jo.doe@server.tld")).upper()
    assert found[0] == (f"tld.server.autoconfig.{top}", top)
    for (identifier, value), name in zip(found[1:], ("mail", "caldav", "carddav"), strict=True):
        assert identifier == f"tld.server.autoconfig.{top}.{name}"
        assert value == str(uuid.uuid5(uuid.uuid5(NAMESPACE, name), "jo.doe@server.tld")).upper()


def test_two_accounts_live_side_by_side_and_two_devices_agree(published: PrivateApache, client: Client) -> None:
    one, again, other = (profile(client, address) for address in ("a@server.tld", "A@SERVER.tld", "b@server.tld"))
    assert identities(one) == identities(again)
    everything = [*identities(one), *identities(other), *identities(profile(client))]
    assert len({identifier for identifier, _uuid in everything}) == len(everything)
    assert len({value for _identifier, value in everything}) == len(everything)
    assert fetch(client, "a@server.tld") == fetch(client, "a@server.tld", "EMAIL")


def test_changed_settings_reach_the_same_account(published: PrivateApache, client: Client, playbook: Playbook) -> None:
    before = profile(client, "a@server.tld")
    changed = {**PROVIDER, "incoming": [{"type": "imap", "hostname": "new.server.tld"}], "display_name": "New"}
    publish(published, playbook, providers=[changed])
    after = profile(client, "a@server.tld")
    assert identities(after) == identities(before)
    assert after["PayloadContent"][0]["IncomingMailServerHostName"] == "new.server.tld"
    assert after["PayloadContent"][1] == {**before["PayloadContent"][1], "PayloadDisplayName": "New: CalDAV"}


def test_without_an_address_the_device_asks(published: PrivateApache, client: Client) -> None:
    content = profile(client)
    for payload in content["PayloadContent"]:
        assert not [key for key in payload if key == "EmailAddress" or key.endswith("Username")]
    assert identities(content)[0] == ("tld.server.autoconfig", str(uuid.uuid5(NAMESPACE, "")).upper())
    assert "CalDAVPrincipalURL" not in content["PayloadContent"][1]
    assert fetch(client, "").body == fetch(client).body


@pytest.mark.parametrize(
    "address",
    ["o'neil&co+tag@server.tld", "a" * 64 + "@server.tld", "jörg@bücher.example", "%EMAILDOMAIN%@server.tld"],
)
def test_odd_addresses_come_back_whole(published: PrivateApache, client: Client, address: str) -> None:
    assert profile(client, address)["PayloadContent"][0]["EmailAddress"] == address


@pytest.mark.parametrize(
    "address",
    [
        '"><script>@server.tld',
        "@server.tld",
        "a" * 65 + "@server.tld",
        "a\x00b@server.tld",
        "a@server.tld\r\nX-Injected: 1",
        "user@foreign.tld",
        "%UUID-6ba7b810-9dad-11d1-80b4-00c04fd430c8%",
        "<b>@server.tld",
        "\ud7ff\x85@server.tld",
    ],
)
def test_hostile_addresses_are_refused_in_plain_words(published: PrivateApache, client: Client, address: str) -> None:
    answer = fetch(client, address)
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "content-disposition" not in answer.headers
    assert b"no mail address of a domain" in answer.body
    assert "x-injected" not in answer.headers


def test_statically_there_is_the_general_profile_alone(published: PrivateApache, client: Client, playbook: Playbook) -> None:
    general = fetch(client)
    publish(published, playbook, responder="none")
    static = fetch(client, "a@server.tld")
    assert static.body == general.body
    for header in ("content-type", "content-disposition"):
        assert static.headers[header] == general.headers[header]


def test_no_other_file_of_the_provider_can_be_fetched(published: PrivateApache, client: Client) -> None:
    profiles = list(published.document_root.rglob("*.mobileconfig"))
    assert len(profiles) == 2
    for file in profiles:
        for directory in (published.document_root, published.document_root / "server.tld"):
            assert client.request(f"http://autoconfig.server.tld/{file.relative_to(directory)}").status == 404


# -- signed -------------------------------------------------------------------------------------------------------------


def test_the_signature_holds_the_unsigned_profile_byte_for_byte(
    apache: PrivateApache,
    playbook: Playbook,
    client: Client,
    pair: dict[str, str],
    authority: Authority,
    tmp_path: Path,
) -> None:
    publish(apache, playbook)
    unsigned = [fetch(client, address).body for address in ("a@server.tld", None)]
    result = publish(apache, playbook, **pair)
    assert not [line for line in result.get("warnings", []) if "signed" in line]
    for address, plain in zip(("a@server.tld", None), unsigned, strict=True):
        answer = fetch(client, address)
        assert answer.headers["content-type"] == "application/x-apple-aspen-config"
        assert verified(answer.body, authority.certificate, tmp_path / "signer.pem") == plain
        assert (tmp_path / "signer.pem").read_text().strip() in Path(pair["signing_certificate"]).read_text()
    assert client.request(URL, "HEAD").status == 200
    assert fetch(client, "x@foreign.tld").status == 400
    again = playbook.module({**apache.module_options(), "providers": [PROVIDER], **pair})
    assert not again["changed"]


def test_filters_of_the_administrator_do_not_take_the_place_of_the_signature(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority, pair: dict[str, str]
) -> None:
    apache.command("a2enmod", "-q", "deflate", "filter")
    publish(apache, playbook, extra_directives='<Location "/">\nSetOutputFilter DEFLATE\n</Location>\n', **pair)
    assert plistlib.loads(verified(fetch(client, "jo@server.tld").body, authority.certificate))["PayloadVersion"] == 1


def test_each_provider_signs_with_the_pair_of_its_own_run(
    apache: PrivateApache, playbook: Playbook, client: Client, pair: dict[str, str], authority: Authority, tmp_path: Path
) -> None:
    other = apache.directory / "other"
    authority.issue_for_signing(other, "Another signer")
    give_to_web_server(other / "privkey.pem")
    publish(apache, playbook, **pair)
    files = {"certificate": "cert.pem", "chain": "chain.pem", "key": "privkey.pem"}
    theirs = {f"signing_{name}": str(other / file) for name, file in files.items()}
    publish(apache, playbook, providers=[{**PROVIDER, "id": "other.tld", "domains": ["other.tld"]}], **theirs)
    for domain, options in (("server.tld", pair), ("other.tld", theirs)):
        answer = client.request(f"http://autoconfig.{domain}/mail.mobileconfig?emailaddress=a@{domain}")
        content = plistlib.loads(verified(answer.body, authority.certificate, tmp_path / "signer.pem"))
        assert content["PayloadContent"][0]["EmailAddress"] == f"a@{domain}"
        assert (tmp_path / "signer.pem").read_text().strip() in Path(options["signing_certificate"]).read_text()
    publish(apache, playbook)
    assert fetch(client, "a@server.tld").body.startswith(b"<?xml")
    assert [path.name for path in (apache.config_directory / "conf-enabled").iterdir()] == ["autoconfig.other.tld-signing.conf"]


def test_without_a_pair_the_run_says_what_people_will_see(apache: PrivateApache, playbook: Playbook) -> None:
    result = publish(apache, playbook)
    assert [line for line in result["warnings"] if "not signed" in line and "iPhones" in line]


def test_what_cannot_be_signed_is_not_sent(
    apache: PrivateApache, playbook: Playbook, client: Client, pair: dict[str, str]
) -> None:
    """Every way in which openssl fails after the run that tried it."""
    publish(apache, playbook, **pair)
    key = Path(pair["signing_key"])
    content = key.read_bytes()
    for spoiled in (b"", b"no key", content[: len(content) // 2], None):
        key.unlink()
        if spoiled is not None:
            key.write_bytes(spoiled)
            give_to_web_server(key)
        for _round in range(2):
            answer = fetch(client, "secret@server.tld")
            assert (answer.status, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
            assert b"plist" not in answer.body
            assert "retry-after" in answer.headers
    log = (apache.log_directory / "autoconfig.server.tld-error.log").read_text()
    assert "a profile could not be signed" in log
    assert "secret" not in log
    key.write_bytes(content)
    give_to_web_server(key)
    time.sleep(1)  # a second's worth of attempts is used up
    assert fetch(client, "secret@server.tld").status == 200


def test_a_flood_of_downloads_is_bounded(
    apache: PrivateApache, playbook: Playbook, client: Client, pair: dict[str, str], authority: Authority
) -> None:
    """Never more than two signatures at once; who is not served is told so at once, and others are served meanwhile."""
    publish(apache, playbook, **pair)
    parent = (apache.directory / "run/apache2.pid").read_text().strip()
    most = 0
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(fetch, client, f"user{number}@server.tld") for number in range(192)]
        while not all(answer.done() for answer in answers):
            most = max(most, _signing_processes(parent))
            assert client.request("http://autoconfig.server.tld/mail/config-v1.1.xml").status == 200
            time.sleep(0.002)
    statuses = {answer.result().status for answer in answers}
    assert statuses == {200, 503}
    # Each that signs, and one before it that has let go of the lock and is still on its way out.
    assert most <= 4
    assert len([answer for answer in answers if answer.result().status == 200]) >= 8
    for answer in [each.result() for each in answers if each.result().status == 200][:5]:
        assert plistlib.loads(verified(answer.body, authority.certificate))


def _signing_processes(parent: str) -> int:
    """The processes below Apache that run openssl; those that have ended hold no lock."""
    children = subprocess.run(["pgrep", "-P", parent], capture_output=True, text=True, check=False).stdout.split()
    found = subprocess.run(
        ["pgrep", "-x", "openssl", "-r", "R,S,D", "-P", ",".join(children)], capture_output=True, text=True, check=False
    )
    return len(found.stdout.split())


# -- pairs that cannot sign ---------------------------------------------------------------------------------------------


def refused(apache: PrivateApache, playbook: Playbook, **options: Any) -> list[str]:
    """What is wrong with the options; fails the test if anything was written."""
    result = playbook.module({**apache.module_options(), "providers": [PROVIDER], **options})
    assert result["failed"]
    assert not list((apache.config_directory / "sites-enabled").iterdir())
    problems: list[str] = result["problems"]
    return problems


def test_every_unusable_pair_is_refused_before_anything_changes(
    apache: PrivateApache, playbook: Playbook, pair: dict[str, str], authority: Authority
) -> None:
    directory = Path(pair["signing_key"]).parent
    other = apache.directory / "other"
    authority.issue_for_signing(other, "Somebody else")
    give_to_web_server(other / "privkey.pem")
    mismatch = refused(apache, playbook, **{**pair, "signing_key": str(other / "privkey.pem")})
    assert mismatch == [
        f"signing_key: {other}/privkey.pem does not belong to the certificate of CN=Profile signing in {directory}/cert.pem"
    ]
    missing = refused(
        apache, playbook, **{**pair, "signing_key": f"{directory}/no.pem", "signing_chain": f"{directory}/no-chain.pem"}
    )
    assert missing == [
        f"signing_key: {directory}/no.pem does not exist on this host",
        f"signing_chain: {directory}/no-chain.pem does not exist on this host",
    ]
    assert refused(apache, playbook, signing_key=pair["signing_key"]) == ["signing_certificate: is required with its counterpart"]
    assert refused(apache, playbook, **pair, responder="none") == [
        "signing_certificate: needs the responder, which needs Apache's module lua (responder: lua)"
    ]
    key = Path(pair["signing_key"])
    key.chmod(0o644)
    assert refused(apache, playbook, **pair)[0].startswith(f"signing_key: everybody on this host may read {key} (mode 0644)")
    if os.geteuid() == 0:
        key.chmod(0o600)
        shutil.chown(key, "root", "root")
        assert refused(apache, playbook, **pair)[0].startswith(f"signing_key: www-data cannot sign with {key}: ")


def test_the_tls_key_signs_only_if_the_administrator_says_so(
    apache: PrivateApache, playbook: Playbook, certificate: dict[str, str]
) -> None:
    live = apache.directory / "live/server.tld"
    give_to_web_server(live / "privkey.pem")
    options = {**certificate, "signing_certificate": f"{live}/fullchain.pem", "signing_key": f"{live}/privkey.pem"}
    (problem,) = refused(apache, playbook, **options)
    assert problem.startswith(f"signing_key: {live}/privkey.pem is the TLS key of {live}/fullchain.pem")
    publish(apache, playbook, **options, signing_with_tls_key=True)


def test_a_certificate_near_its_end_is_a_warning(
    apache: PrivateApache, playbook: Playbook, pair: dict[str, str], authority: Authority
) -> None:
    directory = Path(pair["signing_key"]).parent
    authority.issue_for_signing(directory, days=10, begun=30)
    give_to_web_server(directory / "privkey.pem")
    result = publish(apache, playbook, **pair)
    assert [line for line in result["warnings"] if "the signing certificate of CN=Profile signing ends on 20" in line]
