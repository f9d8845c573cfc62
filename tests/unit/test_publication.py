"""What a run publishes, worked out from options and a survey that are made by hand; nothing here has a host."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import publication
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import signing
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import Dump, Include, VirtualHost
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.neighbours import Ground
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Origin,
    PairFacts,
    Search,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.files import Kind
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Survey
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Holding, Manifest, Owned
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import Addresses, Entry, Ledger
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import SHARED
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.publication import Publications

MAIN, SITES = "/etc/apache2/apache2.conf", "/etc/apache2/sites-enabled"
AVAILABLE = "/etc/apache2/sites-available"
MODULES = frozenset({"alias", "authz_core", "env", "ext_filter", "headers", "lua", "setenvif", "ssl"})
SERVERS: dict[str, t.Any] = {
    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
}
DAY = 86400
LABELS = ("autoconfig", "autodiscover", "ua-auto-config")
NOT_SIGNED = "server.tld: Apple's profile is not signed"


def pem(name: str) -> str:
    """Something of the form of a public key."""
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(name.encode()).decode()}\n-----END PUBLIC KEY-----\n"


def digest_of(name: str) -> str:
    """The digest of such a key."""
    return signing.key_digest(pem(name))


def live(domain: str) -> Certificate:
    return Certificate(f"/etc/letsencrypt/live/{domain}/fullchain.pem", f"/etc/letsencrypt/live/{domain}/privkey.pem")


def facts(*names: str, **changes: t.Any) -> PairFacts:
    return dataclasses.replace(PairFacts(names=names, key=digest_of(names[0] if names else ""), fingerprint="aa"), **changes)


def ground(*hosts: VirtualHost) -> Ground:
    """The configuration of others: enabled sites, of which the first one at an address is its default."""
    seen: set[str] = set()
    marked = []
    for host in hosts:
        marked.append(dataclasses.replace(host, default=host.address not in seen))
        seen.add(host.address)
    return Ground(Dump(tuple(marked), includes=tuple(Include(host.file, host.file, 200) for host in hosts)), MAIN, SITES, 200)


def foreign(file: str, name: str = "www.example", address: str = "*:80") -> VirtualHost:
    patterns = (name,) if "*" in name else ()
    return VirtualHost(address, () if patterns else (name,), patterns, f"{SITES}/{file}.conf", 1)


def survey(certificates: t.Mapping[str, PairFacts] | None = None, **changes: t.Any) -> Survey:
    """A sound host with these certificates, by domain, in Let's Encrypt's places."""
    base = Survey(
        installed=True,
        ground=ground(),
        available=MODULES,
        loaded=frozenset({"alias", "authz_core"}),
        pairs={live(domain): item for domain, item in (certificates or {}).items()},
        running=True,
    )
    return dataclasses.replace(base, **changes)


def provider(*domains: str, **options: t.Any) -> dict[str, t.Any]:
    return {"domains": list(domains), **SERVERS, **options}


def publish(found: Survey | None = None, *providers: t.Any, **options: t.Any) -> Publications:
    """What is published for the providers, server.tld if there are none."""
    wanted = settings.read({**options, "providers": list(providers) or [provider("server.tld")]})
    return publication.publish(wanted, found or survey(), Debian())


def manifest_of(found: Publications, before: Manifest | None = None) -> Manifest:
    """What the manifest is after such a run."""
    providers = {} if before is None else before.providers
    kept = {name: holding for name, holding in providers.items() if name not in found.dropped}
    return Manifest("/etc/apache2", {**kept, **{item.provider: item.holding() for item in found.desired}})


def paths(found: Publications, provider_id: str = "server.tld") -> list[str]:
    return [file.path for item in found.desired if item.provider == provider_id for file in item.files]


def sites(found: Publications) -> list[str]:
    return [name for item in found.desired for name in item.enabled.get("sites", ())]


def warnings(found: Publications) -> list[str]:
    """Warnings but for that about unsigned profiles, which comes in almost every run."""
    return [line for line in found.findings.warnings if "is not signed" not in line]


EVERY_NAME = {"server.tld": facts("server.tld", "autoconfig.server.tld", "autodiscover.server.tld")}


# -- certificates -------------------------------------------------------------------------------------------------------


def test_a_sound_host_gives_nothing_to_say_but_that_profiles_are_not_signed() -> None:
    found = publish(survey(EVERY_NAME))
    assert found.findings.problems == ()
    assert [line[: len(NOT_SIGNED)] for line in found.findings.warnings] == [NOT_SIGNED]
    assert sites(found) == ["autoconfig.server.tld", "autoconfig.server.tld-ssl", "autoconfig-default"]


def test_without_certificate_it_is_http_and_that_is_said() -> None:
    found = publish()
    assert found.findings.problems == ()
    assert warnings(found) == [
        "server.tld: no certificate names autoconfig.server.tld, autodiscover.server.tld (looked at "
        "/etc/letsencrypt/live/server.tld/fullchain.pem and everywhere else on this host): served over HTTP only, which K-9 "
        "marks as untrusted and Delta Chat, aerc, Geary and Outlook do not ask"
    ]
    assert sites(found) == ["autoconfig.server.tld", "autoconfig-default"]
    assert "ssl" not in found.modules


def test_https_can_be_off() -> None:
    found = publish(survey(EVERY_NAME), https=False)
    assert warnings(found) == ["server.tld: https is off: Delta Chat, aerc and Geary ask over HTTPS only"]
    assert "ssl" not in found.modules
    assert publication.candidates(settings.read({"domain": "server.tld", "https": False})) == Search()


def test_candidates_are_the_pairs_of_all_domains_each_once() -> None:
    wanted = settings.read({"providers": [provider("a.tld", "b.tld"), provider("c.tld")]})
    assert publication.candidates(wanted).pairs == (live("a.tld"), live("b.tld"), live("c.tld"))
    one = {"certificate_file": "/tls/chain.pem", "certificate_key_file": "/tls/key.pem"}
    shared = publication.candidates(settings.read({"providers": [provider("a.tld", "b.tld")], **one}))
    assert shared.pairs == (Certificate("/tls/chain.pem", "/tls/key.pem"),)


@pytest.mark.parametrize(
    ("problem", "is_input"), [("its key does not belong to it", True), ("it has expired (yesterday)", False)]
)
def test_a_certificate_that_cannot_serve_is_not_used_and_that_is_said(problem: str, is_input: bool) -> None:
    found = publish(survey({"server.tld": dataclasses.replace(EVERY_NAME["server.tld"], problem=problem, is_input=is_input)}))
    assert found.findings.problems == ()
    assert warnings(found)[1] == f"{live('server.tld').file} is not used: {problem}"
    assert sites(found) == ["autoconfig.server.tld", "autoconfig-default"]


def given(item: PairFacts, **domains: PairFacts) -> tuple[Survey, dict[str, str]]:
    """A survey, and the options that name a certificate for each domain: server.tld's, and others."""
    found = {"server.tld": item, **{name.replace("_", "."): facts_ for name, facts_ in domains.items()}}
    pairs = {Certificate(f"/tls/{domain}.pem", f"/tls/{domain}.key"): facts_ for domain, facts_ in found.items()}
    options = {"certificate_file": "/tls/{domain}.pem", "certificate_key_file": "/tls/{domain}.key"}
    return survey(pairs=pairs), options


