"""PACC as a client does it: the document from a real Apache, held against the digests among the records."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.conftest import Playbook
from tools.http_client import Client, Response
from tools.private_apache import PrivateApache

HOST = "ua-auto-config.server.tld"
URL = f"https://{HOST}/.well-known/user-agent-configuration.json"


def publish(apache: PrivateApache, playbook: Playbook, **options: Any) -> dict[str, Any]:
    result = playbook.module({**apache.module_options(), "pacc": True, **options})
    assert not result["failed"], result
    return result


def digests(result: dict[str, Any]) -> list[str]:
    """What a client reads of the TXT records."""
    texts = [record["fields"]["text"] for record in result["dns_records"] if record["owner"] == f"_{HOST}."]
    tags = [dict(part.strip().split("=", 1) for part in text.split(";")) for text in texts]
    assert all((tag["v"], tag["a"]) == ("UAAC1", "sha256") for tag in tags)
    return [tag["d"] for tag in tags]


def digest(answer: Response) -> str:
    return base64.b64encode(hashlib.sha256(answer.body).digest()).decode()


@pytest.fixture
def certificate(apache: PrivateApache, authority: Any) -> dict[str, str]:
    names = ["autoconfig.server.tld", "autodiscover.server.tld", HOST]
    authority.issue(apache.directory / "live/server.tld", names)
    pattern = f"{apache.directory}/live/{{domain}}"
    return {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}


def test_the_digest_is_that_of_the_octets_that_apache_sends(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    # As many servers have it: everything of this type is packed, for whoever can unpack it.
    apache.command("a2enmod", "-q", "deflate", "filter")
    (apache.config_directory / "conf-available/pack.conf").write_text("AddOutputFilterByType DEFLATE application/json text/xml\n")
    apache.command("a2enconf", "-q", "pack")
    result = publish(apache, playbook, domain="server.tld", **certificate)
    for headers in ({}, {"Accept-Encoding": "gzip, br"}):
        answer = client.request(URL, headers=headers)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert "content-encoding" not in answer.headers
        assert digests(result) == [digest(answer)]
    assert json.loads(answer.body)["protocols"] == {"imap": {"host": "mail.server.tld"}, "submit": {"host": "mail.server.tld"}}
    packed = client.request("https://autoconfig.server.tld/mail/config-v1.1.xml", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"


def test_http_leads_to_https_and_other_paths_are_404(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    publish(apache, playbook, domain="server.tld", **certificate)
    answer = client.request(URL.replace("https:", "http:"))
    port = f":{apache.https_port}"
    assert (answer.status, answer.headers["location"]) == (302, URL.replace(HOST, HOST + port))
    assert {client.request(url).status for url in (f"https://{HOST}/", f"https://{HOST}/.well-known/", f"{URL}x")} == {404}


def test_during_a_change_the_old_document_and_the_new_one_have_a_digest(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str]
) -> None:
    publish(apache, playbook, domain="server.tld", **certificate)
    old = digest(client.request(URL))
    changed = publish(apache, playbook, domain="server.tld", mail_host="imap.server.tld", **certificate)
    new = digest(client.request(URL))
    assert sorted(digests(changed)) == sorted([old, new])
    after = playbook.module(
        {**apache.module_options(), "pacc": True, "domain": "server.tld", "mail_host": "imap.server.tld", **certificate}
    )
    assert (digests(after), after["changed"]) == ([new], False)
