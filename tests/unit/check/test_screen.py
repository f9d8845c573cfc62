"""What is printed: the summary first, the worst next, and everything that an administrator needs to act."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import model, screen

from tests.unit.check.conftest import Faulty
from tests.unit.check.reports.test_reports import LATE, WRONG, rendered, report
from tests.unit.check.test_faults import certificate, check, closed, each
from tests.unit.check.world import ADDRESS, PASSWORD, world


def missing(domain: str) -> dict[str, Any]:
    finding = model.Finding("dns.domain.missing", "error", domain, "the domain does not exist", mends=("register it",))
    return model.DomainReport(domain, f"postmaster@{domain}", "fails", findings=(finding,)).as_data()


def render(*domains: dict[str, Any]) -> str:
    return screen.render(domains, model.summary(domains))


def test_a_fault_is_printed_with_its_place_its_clients_and_its_cures(certificates: Faulty) -> None:
    with world(certificates) as made:
        wish = made.wanted()
        each(certificate("autoconfig", begins=-90, ends=-1), closed("smtp"))(made)
        data = check(made, wanted=False, **wish, address=ADDRESS, password=PASSWORD)
    text = render(data)
    words = " ".join(text.split())
    assert text.startswith("server.tld: something is broken\n")
    assert "ERROR autoconfig.server.tld: the certificate has expired" in words
    assert "certbot renew --cert-name server.tld" in words
    assert "Postfix: the service of port" in words
    assert "Thunderbird for Android (K-9)" in words
    assert "login accepted" in words
    assert PASSWORD not in text
    assert max(map(len, text.splitlines())) <= screen.WIDTH


def test_a_report_as_it_is_printed() -> None:
    new = model.Finding("dns.new", "info", "a.tld", "a.tld is new", mends=("keep it",))
    assert render(report("a.tld", WRONG, LATE, new)) == (
        "a.tld: something is broken\n"
        "==========================\n"
        "  work:           Thunderbird\n"
        "                  IMAP mail.a.tld:993 SSL\n"
        "  work, but ask:  K-9\n"
        "                  it asks\n"
        "  do not work:    Apple Mail\n"
        "                  it finds nothing\n"
        "  cannot be told: Outlook\n"
        "                  nobody knows\n"
        "  server:         IMAP mail.a.tld:993 SSL partly answers: 192.0.2.1, 2001:db8::1 refused; login refused\n"
        "\n"
        "  1 ERROR    autoconfig.a.tld: it is missing [nothing]\n"
        "             hits Apple Mail\n"
        "             mend add it\n"
        "               or else\n"
        "  2 warning  IMAP mail.a.tld:993: it expires\n"
        "  3 note     a.tld is new\n"
        "             mend keep it\n"
        "  Add to the zone:\n"
        "    a 300 IN A 192.0.2.1\n"
    )


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("works", "works"),
        ("warns", "works, with warnings"),
        ("fails", "something is broken"),
        ("unknown", "could not be checked"),
    ],
)
def test_each_verdict_has_its_words(verdict: str, words: str) -> None:
    assert render(report("a.tld", verdict=verdict)).startswith(f"a.tld: {words}\n")
    assert f"</span> {words}</span> for <bdi>anna@a.tld</bdi>" in rendered("html", report("a.tld", verdict=verdict))


def test_of_many_domains_the_summary_comes_first_and_the_list_ends() -> None:
    good = [model.DomainReport(f"good{number}.tld", "", "works").as_data() for number in range(900)]
    text = render(*good, *(missing(f"bad{number}.tld") for number in range(100)))
    lines = text.splitlines()
    assert lines[0] == "1000 domains: 900 work, 100 fail (100 errors, 0 warnings)"
    assert "dns.domain.missing" in lines[1]
    assert "and 95 more" in lines[1]
    assert len(lines) < 200
    assert "good" not in text
    assert lines[-1] == "... and 80 more domains with findings, which a report has"


def test_what_a_stranger_says_breaks_no_line() -> None:
    finding = model.Finding("http.status", "error", "here", "wrong", seen="a\r\n\x1b[31mb" * 30)
    text = render(model.DomainReport("a.tld", "", "fails", findings=(finding,)).as_data())
    assert "\x1b" not in text
    assert "\r" not in text