def test_a_certificate_that_is_named_must_be_there() -> None:
    where, options = given(PairFacts(("/tls/server.tld.pem", "/tls/server.tld.key")))
    assert publish(where, **options).findings.problems == (
        "certificate_file: /tls/server.tld.pem does not exist on this host",
        "certificate_key_file: /tls/server.tld.key does not exist on this host",
    )


def test_a_certificate_that_is_named_must_be_able_to_serve() -> None:
    where, options = given(facts("autoconfig.server.tld", problem="its key is too small"))
    assert publish(where, **options).findings.problems == (
        "certificate_file: /tls/server.tld.pem cannot serve: its key is too small",
    )


def test_a_doubt_about_a_certificate_that_serves_is_a_warning() -> None:
    where, options = given(facts("autoconfig.server.tld", "autodiscover.server.tld", doubt="its issuer is unknown"))
    found = publish(where, **options)
    assert found.findings.problems == ()
    assert [line for line in warnings(found) if "issuer" in line] == ["/tls/server.tld.pem serves, but its issuer is unknown"]
    assert "autoconfig.server.tld-ssl" in sites(found)


def test_a_named_certificate_that_has_expired_is_a_warning_because_time_is_no_mistake() -> None:
    where, options = given(facts("autoconfig.server.tld", problem="it has expired", is_input=False))
    found = publish(where, **options)
    assert found.findings.problems == ()
    assert "/tls/server.tld.pem is not used: it has expired" in warnings(found)


def test_only_the_first_domain_needs_the_named_certificate() -> None:
    where, options = given(EVERY_NAME["server.tld"], other_tld=PairFacts(("/tls/other.tld.pem",)))
    assert publish(where, provider("server.tld", "other.tld"), **options).findings.problems == ()


def test_a_further_domain_may_be_in_the_certificate_of_the_first() -> None:
    found = publish(
        survey({"server.tld": facts(*(f"{label}.{domain}" for label in LABELS for domain in ("server.tld", "other.tld")))}),
        provider("server.tld", "other.tld"),
    )
    assert [group.certificate for group in found.items[0].groups] == [live("server.tld")]
    assert warnings(found) == []


def test_many_names_without_certificate_are_counted_after_six() -> None:
    (line,) = warnings(publish(None, provider(*(f"d{number}.tld" for number in range(10)))))
    assert "autodiscover.d2.tld and 14 more (looked at" in line


def test_a_provider_may_say_otherwise_than_the_others_where_certificates_come_from() -> None:
    names = [f"{label}.{domain}" for domain in ("a.tld", "b.tld") for label in LABELS]
    where = survey(pairs={Certificate("/tls/x.pem", "/tls/x.key"): facts(*names)})
    found = publish(where, provider("a.tld", certificates="given"), provider("b.tld"))
    assert [bool(item.certificates) for item in found.items] == [False, True]
    found = publish(where, provider("a.tld"), provider("b.tld", certificates="found"), certificates="given")
    assert [bool(item.certificates) for item in found.items] == [False, True]
    (line,) = [line for line in warnings(found) if "no certificate names" in line]
    assert "(looked at /etc/letsencrypt/live/a.tld/fullchain.pem):" in line
    assert publication.candidates(settings.read({"domain": "a.tld", "certificates": "given"})).everywhere is False
    one = {"providers": [provider("a.tld", certificates="found")], "certificates": "given"}
    assert publication.candidates(settings.read(one)).everywhere


def test_all_that_names_a_host_without_certificate_is_told_with_what_is_wrong_with_it() -> None:
    expired = facts("autoconfig.server.tld", problem="it has expired (long ago)", is_input=False)
    where = survey(pairs={Certificate("/tls/x.pem", "/tls/x.key"): expired})
    assert "/tls/x.pem is not used: it has expired (long ago)" in warnings(publish(where))
    where = survey({"server.tld": EVERY_NAME["server.tld"]})
    where = dataclasses.replace(where, pairs={**where.pairs, Certificate("/tls/x.pem", "/tls/x.key"): expired})
    assert warnings(publish(where)) == []


