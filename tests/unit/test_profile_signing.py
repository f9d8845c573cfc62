"""The certificate of a host name that signs profiles: which one, how it is copied, and what is refused."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import profile_signing, publication
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.signing import Signer
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Content,
    Origin,
    PairFacts,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.files import Kind
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Survey
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Holding, Manifest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses, Entry, Ledger
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import SIGNING
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.publication import Publications

from .test_publication import digest_of, facts, foreign, ground, live, manifest_of, provider, survey

HOST = "profiles.server.tld"
NOW = 1_800_000_000.0
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"
STORE = "/etc/apache2/md"
MD = Certificate(f"{STORE}/domains/{HOST}/pubcert.pem", f"{STORE}/domains/{HOST}/privkey.pem")
ORDERS = {"certificates": "mod_md", "acme_agreement": True, "acme_contact": "admin@server.tld"}


def content(*names: str) -> Content:
    return Content("".join(CERTIFICATE.format(name) for name in names).encode(), KEY.encode())


def host_with(pairs: t.Mapping[Certificate, PairFacts], **changes: t.Any) -> Survey:
    """A host that has these pairs for the host name."""
    found = {pair: content("leaf", "issuer") for pair in pairs}
    return survey(None, pairs=pairs, signing_contents=found, web_group=33, moment=NOW, **changes)


def publish(found: Survey, *providers: t.Any, **options: t.Any) -> Publications:
    wanted = settings.read({"signing_host": HOST, **options, "providers": list(providers) or [provider("server.tld")]})
    return publication.publish(wanted, found, Debian())


def own(**changes: t.Any) -> dict[Certificate, PairFacts]:
    """A certificate of the host name alone."""
    return {live(HOST): facts(HOST, begins=NOW - 10 * 86400, ends=NOW + 80 * 86400, **changes)}


def about_signing(found: Publications) -> list[str]:
    return [line for line in found.findings.warnings if "signed" in line or "signs" in line]


def test_it_is_copied_for_the_web_servers_group_and_signs() -> None:
    found = publish(host_with(own()))
    (item,) = [item for item in found.desired if item.provider == SIGNING]
    assert (item.of, item.certificates) == (HOST, (live(HOST),))
    copy, chain = f"/var/lib/mail_autoconfig/signing/{HOST}.pem", f"/var/lib/mail_autoconfig/signing/{HOST}-chain.pem"
    assert {file.path: (file.kind, file.kind.mode, file.gid) for file in item.files} == {
        copy: (Kind.SIGNING, 0o640, 33),
        chain: (Kind.SIGNING, 0o640, 33),
    }
    assert found.settings.site.signer == Signer(copy, copy, chain)
    assert (found.findings.problems, about_signing(found)) == ((), [])
    assert "ext_filter" in found.modules


def test_a_certificate_that_is_not_for_servers_signs() -> None:
    found = publish(host_with(own(problem="it is not for servers", is_for_others=True)))
    assert found.signing
    assert (found.signing.choice.pair, about_signing(found)) == (live(HOST), [])


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_certificate_and_its_key_lie_in_one_file_and_the_others_apart(end: str) -> None:
    chain = "a comment\n" + "".join(CERTIFICATE.format(name) for name in ("leaf", "first", "second")).rstrip("\n") + end
    signer, files = profile_signing.copied(Content(chain.encode(), KEY.rstrip("\n").encode()), "/s", HOST, 33)
    pair, others = (file.content.decode() for file in files)
    assert pair.startswith("# Managed by Ansible")
    assert pair.partition("\n")[2] == CERTIFICATE.format("leaf") + KEY
    assert others.partition("\n")[2] == CERTIFICATE.format("first") + CERTIFICATE.format("second")
    alone, files = profile_signing.copied(content("leaf"), "/s", HOST, 33)
    assert (signer.chain, alone.chain, len(files)) == (f"/s/signing/{HOST}-chain.pem", "", 1)


def test_no_key_is_in_what_is_shown_of_it() -> None:
    assert "secret" not in repr(host_with(own()).signing_contents)


def test_the_one_that_serves_no_site_is_taken() -> None:
    shop, other = live("shop.tld"), live("a.tld")
    pairs = {shop: facts("*.server.tld", ends=NOW + 9e9), other: facts("b.tld", HOST, ends=NOW + 8e9)}
    found = publish(host_with(pairs, served={digest_of("*.server.tld"): "/shop.pem"}))
    assert found.signing
    assert found.signing.choice.pair == other
    (problem,) = publish(host_with({shop: pairs[shop]}, served={digest_of("*.server.tld"): "/shop.pem"})).findings.problems
    assert problem.startswith(f"signing_host: {shop.file} names {HOST}, but its key serves a web site (/shop.pem)")


def test_one_that_serves_our_own_sites_is_refused() -> None:
    (problem,) = publish(host_with({live("server.tld"): facts("*.server.tld", ends=NOW + 9e9)})).findings.problems
    assert "its key serves a web site (/etc/letsencrypt/live/server.tld/fullchain.pem)" in problem


def test_one_that_serves_a_provider_of_an_earlier_run_is_refused() -> None:
    pair = live("b.tld")
    manifest = Manifest("/etc/apache2", {"b.tld": Holding(("b.tld",), certificates=(pair,))})
    found = host_with({pair: facts(HOST, "autoconfig.b.tld", ends=NOW + 9e9)}, manifest=manifest)
    (problem,) = publish(found).findings.problems
    assert f"its key serves a web site ({pair.file})" in problem


def test_one_that_mod_md_has_for_a_site_of_others_does_not_sign() -> None:
    pairs = {MD: facts(HOST, "shop.tld", ends=NOW + 9e9, origin=Origin.MOD_MD)}
    shop = foreign("shop", "shop.tld", "*:443")
    assert not publish(host_with(pairs)).findings.problems
    (problem,) = publish(host_with(pairs, ground=ground(shop))).findings.problems
    assert f"{MD.file} names {HOST}, but its key serves a web site" in problem


@pytest.mark.parametrize("address", ["*:443", "192.0.2.7:8443", "*:*"])
def test_a_name_that_a_site_has_over_tls_is_refused(address: str) -> None:
    site = VirtualHost(address, (HOST,), (), "/etc/apache2/sites-enabled/profiles.conf", 3)
    problems = publish(host_with(own(), ground=ground(site))).findings.problems
    assert [line for line in problems if f"profiles.conf:3 serves {HOST} at {address}" in line]


def test_a_site_without_tls_may_have_the_name() -> None:
    assert publish(host_with(own(), ground=ground(foreign("profiles", HOST)))).findings.problems == ()


@pytest.mark.parametrize(("left", "words"), [(61, ""), (29, "ends in 29 days, 32% of its lifetime"), (1, "ends in 1 day, 1%")])
def test_its_end_is_watched_by_share_of_its_lifetime(left: int, words: str) -> None:
    pair = {live(HOST): facts(HOST, begins=NOW - (90 - left) * 86400, ends=NOW + left * 86400)}
    assert [words in line for line in about_signing(publish(host_with(pair)))] == ([True] if words else [])


def test_one_that_is_ending_signs_no_more_where_another_lasts() -> None:
    other = Certificate("/tls/x.pem", "/tls/x.key")
    pairs = {live(HOST): facts(HOST, begins=NOW - 80 * 86400, ends=NOW + 10 * 86400), other: next(iter(own().values()))}
    found = publish(host_with(pairs))
    (item,) = [item for item in found.desired if item.provider == SIGNING]
    assert (item.certificates, about_signing(found)) == ((other,), [])


def test_without_one_profiles_are_not_signed_and_it_is_said_why() -> None:
    found = publish(host_with({}))
    assert about_signing(found) == [
        f"Apple's profile is not signed with the certificate of {HOST}: no certificate on this host names it"
    ]
    assert (found.settings.site.signer, found.findings.problems) == (None, ())


# -- orders -------------------------------------------------------------------------------------------------------------


def ledger(**changes: t.Any) -> Ledger:
    names = (HOST, "autoconfig.server.tld", "autodiscover.server.tld")
    addresses = {name: Addresses(("192.0.2.1",)) for name in names}
    return dataclasses.replace(Ledger(STORE, {}, addresses, frozenset({"192.0.2.1"}), now=NOW), **changes)


def test_mod_md_orders_it_apart_from_the_providers() -> None:
    found = publish(host_with({}, ledger=ledger(), available=publication_modules()), **ORDERS)
    (item,) = [item for item in found.desired if item.provider == SIGNING]
    (file,) = item.files
    assert (file.name, item.enabled) == (f"{HOST}-certificates.conf", {"conf": (f"{HOST}-certificates",)})
    assert f"<MDomainSet {HOST}>" in file.content.decode()
    others = [file for item in found.desired if item.provider != SIGNING for file in item.files]
    assert not [file for file in others if f"MDomainSet {HOST}" in file.content.decode()]
    assert HOST in found.orders.pending
    assert [line for line in about_signing(found) if "ordered, and not there yet" in line]


def test_what_mod_md_has_ordered_signs() -> None:
    entries = {HOST: Entry((HOST,), (HOST,), NOW - 1, NOW + 9e9)}
    pairs = {**own(), MD: facts(HOST, ends=NOW + 9e9, origin=Origin.MOD_MD)}
    found = publish(host_with(pairs, ledger=ledger(entries=entries), available=publication_modules()), **ORDERS)
    assert found.signing
    assert found.signing.choice.pair == MD
    assert HOST not in found.orders.pending


def publication_modules() -> frozenset[str]:
    return survey().available | {"md"}


def test_what_orders_need_is_asked_for_too_where_only_the_signing_host_has_one() -> None:
    only = provider("server.tld", certificates="found")
    with pytest.raises(InputError, match="acme_agreement: must be true"):
        publish(host_with({}), only, certificates="mod_md")
    assert publish(host_with({}), only, https=False, dns_tlsa=True, **ORDERS)


# -- several providers, and the way out ---------------------------------------------------------------------------------


def test_it_stays_while_an_earlier_run_signs_with_it_and_goes_with_the_last_provider() -> None:
    first = publish(host_with(own()))
    manifest = manifest_of(first)
    assert isinstance(manifest, Manifest)
    other = publish(host_with(own(), manifest=manifest), provider("b.tld"), signing_host=None)
    assert SIGNING not in other.dropped
    assert SIGNING in publish(host_with(own(), manifest=manifest), signing_host=None).dropped
    both = manifest_of(other, manifest)
    wanted = {domain: settings.read({"providers": [provider(domain)]}) for domain in ("server.tld", "b.tld")}
    one = publication.remove(wanted["b.tld"], host_with({}, manifest=both))
    assert SIGNING not in one.dropped
    last = publication.remove(wanted["server.tld"], host_with({}, manifest=manifest_of_rest(both, "b.tld")))
    assert SIGNING in last.dropped


def manifest_of_rest(manifest: Manifest, gone: str) -> Manifest:
    return dataclasses.replace(manifest, providers={name: item for name, item in manifest.providers.items() if name != gone})


def test_two_host_names_on_one_host_are_refused() -> None:
    manifest = manifest_of(publish(host_with(own())))
    (problem,) = publish(host_with({}, manifest=manifest), provider("b.tld"), signing_host="other.server.tld").findings.problems
    assert problem == (
        f"signing_host: an earlier run signs the profiles of server.tld with the certificate of {HOST}; name that host here too"
    )


# -- input --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"signing_host": "mail.server.tld"}, "signing_host: 'mail.server.tld' serves clients (provider server.tld)"),
        ({"signing_host": "autodiscover.server.tld"}, "signing_host: 'autodiscover.server.tld' serves clients"),
        ({"signing_host": "server.tld"}, "signing_host: 'server.tld' serves clients"),
        ({"signing_certificate": "/c.pem", "signing_key": "/k.pem"}, "signing_host: comes in the place of signing_certificate"),
        ({"signing_with_tls_key": True}, "signing_with_tls_key: goes with signing_key"),
        ({"state_directory": "/var/lib/a b"}, "state_directory: holds a space"),
        ({"signing_host": "a b"}, "signing_host: 'a b'"),
    ],
)
def test_what_does_not_go_with_a_signing_host_is_refused(options: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(InputError) as caught:
        publish(host_with({}), **options)
    assert [line for line in caught.value.problems if line.startswith(problem)]
