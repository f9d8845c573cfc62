"""The reports say what the data says, and nothing that came from outside is more than text in them."""

from __future__ import annotations

import dataclasses
import html.parser
import re
import xml.etree.ElementTree as ET
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import model, rendering
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.model import (
    CertificateFacts,
    ClientResult,
    DomainReport,
    Endpoint,
    Finding,
    RecordFacts,
    Service,
    Step,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import (
    AddressFacts,
    LoginResult,
    Offer,
    ServerFacts,
)

Data = dict[str, Any]
FORMATS = ("text", "html", "junit", "prometheus")
VOID = {"meta", "br", "link", "img", "input"}


def report(domain: str, *findings: Finding, said: str = "", verdict: str = "") -> Data:
    """The data of a domain, in which everything that others say is ``said``."""
    certificate = CertificateFacts(
        "mail." + domain, 993, (said or "mail",), said or "CA", not_after="2026-12-01T00:00:00+00:00", days_left=9, share_left=0.1
    )
    address = AddressFacts("192.0.2.1", greeting=said, spoken="imap", certificate=certificate, after=Offer(("PLAIN",)))
    gone = AddressFacts("2001:db8::1", "refused", said)
    service = Service("imap", said or "mail." + domain, 993, "tls", said)
    return DomainReport(
        domain,
        f"anna@{domain}",
        verdict or model.verdict_of(findings),
        clients=(
            ClientResult("thunderbird", "Thunderbird", "works", "", said, 12, (service,), (Step(said, said),)),
            ClientResult("apple", "Apple Mail", "fails", said or "it finds nothing"),
            ClientResult("k9", "K-9", "asks", said or "it asks"),
            ClientResult("outlook", "Outlook", "unknown", said or "nobody knows"),
        ),
        servers=(ServerFacts(Endpoint("imap", "mail." + domain, 993, "tls"), (address, gone), LoginResult("refused")),),
        certificates=(dataclasses.replace(certificate, host=domain, port=443, error=said),),
        records=(RecordFacts(said or domain, "A", ("192.0.2.1",), (said or "192.0.2.2",), "different"),),
        zone=(said or "a 300 IN A 192.0.2.1",),
        findings=findings,
    ).as_data()


def rendered(form: str, *domains: Data) -> str:
    return rendering.render(form, domains, model.summary(domains))


WRONG = Finding("dns.missing", "error", "autoconfig.a.tld", "it is missing", "nothing", ("apple",), ("add it", "or else"))
LATE = Finding("server.certificate_expiring", "warning", "IMAP mail.a.tld:993", "it expires")


class Page(html.parser.HTMLParser):
    """Elements and attributes of a page, and whether they are nested as they must be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(sorted(name for name, _value in attrs))))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@hypothesis.given(st.one_of(st.text(), st.sampled_from(["</style><script>", "\"'><img src=x>", "]]>", "\x1b[2J\u202e", '\\"\n'])))
def test_what_others_say_changes_nothing_but_the_words(said: str) -> None:
    fault = Finding("dns.x", "error", said, said, said, ("apple",), (said,))
    hostile, tame = (
        report("a.tld", fault, said=said),
        report("a.tld", dataclasses.replace(fault, where="w", what="w", seen="w"), said="w"),
    )
    found, plain = Page(rendered("html", hostile)), Page(rendered("html", tame))
    kinds = set(plain.tags)
    assert set(found.tags) <= kinds
    ET.fromstring(rendered("junit", hostile))
    for form in FORMATS:
        text = rendered(form, hostile)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
        text.encode()
    for line in rendered("prometheus", hostile).splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z]+="([^"\\]|\\["\\n])*",?)*\})? \d+', line)


def test_the_page_says_everything() -> None:
    page = rendered("html", report("b.tld"), report("a.tld", WRONG, LATE))
    words = " ".join("".join(Page(page).words).split())
    assert "1 domain: something is broken; 1 domain: works. 1 errors, 1 warnings." in words
    for text in (
        "it is missing",
        "dns.missing",
        "nothing",
        "add it",
        "or else",
        "Apple Mail",
        "300 IN A",
        "refused",
        "2026-12-01",
    ):
        assert text in words
    assert words.index("a.tld") < words.index("b.tld"), "the worst comes first"


def test_the_words_of_a_domain_on_the_page() -> None:
    new = Finding("dns.new", "info", "a.tld", "it is new")
    section = rendered("html", report("a.tld", WRONG, LATE, new)).partition("<h2")[2]
    words = [word.strip() for word in Page(f"<h2{section}".partition("</section>")[0]).words]
    assert [word for word in words if word] == [
        *("a.tld", "✗", "something is broken", "for", "anna@a.tld"),
        *("Findings", "✗", "Error", ":", "it is missing", "autoconfig.a.tld", "; seen:", "nothing", "(", "dns.missing", ")"),
        *("Hits Apple Mail.", "What mends it, each by itself:", "add it", "or else"),
        *("!", "Warning", ":", "it expires", "IMAP mail.a.tld:993", "(", "server.certificate_expiring", ")"),
        *("i", "Note", ":", "it is new", "a.tld", "(", "dns.new", ")"),
        *("Add to the zone", "a 300 IN A 192.0.2.1"),
        *("Mail clients", "Clients", "Verdict", "What they get, or why not"),
        *("Thunderbird", "✓", "works", "IMAP", "mail.a.tld", "port 993, SSL/TLS, user name:", "not said"),
        *("Apple Mail", "✗", "does not work", "it finds nothing"),
        *("K-9", "?", "works, but asks", "it asks"),
        *("Outlook", "-", "cannot be told", "nobody knows"),
        *("Mail servers", "Server", "Addresses", "Offers inside TLS", "Login"),
        *("IMAP", "mail.a.tld", "port 993, SSL/TLS", "192.0.2.1", ": answers", "2001:db8::1", ": refused", "PLAIN", "refused"),
        *("Certificates of the web hosts", "Host", "Names", "Issuer and end", "Fault"),
        *("a.tld", "port 443", "mail", "CA", "until 2026-12-01 (9 days)", "none"),
        *("Records", "Name", "Type", "Found", "State"),
        *("a.tld", "A", "192.0.2.2", "different; wanted:", "192.0.2.1"),
    ]


def test_the_page_says_of_a_server_what_nobody_knows() -> None:
    data = report("a.tld")
    unknown = {**data["servers"][0], "addresses": [], "login": None}
    page = rendered("html", {**data, "servers": [unknown]})
    assert "<td>none</td><td>nothing</td><td>not tried</td>" in page


def test_the_page_brings_all_with_it() -> None:
    page = rendered("html", report("a.tld", WRONG))
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"\b(src|href)=\"(?!#)", page)
    assert "<script" not in page


@pytest.mark.parametrize(
    ("verdict", "child"), [("works", None), ("asks", "system-out"), ("fails", "failure"), ("unknown", "skipped")]
)
def test_clients_as_test_cases(verdict: str, child: str | None) -> None:
    root = ET.fromstring(rendered("junit", report("a.tld", WRONG)))
    names = {"works": "Thunderbird", "asks": "K-9", "fails": "Apple Mail", "unknown": "Outlook"}
    case = root.find(f"testsuite/testcase[@name='{names[verdict]}']")
    assert case is not None
    assert [each.tag for each in case] == ([child] if child else [])


def test_only_errors_fail_a_build() -> None:
    fine = ET.fromstring(rendered("junit", report("a.tld", LATE)))
    assert (fine.get("tests"), fine.get("failures"), fine.get("skipped")) == ("5", "0", "2")
    broken = ET.fromstring(rendered("junit", report("a.tld", WRONG, LATE)))
    # The fault, and the client that it hits.
    assert (broken.get("tests"), broken.get("failures")) == ("6", "2")
    failure = broken.find("testsuite/testcase[@name='dns.missing autoconfig.a.tld']/failure")
    assert failure is not None
    assert failure.text == "it is missing\nseen: nothing\nmend: add it\nmend: or else"


def test_figures() -> None:
    lines = rendered("prometheus", report("a.tld", WRONG, LATE, LATE), report("b.tld")).splitlines()
    prefix = "mail_autoconfig_check_"
    for line in (
        "domains 2",
        'verdict{domain="a.tld",verdict="fails"} 1',
        'verdict{domain="b.tld",verdict="works"} 1',
        'findings{domain="a.tld",severity="warning"} 2',
        'fault{domain="a.tld",code="server.certificate_expiring",severity="warning"} 2',
        'client_works{domain="a.tld",client="thunderbird"} 1',
        'client_works{domain="a.tld",client="k9"} 0',
        'server_answers{domain="a.tld",protocol="imap",host="mail.a.tld",port="993",address="2001:db8::1"} 0',
        'login_accepted{domain="a.tld",protocol="imap",host="mail.a.tld",port="993"} 0',
        'certificate_expiry_timestamp_seconds{domain="a.tld",host="mail.a.tld",port="993"} 1796083200',
    ):
        assert prefix + line in lines
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    kinds = [line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")]
    assert len(dict.fromkeys(kinds)) == sum(line.startswith("# TYPE") for line in lines)


def test_labels_of_figures_are_escaped() -> None:
    """As the text format of Prometheus wants it."""
    lines = rendered("prometheus", report('a"\\.tld')).splitlines()
    assert r"""mail_autoconfig_check_verdict{domain="a\"\\.tld",verdict="works"} 1""" in lines


@pytest.mark.parametrize("form", FORMATS)
def test_a_domain_that_could_not_be_checked(form: str) -> None:
    failed = DomainReport("a.tld", "", "unknown", findings=(Finding("check.failed", "error", "a.tld", "it failed"),)).as_data()
    text = rendered(form, failed)
    assert "a.tld" in text
    assert form in ("prometheus",) or "it failed" in text