def test_a_certificate_that_should_have_been_renewed_is_a_warning() -> None:
    for left, expected in ((31, []), (29, [f"{live('server.tld').file} ends in 29 days, 32% of its lifetime"])):
        ending = dataclasses.replace(EVERY_NAME["server.tld"], begins=1.0, ends=1.0 + 90 * DAY)
        found = publish(survey({"server.tld": ending}, moment=(90 - left) * DAY))
        assert [line.partition(",  and")[0].partition(", and")[0] for line in warnings(found)] == expected


@pytest.mark.parametrize(("left", "expected"), [(2.5, "2 days, 3%"), (1.5, "1 day, 2%"), (0.5, "less than a day, 1%")])
def test_the_days_of_an_ending_certificate_are_counted_in_plain_words(left: float, expected: str) -> None:
    ending = dataclasses.replace(EVERY_NAME["server.tld"], begins=1.0, ends=1.0 + 90 * DAY)
    (line,) = warnings(publish(survey({"server.tld": ending}, moment=1.0 + (90 - left) * DAY)))
    assert line.startswith(f"{live('server.tld').file} ends in {expected} of its lifetime, and should have been renewed by now;")


@pytest.mark.parametrize("source", ["found", "given"])
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (91, "another certificate takes its place for autoconfig.a.tld and autodiscover.a.tld can be reached over HTTP only"),
        (89, "autoconfig.a.tld, autodiscover.a.tld can be reached over HTTP only"),
    ],
)
def test_of_an_ending_certificate_it_is_told_which_hosts_no_other_one_serves(end: float, expected: str, source: str) -> None:
    of_a = facts(*(f"{label}.a.tld" for label in LABELS), begins=1.0, ends=90 * DAY)
    of_b = facts("autoconfig.a.tld", *(f"{label}.b.tld" for label in LABELS), begins=1.0, ends=end * DAY)
    found = publish(survey({"a.tld": of_a, "b.tld": of_b}, moment=80 * DAY), provider("b.tld", "a.tld"), certificates=source)
    (line,) = [line for line in warnings(found) if line.startswith(live("a.tld").file)]
    assert line.partition("; ")[2] == f"from the next run behind its end {expected}"


@pytest.mark.parametrize(("source", "is_kept"), [("found", False), ("given", True)])
def test_hosts_leave_a_certificate_that_is_ending_for_one_that_is_found(source: str, is_kept: bool) -> None:
    names = EVERY_NAME["server.tld"].names
    old, fresh = facts(*names, begins=1.0, ends=90 * DAY), facts(*names, begins=60 * DAY, ends=150 * DAY)
    elsewhere = Certificate("/tls/x.pem", "/tls/x.key")
    manifest = manifest_of(publish(survey({"server.tld": old}, moment=50 * DAY)))
    where = survey(pairs={live("server.tld"): old, elsewhere: fresh}, manifest=manifest, moment=61 * DAY)
    found = publish(where, certificates=source)
    assert found.items[0].certificates == [live("server.tld") if is_kept else elsewhere]
    assert any("should have been renewed" in line for line in warnings(found)) is is_kept


def test_where_mod_md_orders_another_certificate_takes_the_place_of_one_that_ends_too() -> None:
    names = ("autoconfig.server.tld", "autodiscover.server.tld")
    directory = f"/md/domains/{names[0]}"
    own = Certificate(f"{directory}/pubcert.pem", f"{directory}/privkey.pem")
    ending, lasting = facts(*names, begins=1.0, ends=90 * DAY), facts(names[0], begins=1.0, ends=150 * DAY)
    entry = Entry(names, names, ending.begins, ending.ends)
    ledger = Ledger("/md", {names[0]: entry}, {name: Addresses(("192.0.2.1",)) for name in names}, frozenset({"192.0.2.1"}))
    where = survey({"server.tld": lasting}, moment=80 * DAY, ledger=dataclasses.replace(ledger, now=80 * DAY))
    where = dataclasses.replace(where, pairs={**where.pairs, own: ending})
    found = publish(where, certificates="mod_md", acme_agreement=True, acme_contact="admin@server.tld")
    assert {choice.pair for choice in found.items[0].choices.values()} == {own}
    (line,) = [line for line in warnings(found) if line.startswith(own.file)]
    assert line.endswith(f" another certificate takes its place for {names[0]} and {names[1]} can be reached over HTTP only")


def test_a_star_needs_no_file_for_every_domain() -> None:
    options = {"certificate_file": "/tls/*.pem", "certificate_key_file": "/tls/*.key"}
    found = publish(survey(pairs={Certificate("/tls/x.pem", "/tls/x.key"): EVERY_NAME["server.tld"]}), **options)
    assert (found.findings.problems, warnings(found)) == ((), [])
    wanted = publication.candidates(settings.read({"domain": "server.tld", **options}))
    assert (wanted.pairs, wanted.patterns) == ((), (Certificate("/tls/*.pem", "/tls/*.key"),))


def test_the_manifest_knows_which_certificates_are_in_use_and_the_result_those_that_are_left() -> None:
    first = publish(survey(EVERY_NAME))
    manifest = manifest_of(first)
    assert manifest.certificates == {live("server.tld")}
    kept = publish(survey(EVERY_NAME, manifest=manifest, left={live("server.tld"): False}))
    assert kept.obsolete == {}
    gone = publish(survey(manifest=manifest, left={live("server.tld"): False}))
    assert gone.obsolete == {live("server.tld"): ""}
    where = survey(manifest=manifest, left={live("server.tld"): False})
    removed = publication.remove(settings.read({"domain": "server.tld"}), where)
    assert removed.obsolete == {live("server.tld"): ""}


