"""The values that a script is rendered with."""

from __future__ import annotations

import re

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import responder
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.responder.script import BODY
from hypothesis import given
from hypothesis import strategies as st

FILES = {"autoconfig": "/www/server.tld/mail/config-v1.1.xml", "autodiscover": "/www/server.tld/autodiscover/autodiscover.xml"}
_LABELS = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)
_DOMAINS = st.lists(st.builds("{}.{}".format, _LABELS, _LABELS), unique=True, min_size=1, max_size=60)
ANSWER = b"<Autodiscover/>\n"


def script(
    *domains: str, answer: bytes | None = ANSWER, ports: tuple[int, int] = (80, 443), files: dict[str, str] | None = None
) -> str:
    answers = responder.Answers(**(files or FILES), personal=answer is not None)
    content: bytes = responder.script("Managed by Ansible", domains, "/conf/x.lua", answers, filter(None, [answer]), ports)
    return content.decode("ascii")


def domains_in(text: str) -> list[bytes]:
    """The buckets of the script's table, as Lua reads the strings."""
    (table,) = re.findall(r'^  \["domains"\] = \{\n(.*?)\}', text, re.DOTALL | re.MULTILINE)
    found = []
    for bucket in re.findall(r'^    "(.*)",$', table, re.MULTILINE):
        raw = re.sub(rb"\\(\d{3})", lambda match: bytes([int(match[1])]), bucket.encode())
        assert b"\\" not in raw
        found.append(raw)
    return found


def ascii_domain(text: str, domain: str) -> str:
    """The script's own rule in Python: a hash names the bucket, and in it stand ``|name|`` and ``|readable=name|``."""
    (modulus,) = map(int, re.findall(r"% (\d+)\n  end\n  return buckets", text))
    buckets = domains_in(text)
    value = 0
    for byte in domain.encode():
        value = (value * 31 + byte) % modulus
    bucket = buckets[value % len(buckets)]
    if b"|" + domain.encode() + b"|" in bucket:
        return domain
    found = re.search(b"\\|" + re.escape(domain.encode()) + b"=([^|]*)", bucket)
    return found[1].decode() if found else ""


def is_ours(text: str, domain: str) -> bool:
    return ascii_domain(text, domain) != ""


@given(_DOMAINS, _DOMAINS)
def test_the_script_finds_every_domain_and_no_other(domains: list[str], others: list[str]) -> None:
    text = script(*domains)
    for domain in domains:
        assert is_ours(text, domain)
    for other in set(others) - set(domains):
        assert not is_ours(text, other)
    assert is_ours(text, domains[0][:-1]) == (domains[0][:-1] in domains)
    assert not is_ours(text, "")


def test_ten_thousand_domains_are_in_short_strings() -> None:
    domains = [f"customer{number}.example" for number in range(10_000)]
    text = script(*domains)
    assert max(map(len, domains_in(text))) < 64 * len(max(domains, key=len))
    assert all(is_ours(text, domain) for domain in domains[::500])


def test_an_idn_is_known_as_people_write_it_too() -> None:
    text = script("xn--mller-kva.example")
    assert ascii_domain(text, "xn--mller-kva.example") == "xn--mller-kva.example"
    assert ascii_domain(text, "müller.example") == "xn--mller-kva.example"
    assert not is_ours(text, "muller.example")


def test_an_idn_is_known_as_people_write_it_with_letters_that_only_idna_2008_keeps() -> None:
    for readable in ("straße", "ß", "βόλος", "a\u200cb", "ab\u200dc"):
        written = "xn--" + readable.encode("punycode").decode()
        text = script(f"{written}.xn--mller-kva.example")
        assert ascii_domain(text, f"{readable}.müller.example") == f"{written}.xn--mller-kva.example"


@pytest.mark.parametrize("text", ["ß\ud800", "ß\x80", "ßÄ", "\ud800", "ÄÖ", "strasse"])
def test_a_label_of_what_no_idn_contains_has_no_other_form(text: str) -> None:
    domain = "xn--" + text.encode("punycode").decode("ascii")
    assert domains_in(script(f"{domain}.tld")) == [f"|{domain}.tld|".encode()]


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True))
def test_a_label_of_any_letters_is_one_that_can_be_asked_for(label: str) -> None:
    assert ascii_domain(script(f"xn--{label}.tld"), f"xn--{label}.tld") == f"xn--{label}.tld"


def test_all_that_depends_on_the_provider_is_in_one_table_before_the_body() -> None:
    for text in (script("server.tld"), script("other.tld", answer=None, files={"autoconfig": "/x"}, ports=(8080, 8443))):
        header, table, body = re.fullmatch(r"-- (.*?)\nlocal CONFIG = (\{\n.*?\n\})\n(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        assert header == "Managed by Ansible"
        assert "server.tld" in table or "other.tld" in table
        assert body == BODY


def test_requests_that_name_no_domain_get_the_first_one() -> None:
    assert '["primary"] = "server.tld"' in script("server.tld", "other.tld")


def test_the_order_of_the_further_domains_does_not_matter() -> None:
    assert script("a.tld", "b.tld", "c.tld") == script("a.tld", "c.tld", "b.tld")


def test_another_answer_is_another_script_so_that_apache_is_reloaded_for_it() -> None:
    assert script("server.tld", answer=b"<a/>\n") == script("server.tld", answer=b"<a/>\n")
    assert script("server.tld", answer=b"<a/>\n") != script("server.tld", answer=b"<b/>\n")


def secure_hosts(text: str) -> dict[str, tuple[str, list[str]]]:
    """For each service what is usual, and the exceptions."""
    found = re.findall(r'\["(\w+)"\] = \{\n    *\["usual"\] = (\w+),\n *\["exceptions"\] = \{\n(.*?)\}', text, re.DOTALL)
    return {service: (usual, sorted(filter(None, re.split(r'[|",\s]+', table)))) for service, usual, table in found}


def secured(*hosts: str, domains: tuple[str, ...] = ("a.tld", "b.tld", "c.tld")) -> dict[str, tuple[str, list[str]]]:
    answers = responder.Answers(**FILES, secure=frozenset(hosts))
    return secure_hosts(responder.script("x", domains, "/conf/x.lua", answers, [], (80, 443)).decode())


def test_certificates_of_many_domains_take_little_room() -> None:
    assert secured() == {"autoconfig": ("false", []), "autodiscover": ("false", [])}
    found = secured("autoconfig.a.tld", "autodiscover.a.tld", "autodiscover.b.tld", "autodiscover.z.tld", "c.tld")
    assert found == {"autoconfig": ("false", ["a.tld"]), "autodiscover": ("true", ["c.tld"])}
    many = tuple(f"d{number}.tld" for number in range(1000))
    assert secured(*(f"autoconfig.{domain}" for domain in many), domains=many)["autoconfig"] == ("true", [])
