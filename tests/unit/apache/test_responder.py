"""The script that Apache runs, as far as it is made here; what it answers is tested in tests/integration and tests/e2e."""

from __future__ import annotations

import re

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import responder
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
    (table,) = re.findall(r"local DOMAINS = \{\n(.*?)\}", text, re.DOTALL)
    found = []
    for bucket in re.findall(r'^  "(.*)",$', table, re.MULTILINE):
        raw = re.sub(rb"\\(\d{3})", lambda match: bytes([int(match[1])]), bucket.encode())
        assert b"\\" not in raw
        found.append(raw)
    return found


def ascii_domain(text: str, domain: str) -> str:
    """The script's own rule in Python: a hash names the bucket, and in it stand ``|name|`` and ``|readable=name|``."""
    (modulus,) = map(int, re.findall(r"% (\d+)\n  end\n  local bucket = DOMAINS", text))
    (count,) = map(int, re.findall(r"DOMAINS\[hash % (\d+) \+ 1\]", text))
    buckets = domains_in(text)
    assert len(buckets) == count
    value = 0
    for byte in domain.encode():
        value = (value * 31 + byte) % modulus
    bucket = buckets[value % count]
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


@pytest.mark.parametrize("answer", [None, ANSWER])
@pytest.mark.parametrize("files", [FILES, {"autoconfig": FILES["autoconfig"]}])
def test_every_place_of_the_script_is_filled_in(answer: bytes | None, files: dict[str, str]) -> None:
    text = script("server.tld", answer=answer, files=files)
    assert not re.search(r"@[A-Z_]+@", text)
    assert text.startswith("-- Managed by Ansible\n")
    for service in ("autoconfig", "autodiscover"):
        assert (f'  {service} = "/www/server.tld/' in text) == (service in files)


def translation(text: str) -> list[str]:
    """What the script maps a request to, on a site that is not ours."""
    return re.findall(r"^    r\.(?:filename|subprocess_env\[\"MAIL_AUTOCONFIG\"\]) = (.*)$", text, re.MULTILINE)


def test_on_other_sites_the_script_answers_itself_or_leaves_it_to_the_document() -> None:
    assert translation(script("server.tld")) == ["FILES.autoconfig", '"document"', '"/conf/x.lua"', '"responder"']
    assert translation(script("server.tld", answer=None)) == [
        "FILES.autoconfig",
        '"document"',
        "FILES.autodiscover",
        '"document"',
    ]


@pytest.mark.parametrize(
    ("ports", "expected"), [((80, 443), ('"http", ""', '"https", ""')), ((8080, 8443), ('"http", ":8080"', '"https", ":8443"'))]
)
def test_addresses_name_a_port_if_it_is_not_the_usual_one(ports: tuple[int, int], expected: tuple[str, str]) -> None:
    text = script("server.tld", ports=ports)
    for values in expected:
        assert f"scheme, port = {values}\n" in text


def test_requests_that_name_no_domain_get_the_first_one() -> None:
    assert '"server.tld"' in script("server.tld", "other.tld")
    assert '"other.tld"' not in script("server.tld", "other.tld")


def test_the_order_of_the_further_domains_does_not_matter() -> None:
    assert script("a.tld", "b.tld", "c.tld") == script("a.tld", "c.tld", "b.tld")


def test_another_answer_is_another_script_so_that_apache_is_reloaded_for_it() -> None:
    assert script("server.tld", answer=b"<a/>\n") == script("server.tld", answer=b"<a/>\n")
    assert script("server.tld", answer=b"<a/>\n") != script("server.tld", answer=b"<b/>\n")