CONTENT = {
    "certificate_content": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "certificate_key_content": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
}


def bringing(item: PairFacts, *domains: str, **options: t.Any) -> tuple[Survey, dict[str, t.Any]]:
    """A host, and the options of a provider that brings a certificate of which this is known."""
    one = provider(*(domains or ("server.tld",)), **CONTENT, **options)
    (pair,) = publication.candidates(settings.read({"providers": [one]})).contents
    return survey(pairs={pair: dataclasses.replace(item, origin=Origin.CONTENT)}), one


def test_a_certificate_that_a_provider_brings_is_a_file_of_its_own_for_root_alone() -> None:
    found = publish(*bringing(EVERY_NAME["server.tld"]))
    brought = [file for item in found.desired for file in item.files if file.kind is Kind.CERTIFICATE]
    (pair,) = {group.certificate for group in found.items[0].groups}
    assert [file.path for file in brought] == [pair.file, pair.key]
    assert pair.file.startswith("/var/lib/mail_autoconfig/certificates/server.tld-")
    assert [file.kind.mode for file in brought] == [0o600, 0o600]
    assert b"c2VjcmV0" in brought[1].content
    # It goes with the provider, so that nobody has to be told of it.
    assert manifest_of(found).certificates == frozenset()
    assert warnings(found) == []
    other = publication.candidates(
        settings.read({"domain": "server.tld", **CONTENT, "certificate_content": CONTENT["certificate_content"] + "more"})
    )
    assert pair not in other.contents


def test_what_a_provider_brings_serves_no_other_provider() -> None:
    where, one = bringing(facts("autoconfig.server.tld", "autoconfig.other.tld"))
    found = publish(where, one, provider("other.tld"))
    assert [bool(item.certificates) for item in found.items] == [True, False]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            facts("autoconfig.server.tld", problem="its key is too small"),
            "certificate_content cannot serve: its key is too small",
        ),
        (
            facts("shop.tld"),
            "certificate_content is for shop.tld, and for none of autoconfig.server.tld, autodiscover.server.tld",
        ),
    ],
)
def test_a_certificate_that_a_provider_brings_must_serve_a_host_of_it(item: PairFacts, expected: str) -> None:
    assert publish(*bringing(item)).findings.problems == (f"server.tld: {expected}",)


def test_a_certificate_that_has_expired_on_its_way_is_a_warning_and_is_not_written() -> None:
    found = publish(*bringing(facts("autoconfig.server.tld", problem="it has expired", is_input=False)))
    assert found.findings.problems == ()
    assert "server.tld: certificate_content is not used: it has expired" in warnings(found)
    assert not [file for item in found.desired for file in item.files if file.kind is Kind.CERTIFICATE]


def test_beside_what_a_provider_brings_others_are_looked_for_unless_it_says_otherwise() -> None:
    for certificates, count in (("found", 2), ("given", 1)):
        where, one = bringing(facts("autoconfig.server.tld"), certificates=certificates)
        more = {Certificate("/tls/x.pem", "/tls/x.key"): facts("autodiscover.server.tld")}
        found = publish(dataclasses.replace(where, pairs={**where.pairs, **more}), one)
        assert len(found.items[0].certificates) == count


# -- the responder, signing, pages --------------------------------------------------------------------------------------


def test_without_mod_lua_the_documents_answer_as_they_lie_there() -> None:
    found = publish(survey(available=MODULES - {"lua"}))
    assert not found.settings.site.personal
    assert "lua" not in found.modules
    assert found.findings.problems == ()


def test_a_lua_that_is_built_in_is_available() -> None:
    assert publish(survey(available=MODULES - {"lua"}, loaded=frozenset({"lua"}))).settings.site.personal


def test_what_needs_lua_is_refused_without_it() -> None:
    page = {"provider": "server.tld", "language": "en", "html": "<!DOCTYPE html><html><body>%EMAILADDRESS%</body></html>"}
    found = publish(
        survey(available=MODULES - {"lua"}),
        responder="lua",
        well_known=True,
        setup_pages=[page],
        signing_certificate="/s/c.pem",
        signing_key="/s/k.pem",
    )
    lua = "Apache's module lua is not available here; on Debian the package apache2-bin brings it"
    assert [line for line in found.findings.problems if "lua" in line][:2] == [f"responder: {lua}", f"well_known: {lua}"]
    found = publish(None, responder="none", setup_pages=[page], signing_certificate="/s/c.pem", signing_key="/s/k.pem")
    assert found.findings.problems[:2] == (
        "signing_certificate: needs the responder, which needs Apache's module lua (responder: lua)",
        "setup_pages: needs the responder, which needs Apache's module lua (responder: lua)",
    )


SIGNING = {"signing_certificate": "/s/c.pem", "signing_key": "/s/k.pem"}


def signer(key: str = "sign", **changes: t.Any) -> signing.PairFacts:
    base = signing.PairFacts(
        certificate=signing.read_certificate(
            f"subject=CN=Signer\nnotBefore=Jan  1 00:00:00 2020 GMT\nnotAfter=Jan  1 00:00:00 2120 GMT\n{pem(key)}"
        ),
        certificates=1,
        public_key=signing.public_key(pem(key)),
        key_mode=0o640,
        user="www-data",
    )
    return dataclasses.replace(base, **changes)


