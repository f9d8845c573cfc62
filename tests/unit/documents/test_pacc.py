"""PACC's document: what a provider offers in the draft's few words, and what is left out and said."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import Document, pacc
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions

IMAP: dict[str, t.Any] = {"type": "imap", "hostname": "mail.server.tld"}
POP3: dict[str, t.Any] = {"type": "pop3", "hostname": "pop.server.tld"}
SMTP: dict[str, t.Any] = {"type": "smtp", "hostname": "smtp.server.tld"}
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def render(**options: t.Any) -> Document:
    provider = Provider.from_dict({"domains": ["server.tld"], "incoming": [IMAP], "outgoing": [SMTP], **options})
    document = pacc.render(provider)
    assert document is not None
    return document


def content(document: Document) -> dict[str, t.Any]:
    value: dict[str, t.Any] = json.loads(document.content)
    return value


def protocols(**options: t.Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = content(render(**options))["protocols"]
    return found


def test_the_whole_document() -> None:
    document = render(
        display_name="Server Söhne",
        short_name="Server",
        incoming=[IMAP, POP3],
        documentation=[{"url": "https://help.server.tld/"}],
        jmap={"url": "https://jmap.server.tld/"},
        caldav={"url": "https://dav.server.tld/cal/"},
        carddav={"url": "https://dav.server.tld/card/"},
    )
    assert (document.path, document.media_type, document.warnings) == (
        "pacc/user-agent-configuration.json",
        "application/json",
        (),
    )
    assert content(document) == {
        "authentication": {"password": True},
        "info": {
            "help": {"documentation": "https://help.server.tld/"},
            "provider": {"name": "Server Söhne", "shortName": "Server"},
        },
        "protocols": {
            "caldav": {"url": "https://dav.server.tld/cal/"},
            "carddav": {"url": "https://dav.server.tld/card/"},
            "imap": {"host": "mail.server.tld"},
            "jmap": {"url": "https://jmap.server.tld/"},
            "pop3": {"host": "pop.server.tld"},
            "submit": {"host": "smtp.server.tld"},
        },
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"port": 143}, "which knows TLS on port 993 only"),
        ({"port": 9993}, "which knows TLS on port 993 only"),
        ({"socket_type": "plain"}, "which knows TLS on port 993 only"),
        ({"username": "%EMAILLOCALPART%"}, "whose clients log in with the whole address"),
        ({"authentication": ["OAuth2"]}, "which can only say that a password is accepted"),
    ],
)
def test_a_server_that_the_draft_cannot_name_is_left_out(change: dict[str, t.Any], why: str) -> None:
    document = render(incoming=[{**IMAP, **change}])
    assert content(document)["protocols"] == {"submit": {"host": "smtp.server.tld"}}
    assert document.warnings == (f"imap mail.server.tld: is left out of the PACC document, {why}",)


def test_the_first_server_that_can_be_named_is() -> None:
    assert protocols(outgoing=[{**SMTP, "port": 587}, SMTP, {**SMTP, "hostname": "other.tld"}])["submit"] == {
        "host": "smtp.server.tld"
    }


def test_a_host_of_the_domain_is_named_if_there_is_one_domain() -> None:
    imap = {**IMAP, "hostname": "mail.%EMAILDOMAIN%"}
    assert protocols(incoming=[imap])["imap"] == {"host": "mail.server.tld"}
    assert "imap" not in protocols(incoming=[imap], domains=["a.tld", "b.tld"])


@pytest.mark.parametrize(
    "url", ["http://dav.tld/x", "https://dav.tld:8443/x", "https://dav.tld/%EMAILADDRESS%/", "https://dav.tld/"]
)
def test_an_address_that_the_draft_does_not_know_is_left_out(url: str) -> None:
    document = render(caldav={"url": url})
    assert "caldav" not in content(document)["protocols"]
    assert document.warnings[0].startswith("caldav: is left out of the PACC document, ")


@pytest.mark.parametrize("key", ["jmap", "caldav", "carddav"])
def test_a_service_with_another_user_name_is_left_out(key: str) -> None:
    service = {"url": "https://dav.tld/x/"}
    assert protocols(**{key: {**service, "username": "%EMAILADDRESS%"}})[key] == service
    document = render(**{key: {**service, "username": "%EMAILLOCALPART%"}})
    assert key not in content(document)["protocols"]
    assert document.warnings == (f"{key}: is left out of the PACC document, whose clients log in with the whole address",)


def test_jmap_may_be_an_incoming_server_and_needs_no_path() -> None:
    assert protocols(incoming=[IMAP, {"type": "jmap", "url": "https://jmap.tld"}])["jmap"] == {"url": "https://jmap.tld"}


def test_where_nothing_can_be_named_there_is_no_document() -> None:
    servers = {"incoming": [{**IMAP, "port": 143}], "outgoing": [{**SMTP, "port": 587}]}
    assert pacc.render(Provider.from_dict({"domains": ["server.tld"], **servers})) is None


@given(data=st.data())
def test_every_document_keeps_the_drafts_limits(provider_options: ProviderOptions, data: st.DataObject) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    document = pacc.render(provider)
    if document is None:
        return
    assert pacc.render(provider) == document
    said = content(document)
    assert said["protocols"]
    assert len(said["info"]["provider"]["name"]) <= 60
    assert len(said["info"]["provider"]["shortName"]) <= 20
    for key, value in said["protocols"].items():
        if key in ("imap", "pop3", "submit"):
            assert HOST.fullmatch(value["host"]), value
        else:
            assert value["url"].startswith("https://")
    assert "%EMAIL" not in json.dumps(said["protocols"])
