"""What our hosts must answer after a change: the bytes that were published, asked as clients ask."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import expectations, publication
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Manifest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Expectation

from tests.unit.test_publication import EVERY_NAME, LABELS, facts, foreign, ground, live, provider, publish, signer, survey

CONFIG, DISCOVER = "/mail/config-v1.1.xml", "/autodiscover/autodiscover.xml"
PAGE = {"provider": "server.tld", "language": "en", "html": "<!DOCTYPE html><html><body>%EMAILADDRESS%</body></html>"}


def of(found: publication.Publications, **certificates: t.Any) -> list[Expectation]:
    pairs = {live(name.replace("_", ".")): item for name, item in certificates.items()}
    return list(expectations.of_hosts(found, pairs or {live("server.tld"): EVERY_NAME["server.tld"]}))


def words(found: t.Iterable[Expectation]) -> list[str]:
    """Each as the question and the status that must come."""
    return [f"{item.question} {item.status}" for item in found]


def document(found: publication.Publications, path: str) -> bytes:
    (content,) = [item.content for item in found.items[0].documents if item.path == path]
    return content


def test_every_answer_of_a_host_is_asked_for() -> None:
    found = of(publish(survey(EVERY_NAME)))
    for host in ("autoconfig.server.tld", "autodiscover.server.tld"):
        assert [line for line in words(found) if f"//{host}/" in line] == [
            f"GET https://{host}{CONFIG} 200",
            f"POST https://{host}{DISCOVER} 200",
            f"GET https://{host}/mail.mobileconfig 200",
            f"GET https://{host}/mail_autoconfig-unknown 404",
            f"GET http://{host}{CONFIG} 302",
        ]


def test_only_outlook_sends_something_with_its_request() -> None:
    page = [item.question for item in of(publish(survey(EVERY_NAME), setup_pages=[PAGE])) if item.question.path == "/"]
    questions = [item.question for item in of(publish(survey(EVERY_NAME)))] + page
    assert page
    assert {(question.method, bool(question.body)) for question in questions if question.path != DISCOVER} == {("GET", False)}
    assert {(question.method, bool(question.body)) for question in questions if question.path == DISCOVER} == {("POST", True)}


@pytest.mark.parametrize(
    ("username", "login"),
    [("%EMAILLOCALPART%", b"mail_autoconfig"), ("%EMAILLOCALPART%.%EMAILDOMAIN%", b"mail_autoconfig.server.tld")],
)
def test_every_placeholder_is_filled_in(username: str, login: bytes) -> None:
    published = publish(
        None, {**provider("server.tld"), "incoming": [{"type": "imap", "hostname": "x.tld", "username": username}]}
    )
    (item, *_others) = [item for item in of(published) if item.question.path == DISCOVER]
    assert item.body is not None
    assert b"<LoginName>" + login + b"</LoginName>" in item.body


def test_an_address_with_a_login_of_its_own_is_asked_for_besides_one_without() -> None:
    known = {"jo@server.tld": "o'neil & co", "zoe@server.tld": "z", "a@other.tld": "b"}
    found = of(publish(None, provider("server.tld", "other.tld"), logins=known))
    asked = [item for item in found if (item.question.host, item.question.path) == ("autoconfig.server.tld", DISCOVER)]
    assert [b"<LoginName>o&apos;neil &amp; co</LoginName>" in (item.body or b"") for item in asked] == [False, True]
    assert [b"jo@server.tld" in item.question.body for item in asked] == [False, True]


def test_the_very_bytes_must_come_with_the_certificate_of_the_host() -> None:
    published = publish(survey(EVERY_NAME))
    found = {item.question.path: item for item in of(published) if item.question.scheme == "https"}
    assert found[CONFIG].body == document(published, "mail/config-v1.1.xml")
    assert found["/mail.mobileconfig"].body == document(published, "mail/mail.mobileconfig")
    assert {item.certificate for item in found.values()} == {"aa"}


def test_outlooks_answer_is_filled_in_for_the_address_that_asks() -> None:
    published = publish()
    (item, *_others) = [item for item in of(published) if item.question.path == DISCOVER]
    assert b"<EMailAddress>mail_autoconfig@server.tld</EMailAddress>" in item.question.body
    assert item.body is not None
    assert b"<LoginName>mail_autoconfig@server.tld</LoginName>" in item.body
    assert b"%EMAIL" not in item.body


def test_without_the_responder_the_file_is_asked_for_as_it_lies_there() -> None:
    published = publish(None, responder="none")
    (item, *_others) = [item for item in of(published) if item.question.path == DISCOVER]
    assert (item.question.method, item.question.body) == ("GET", b"")
    assert item.body == document(published, "autodiscover/autodiscover.xml")


def test_without_certificate_there_is_no_tls_and_no_redirect() -> None:
    found = of(publish())
    assert {item.question.scheme for item in found} == {"http"}
    assert {item.status for item in found} == {200, 404}
    assert {item.certificate for item in found} == {""}


def test_http_leads_to_the_same_domains_host_over_tls() -> None:
    names = {
        "server.tld": facts(*(f"{label}.{name}" for label in ("autoconfig", "autodiscover") for name in ("server.tld", "b.tld")))
    }
    found = of(publish(survey(names), provider("server.tld", "b.tld"), https_port=8443))
    locations = {item.question.host: item.location for item in found if item.status == 302}
    assert locations == {
        "autoconfig.server.tld": f"https://autoconfig.server.tld:8443{CONFIG}",
        "autodiscover.b.tld": f"https://autoconfig.b.tld:8443{CONFIG}",
    }


def test_a_host_that_has_a_certificate_alone_leads_to_itself() -> None:
    names = {"server.tld": facts("autodiscover.server.tld")}
    (item,) = [item for item in of(publish(survey(names))) if item.status == 302]
    assert (item.question.host, item.location) == ("autodiscover.server.tld", f"https://autodiscover.server.tld{CONFIG}")


def test_a_signed_profile_begins_as_a_signature_does() -> None:
    signing = {"signing_certificate": "/s/c.pem", "signing_key": "/s/k.pem"}
    (item, *_others) = [
        item for item in of(publish(survey(signing=signer()), **signing)) if item.question.path == "/mail.mobileconfig"
    ]
    assert (item.body, item.beginning) == (None, b"\x30")


def test_pacc_and_the_page_are_asked_for_where_they_are() -> None:
    labels = ("autoconfig", "autodiscover", "ua-auto-config")
    published = publish(
        survey({"server.tld": facts(*(f"{label}.server.tld" for label in labels))}), pacc=True, setup_pages=[PAGE]
    )
    found = {item.question.path: item for item in of(published) if item.question.host == "ua-auto-config.server.tld"}
    assert found["/.well-known/user-agent-configuration.json"].body == document(published, "pacc/user-agent-configuration.json")
    assert (found["/"].status, found["/"].body) == (200, None)


def test_each_address_is_asked() -> None:
    there = ground(foreign("000-default"), foreign("000-fixed", address="192.0.2.7:80"))
    published = publish(survey(EVERY_NAME, ground=there))
    asked = {(item.question.port, item.question.ip) for item in of(published)}
    assert asked == {(port, ip) for port, ips in published.placement.addresses.items() for ip in ips}
    assert (443, "*") in asked
    assert {ip for port, ip in asked if port == 80} == {"*", "192.0.2.7"}


def test_of_many_hosts_the_first_and_the_last_are_asked_for_everything_and_each_certificate_for_something() -> None:
    domains = [f"d{number}.tld" for number in range(5)]
    certificates = {domain: facts(f"autoconfig.{domain}", f"autodiscover.{domain}", fingerprint=domain) for domain in domains}
    published = publish(survey(certificates), provider(*domains))
    found = list(expectations.of_hosts(published, {live(domain): item for domain, item in certificates.items()}))
    paths = {
        domain: {item.question.path for item in found if item.certificate == domain and item.question.scheme == "https"}
        for domain in domains
    }
    assert [len(paths[domain]) for domain in domains] == [4, 1, 1, 1, 4]
    assert paths["d2.tld"] == {CONFIG}


def test_between_the_first_and_the_last_the_first_host_of_each_certificate_is_asked_however_many_it_has() -> None:
    labels = {"a.tld": LABELS, "b.tld": LABELS[:1], "c.tld": LABELS, "d.tld": LABELS}
    certificates = {domain: facts(*(f"{label}.{domain}" for label in own), fingerprint=domain) for domain, own in labels.items()}
    published = publish(survey(certificates), provider(*labels))
    found = list(expectations.of_hosts(published, {live(domain): item for domain, item in certificates.items()}))
    asked = {item.certificate: item.question.host for item in found if item.certificate in ("b.tld", "c.tld")}
    assert asked == {"b.tld": "autoconfig.b.tld", "c.tld": "autoconfig.c.tld"}


def test_what_is_taken_away_answers_nothing() -> None:
    wanted = settings.read({"providers": [provider("server.tld")]})
    assert expectations.of_hosts(publication.remove(wanted, survey(manifest=Manifest())), {}) == ()


# -- the sites of the domains themselves --------------------------------------------------------------------------------


def own(*names: str, port: int = 443) -> VirtualHost:
    return VirtualHost(f"*:{port}", names, (), "/etc/apache2/sites-enabled/own.conf", 1)


def test_the_sites_of_the_domains_are_asked_if_they_are_here() -> None:
    published = publish(survey(EVERY_NAME), provider("server.tld", "other.tld"), well_known=True)
    found = expectations.of_domains(published, [own("www.server.tld", "server.tld"), own("other.tld", port=80)])
    assert words(found) == ["GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml 200"]
    assert found[0].body == document(published, "mail/config-v1.1.xml")


def test_without_well_known_they_are_not_asked() -> None:
    assert expectations.of_domains(publish(survey(EVERY_NAME)), [own("server.tld")]) == ()


def test_of_very_many_domains_some_are_asked() -> None:
    domains = [f"d{number}.tld" for number in range(65)]
    published = publish(None, provider(*domains), well_known=True)
    assert len(expectations.of_domains(published, [own(*domains)])) == 60


def test_a_question_for_each_answer_has_its_address_in_the_domain_that_asks() -> None:
    published = publish(None, provider("server.tld", "b.tld"))
    addresses = {
        item.question.host: item.question.body.partition(b"<EMailAddress>")[2].partition(b"<")[0]
        for item in of(published)
        if item.question.path == DISCOVER
    }
    assert addresses == {"autoconfig.server.tld": b"mail_autoconfig@server.tld", "autodiscover.b.tld": b"mail_autoconfig@b.tld"}
    assert dataclasses.replace(of(published)[0].question, ip="x") != of(published)[0].question