def test_a_pair_that_signs_leaves_nothing_to_say() -> None:
    found = publish(survey(EVERY_NAME, signing=signer()), **SIGNING)
    assert (found.findings.problems, found.findings.warnings) == ((), ())
    assert "ext_filter" in found.modules


def test_a_pair_that_cannot_sign_is_refused() -> None:
    found = publish(survey(EVERY_NAME, signing=signing.PairFacts(missing=("/s/k.pem",))), **SIGNING)
    assert found.findings.problems == ("signing_key: /s/k.pem does not exist on this host",)


def test_the_key_of_a_tls_certificate_signs_only_if_that_is_said() -> None:
    where = survey({"server.tld": EVERY_NAME["server.tld"]}, signing=signer("server.tld"))
    (problem,) = publish(where, **SIGNING).findings.problems
    assert problem.startswith("signing_key: /s/k.pem is the TLS key of /etc/letsencrypt/live/server.tld/fullchain.pem")
    assert publish(where, **SIGNING, signing_with_tls_key=True).findings.problems == ()


def test_a_page_whose_qr_code_leads_nowhere_is_warned_of() -> None:
    page = {"provider": "server.tld", "language": "en", "html": "<!DOCTYPE html><html><body>%EMAILADDRESS%</body></html>"}
    (line,) = [line for line in warnings(publish(None, setup_pages=[page])) if "QR code" in line]
    assert line.startswith(
        "server.tld: the setup page's QR code leads to https://autoconfig.server.tld, which no certificate serves"
    )
    assert not [line for line in warnings(publish(survey(EVERY_NAME), setup_pages=[page])) if "QR code" in line]


# -- the host -----------------------------------------------------------------------------------------------------------


def test_what_is_no_directory_is_named_with_its_option() -> None:
    found = publish(survey(blocked={"/var/www/autoconfig": "/var/www", "/var/lib/mail_autoconfig": ""}))
    assert found.findings.problems == ("document_root: /var/www is not a directory",)
    found = publish(survey(blocked={"/var/lib/mail_autoconfig": "/var/lib/mail_autoconfig"}))
    assert found.findings.problems == ("state_directory: /var/lib/mail_autoconfig is not a directory",)


def test_a_document_root_that_apache_may_not_enter_is_refused() -> None:
    (problem,) = publish(survey(unreachable="www-data may not enter /srv (mode 0700, user 0, group 0)")).findings.problems
    assert problem.startswith("document_root: www-data may not enter /srv (mode 0700")


def test_modules_come_with_those_that_they_need_which_come_first() -> None:
    requirements = {"ssl": (("setenvif", "socache_shmcb"), ()), "socache_shmcb": (("mime",), ())}
    found = publish(survey(EVERY_NAME, available=MODULES | {"socache_shmcb", "mime"}, requirements=requirements))
    assert found.findings.problems == ()
    order = list(found.modules)
    assert order.index("mime") < order.index("socache_shmcb") < order.index("ssl")
    assert len(order) == len(set(order))


def test_a_module_that_is_not_there_is_named() -> None:
    found = publish(survey(EVERY_NAME, available=MODULES - {"headers"}))
    assert found.findings.problems == ("Apache's module headers is needed and is not available here",)
    assert publish(survey(EVERY_NAME, available=frozenset(), loaded=MODULES)).findings.problems == ()


def test_a_module_that_something_stands_against_is_named() -> None:
    found = publish(survey(EVERY_NAME, loaded=frozenset({"gnutls"}), requirements={"ssl": ((), ("gnutls",))}))
    assert found.findings.problems == ("Apache's module ssl is needed and cannot stand beside gnutls, which is enabled",)


def test_a_port_that_comes_with_a_module_and_is_taken_is_named() -> None:
    taken = {"ssl": {443: "nginx (process 7)"}}
    (problem,) = publish(survey(EVERY_NAME, taken=taken)).findings.problems
    assert problem.startswith(
        "with the module ssl Apache would listen on port 443, which nginx (process 7) has: it could not start"
    )
    assert publish(survey(taken=taken)).findings.problems == ()


def test_a_name_that_somebody_has_stops_the_run_and_adopt_takes_the_place() -> None:
    there = survey(ground=ground(foreign("000-default"), foreign("autoconfig.server.tld", "autoconfig.server.tld")))
    (problem,) = publish(there).findings.problems
    assert problem.startswith(
        f"the virtual host at {SITES}/autoconfig.server.tld.conf:1 answers for autoconfig.server.tld already"
    )
    replaced = dataclasses.replace(
        there.ground, real={f"{SITES}/autoconfig.server.tld.conf": f"{AVAILABLE}/autoconfig.server.tld.conf"}
    )
    assert publish(survey(ground=replaced)).findings.problems[0].endswith(" already; with adopt: true ours comes in its place")
    found = publish(survey(ground=replaced), adopt=True)
    assert (found.findings.problems, found.displaced) == ((), ())
    assert f"{AVAILABLE}/autoconfig.server.tld.conf" in paths(found)


def test_an_adopted_site_of_another_name_than_ours_is_displaced() -> None:
    real = {
        f"{SITES}/{name}.conf": f"{AVAILABLE}/{name}.conf"
        for name in ("autoconfig.server.tld", "autoconfig.server.tld-ssl", "server.tld")
    }
    hosts = (
        foreign("autoconfig.server.tld", "autoconfig.server.tld"),
        foreign("autoconfig.server.tld-ssl", "autoconfig.server.tld", "*:443"),
        foreign("server.tld", "server.tld"),
    )
    there = dataclasses.replace(ground(*hosts), real=real)
    found = publish(survey(EVERY_NAME, ground=there), adopt=True)
    assert found.findings.problems == ()
    assert sites(found)[:2] == ["zz-autoconfig.server.tld", "zz-autoconfig.server.tld-ssl"]
    assert found.displaced == ("autoconfig.server.tld", "autoconfig.server.tld-ssl")


def test_a_domain_whose_name_ends_like_a_site_for_tls_is_adopted_under_its_own_name() -> None:
    found = publish(None, provider("my-ssl.tld"), adopt=True)
    assert found.adopted >= {f"{AVAILABLE}/autoconfig.my-ssl.tld.conf"}
    assert f"{AVAILABLE}/autoconfig.my.tld.conf" not in found.adopted


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = publish(
        survey(
            ground=ground(foreign("000", "autoconfig.server.tld")),
            blocked={"/var/www/autoconfig": "/var"},
            unreachable="x may not enter y",
            available=MODULES - {"headers"},
        )
    )
    assert [line.split(" ")[0] for line in found.findings.problems] == ["document_root:", "document_root:", "the", "Apache's"]


# -- a default of our own -----------------------------------------------------------------------------------------------


def default_of(found: Publications) -> str:
    """The text of the site for unknown names; empty where there is none."""
    return "".join(file.content.decode() for item in found.desired if item.provider == SHARED for file in item.files)


def test_unknown_names_come_to_us_only_where_nobody_else_has_a_site() -> None:
    assert "VirtualHost *:80" in default_of(publish(survey(EVERY_NAME)))
    assert "VirtualHost *:443" in default_of(publish(survey(EVERY_NAME)))
    beside = default_of(publish(survey(EVERY_NAME, ground=ground(foreign("000-default")))))
    assert "*:80" not in beside
    assert "*:443" in beside
    both = ground(foreign("000-default"), foreign("000-ssl", address="*:443"))
    assert default_of(publish(survey(EVERY_NAME, ground=both))) == ""


def test_without_certificate_nothing_is_said_on_the_port_of_tls() -> None:
    assert "443" not in default_of(publish())


def in_turn(*runs: tuple[str, bool], purge: bool = False) -> list[tuple[str, frozenset[str]]]:
    """Of runs for one provider each, with or without a certificate: the owner of the site for unknown names, and who goes."""
    manifest = Manifest()
    found = []
    for domain, is_secure in runs:
        certificates = {domain: facts(f"autoconfig.{domain}", f"autodiscover.{domain}")} if is_secure else {}
        done = publish(survey(certificates, manifest=manifest), provider(domain), purge=purge)
        manifest = manifest_of(done, manifest)
        found.append((manifest.providers[SHARED].of, done.dropped))
    return found


def test_runs_for_one_provider_after_the_other_leave_the_default_as_it_is() -> None:
    assert in_turn(("b.tld", True), ("a.tld", True), ("b.tld", True)) == [("b.tld", frozenset())] * 3
    assert in_turn(("b.tld", False), ("a.tld", False), ("b.tld", False)) == [("b.tld", frozenset())] * 3


def test_a_run_for_all_providers_leaves_the_default_with_the_one_that_has_it() -> None:
    certificates = {name: facts(f"autoconfig.{name}", f"autodiscover.{name}") for name in ("a.tld", "b.tld")}
    manifest = manifest_of(publish(survey(certificates), provider("b.tld")))
    both = publish(survey(certificates, manifest=manifest), provider("a.tld"), provider("b.tld"))
    assert live("b.tld").file in default_of(both)
    assert live("a.tld").file in default_of(publish(survey(certificates), provider("b.tld"), provider("a.tld")))


def test_a_default_without_tls_goes_to_the_first_provider_that_has_a_certificate() -> None:
    assert [owner for owner, _gone in in_turn(("b.tld", False), ("c.tld", True), ("b.tld", False), ("a.tld", True))] == [
        *("b.tld", "c.tld", "c.tld", "c.tld")
    ]


def test_where_the_certificate_of_the_default_is_gone_no_default_without_tls_comes_on_the_port_of_the_others() -> None:
    found = publish(survey(manifest=two()), provider("a.tld"))
    assert found.placement.defaults[443] == ("*",)
    assert "VirtualHost *:80" in default_of(found)
    assert "443" not in default_of(found)


def test_a_purged_provider_takes_its_default_along_and_the_next_one_has_its_own() -> None:
    assert in_turn(("b.tld", True), ("a.tld", True), purge=True) == [("b.tld", frozenset()), ("a.tld", frozenset({"b.tld"}))]


def test_the_default_goes_when_a_neighbour_has_become_it() -> None:
    manifest = manifest_of(publish(survey(EVERY_NAME)))
    both = ground(foreign("000-default"), foreign("000-ssl", address="*:443"))
    assert publish(survey(EVERY_NAME, ground=both, manifest=manifest)).dropped == {SHARED}


def test_the_default_goes_when_a_neighbour_has_become_it_whoever_of_ours_stays() -> None:
    both = ground(foreign("000-default"), foreign("000-ssl", address="*:443"))
    assert publish(survey(ground=both, manifest=two()), provider("b.tld")).dropped == {SHARED}


def test_the_default_is_of_one_provider_and_nothing_else_is() -> None:
    assert {item.provider: item.of for item in publish().desired} == {"server.tld": "", SHARED: "server.tld"}


def test_with_the_last_provider_the_default_is_purged_too() -> None:
    wanted = settings.read({"purge": True})
    assert publication.publish(wanted, survey(manifest=two()), Debian()).dropped == {"a.tld", "b.tld", SHARED}


# -- removal ------------------------------------------------------------------------------------------------------------


def remove(
    manifest: Manifest, *domains: str, certificates: t.Mapping[str, PairFacts] | None = None, **options: t.Any
) -> Publications:
    wanted = settings.read({**options, "providers": [provider(domain) for domain in domains]})
    return publication.remove(wanted, survey(certificates, manifest=manifest))


def two(is_secure: bool = True) -> Manifest:
    """The manifest of two providers; the site for unknown names has the certificate of a.tld."""
    names = {domain: facts(f"autoconfig.{domain}", f"autodiscover.{domain}") for domain in ("a.tld", "b.tld")}
    return manifest_of(publish(survey(names if is_secure else {}), provider("a.tld"), provider("b.tld")))


def test_the_named_provider_goes_and_its_records_are_returned() -> None:
    found = remove(two(), "b.tld", addresses=["192.0.2.7"])
    assert (found.dropped, found.desired, found.findings.problems) == ({"b.tld"}, (), ())
    assert {record.domain for record in found.records} == {"b.tld"}
    assert {record.type for record in found.records} >= {"A", "SRV"}


def test_the_default_goes_with_the_certificate_that_it_uses() -> None:
    found = remove(two(), "a.tld")
    assert found.dropped == {"a.tld", SHARED}
    assert found.findings.warnings == (
        "the site for unknown names used the certificate of a.tld and goes with it; until the next run for b.tld such names come "
        "to the first site that is left",
    )
    assert remove(two(is_secure=False), "a.tld").dropped == {"a.tld"}


def test_with_the_last_provider_everything_goes_without_a_word() -> None:
    for found in (remove(two(), "a.tld", "b.tld"), remove(two(), purge=True)):
        assert found.dropped == {"a.tld", "b.tld", SHARED}
        assert found.findings == publication.Findings()


def test_what_was_never_there_is_not_dropped() -> None:
    assert remove(Manifest(), "a.tld").dropped == frozenset()
    assert remove(two(), "c.tld").dropped == frozenset()


def test_a_domain_that_another_provider_serves_is_not_taken_from_it() -> None:
    manifest = manifest_of(publish(None, provider("a.tld", "x.tld", id="many")))
    assert remove(manifest, "x.tld").findings.problems == (
        "provider x.tld: x.tld is served on this host by provider many, which serves a.tld, x.tld: name that one",
    )


# -- purge --------------------------------------------------------------------------------------------------------------


def test_providers_that_are_not_named_go_with_purge_only() -> None:
    assert publish(survey(manifest=two()), provider("a.tld")).dropped == frozenset()
    assert publish(survey(manifest=two()), provider("a.tld"), purge=True).dropped == {"b.tld"}


# -- wildcards ----------------------------------------------------------------------------------------------------------

MANY = tuple(f"d{number}.tld" for number in range(201))


def is_wide(found: Publications) -> list[bool]:
    return [group.wide for item in found.items for group in item.groups]


def test_a_wildcard_stands_for_very_many_names_of_the_largest_provider() -> None:
    assert is_wide(publish(None, provider(*MANY))) == [True]
    assert is_wide(publish(None, provider(*MANY[:-1]))) == [False]
    more = (*MANY, "z.tld")
    assert is_wide(publish(None, provider(*MANY), provider(*(f"x{name}" for name in more)))) == [False, True]


def test_a_wildcard_of_another_run_is_the_only_one() -> None:
    manifest = manifest_of(publish(None, provider(*(f"x{name}" for name in MANY), id="other")))
    assert is_wide(publish(survey(manifest=manifest), provider(*MANY))) == [False]
    assert is_wide(publish(survey(manifest=manifest), provider(*MANY), purge=True)) == [True]


@pytest.mark.parametrize(("file", "name", "wide"), [("zzzz", "autoconfig.x.tld", False), ("zzzz", "www.x.tld", True)])
def test_a_site_that_is_read_later_keeps_its_names(file: str, name: str, wide: bool) -> None:
    there = ground(foreign("000-default"), foreign(file, name))
    assert is_wide(publish(survey(ground=there), provider(*MANY))) == [wide]


# -- PACC, records, zone files ------------------------------------------------------------------------------------------


def test_pacc_without_a_certificate_is_not_announced() -> None:
    lines = warnings(publish(survey(EVERY_NAME), pacc=True))
    assert lines[-1] == (
        "server.tld: PACC is over HTTPS alone: without a certificate that names it, a host of it is not announced"
    )


def test_a_provider_of_which_pacc_can_say_nothing_is_warned_of() -> None:
    plain = {name: [{**server, "port": port}] for (name, (server,)), port in zip(SERVERS.items(), (143, 587), strict=True)}
    odd = provider("server.tld", **plain)
    found = publish(survey(EVERY_NAME), odd, pacc=True)
    assert [line for line in warnings(found) if line.startswith("server.tld: PACC can say nothing of it")]
    assert not [name for name in found.items[0].names if name.startswith("ua-auto-config.")]


def test_the_digest_that_clients_got_until_now_stands_beside_the_new_one() -> None:
    names = {"server.tld": facts(*(f"{label}.server.tld" for label in LABELS))}
    old = publish(survey(names), pacc=True)
    new = publish(
        survey(names, manifest=manifest_of(old)),
        provider("server.tld", incoming=[{"type": "imap", "hostname": "imap.server.tld"}], id="renamed"),
        pacc=True,
    )
    (before,) = old.items[0].served.pacc
    assert new.items[0].served.pacc[1:] == (before,)
    assert new.items[0].served.pacc[0] != before


def test_records_name_the_keys_of_the_certificates_that_serve() -> None:
    found = publish(survey(EVERY_NAME), dns_tlsa=True)
    digest = hashlib.sha256(b"server.tld").hexdigest()
    assert {record.rdata.split()[-1] for record in found.records if record.type == "TLSA"} == {digest}
    assert not [record for record in publish(survey(EVERY_NAME)).records if record.type == "TLSA"]


def test_a_zone_file_belongs_to_every_provider_that_has_records_in_it() -> None:
    found = publish(None, provider("a.tld"), provider("b.tld"), dns_zone_file="/etc/bind/auto.zone")
    zones = {item.provider: [file for file in item.files if file.kind is Kind.ZONE] for item in found.desired}
    assert zones["a.tld"] == zones["b.tld"]
    (file,) = zones["a.tld"]
    assert b"_imaps._tcp.a.tld." in file.content
    assert b"_imaps._tcp.b.tld." in file.content


def test_each_domain_may_have_a_zone_file_of_its_own() -> None:
    found = publish(None, provider("a.tld", "b.tld"), dns_zone_file="/etc/bind/{domain}.zone")
    assert [path for path in paths(found, "a.tld") if "bind" in path] == ["/etc/bind/a.tld.zone", "/etc/bind/b.tld.zone"]


# -- what clients ask ---------------------------------------------------------------------------------------------------


def asked(found: Publications) -> set[str]:
    return {request.url.partition("?")[0] for request in found.requests}


def test_clients_ask_over_https_where_there_is_a_certificate() -> None:
    assert "https://autoconfig.server.tld/mail/config-v1.1.xml" in asked(publish(survey(EVERY_NAME)))
    assert "http://autoconfig.server.tld/mail/config-v1.1.xml" in asked(publish())


@pytest.mark.parametrize(("https", "scheme"), [(True, "https"), (False, "http")])
def test_the_domains_own_site_is_asked_with_well_known_alone(https: bool, scheme: str) -> None:
    own = f"{scheme}://server.tld/.well-known/autoconfig/mail/config-v1.1.xml"
    assert own in asked(publish(None, well_known=True, https=https))
    assert own not in asked(publish(None, https=https))


def test_a_domain_by_srv_is_asked_at_the_host_of_the_first() -> None:
    found = publish(survey(EVERY_NAME), provider("server.tld", "other.tld"), dns_further_domains="srv", addresses=["192.0.2.7"])
    assert not [name for name in found.items[0].names if name.endswith(".other.tld")]
    assert "https://autodiscover.server.tld/autodiscover/autodiscover.xml" in asked(found)
    assert not [url for url in asked(found) if "autoconfig.other.tld" in url]


# -- manifests of other instances of ours -------------------------------------------------------------------------------


def test_a_port_of_tls_is_looked_at_as_long_as_anybody_of_ours_is_there() -> None:
    manifest = Manifest(
        providers={"other": Holding(("o.tld",), {"/x": Owned(Kind.DOCUMENT, ())}, {"sites": ("autoconfig.o.tld-ssl",)})}
    )
    assert 443 in publish(survey(manifest=manifest)).placement.addresses
    assert 443 not in publish().placement.addresses


def test_logins_are_a_table_for_the_web_servers_group_alone() -> None:
    found = publish(survey(web_group=33), provider("a.tld"), provider("b.tld"), logins={"jo@b.tld": "j"})
    files = {file.path: file for item in found.desired for file in item.files}
    table = files["/var/lib/mail_autoconfig/logins/b.tld.txt"]
    assert (table.kind, table.gid, table.kind.mode, table.kind.is_secret) == (Kind.LOGINS, 33, 0o640, True)
    assert {path.split("/")[4] for path in files if "/personal-config" in path} == {"b.tld"}
    assert "b.tld: logins: K-9, KMail and Geary ask without the address, and get the user name that follows from it" in warnings(
        found
    )
    assert not [line for line in warnings(found) if line.startswith("a.tld: logins")]


def test_a_user_name_that_follows_in_a_way_of_its_own_is_told() -> None:
    servers = {"incoming": [{"type": "imap", "hostname": "x.tld", "username": "%EMAILLOCALPART%.x"}]}
    found = publish(None, provider("a.tld", **servers), logins={"jo@a.tld": "j"})
    stays = "only %EMAILADDRESS% or %EMAILLOCALPART% alone is replaced by a login"
    assert f"a.tld: logins: the user name %EMAILLOCALPART%.x stays: {stays}" in warnings(found)


def test_logins_need_the_responder() -> None:
    found = publish(None, responder="none", logins={"jo@server.tld": "j"})
    assert found.findings.problems == ("logins: needs the responder, which needs Apache's module lua (responder: lua)",)


# -- who reads whose names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "options", "named"),
    [
        (2, {}, True),
        (2, {"list_domains": False}, False),
        (6, {}, False),
        (6, {"pacc": True, "logins": {"jo@customer1.tld": "j"}}, False),
    ],
)
def test_no_document_of_a_provider_names_the_domains_of_other_customers(
    count: int, options: dict[str, t.Any], named: bool
) -> None:
    domains = [f"customer{number}.tld" for number in range(count)]
    found = publish(survey(), provider(*domains, id="hosting.tld", display_name="Hosting"), **options)
    documents = {document.path: document.content.decode() for item in found.items for document in item.documents}
    assert {"mail/config-v1.1.xml", "autodiscover/autodiscover.xml"} < set(documents)
    naming = [path for path, text in documents.items() if any(domain in text for domain in domains)]
    assert naming == (["mail/config-v1.1.xml"] if named else [])
