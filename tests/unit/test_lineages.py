"""Which lineages certbot is asked for."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import lineages
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import AcmeOptions
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import (
    Certificate,
    Certificates,
    Origin,
    PairFacts,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.lineages import Failure, Lineage, Store
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.orders import WINDOW, Addresses, Ledger

DAY = 86400
NOW = 1_800_000_000
HERE = Addresses(("203.0.113.7",))
NAMES = ("autoconfig.a.tld", "autodiscover.a.tld")
STORE = Store("/etc/letsencrypt", is_installed=True, is_renewing=True)
DIRECTORY = AcmeOptions().directory


def names(*domains: str) -> dict[str, tuple[str, ...]]:
    return {domain: (f"autoconfig.{domain}", f"autodiscover.{domain}") for domain in domains}


def pair(lineage: str) -> Certificate:
    return Certificate(f"/etc/letsencrypt/live/{lineage}/fullchain.pem", f"/etc/letsencrypt/live/{lineage}/privkey.pem")


def facts(*hosts: str, days_left: int = 80, **changes: t.Any) -> PairFacts:
    ends = NOW + days_left * DAY
    return PairFacts(names=hosts, begins=ends - 90 * DAY, ends=ends, **{"origin": Origin.CERTBOT, **changes})


def plan(
    pairs: dict[Certificate, PairFacts] | None = None,
    domains: tuple[str, ...] = ("a.tld",),
    elsewhere: dict[str, Addresses] | None = None,
    options: AcmeOptions | None = None,
    **store: t.Any,
) -> lineages.Lineages:
    wanted = names(*domains)
    found = Certificates("/{domain}.pem", "/{domain}.key", pairs or {})
    addresses = {name: HERE for hosts in wanted.values() for name in hosts} | (elsewhere or {})
    ledger = Ledger(addresses=addresses, own=frozenset(HERE.found), now=NOW)
    return lineages.plan(wanted, found, dataclasses.replace(STORE, **store), ledger, options or AcmeOptions())


def test_a_domain_without_a_certificate_gets_a_lineage_of_its_own() -> None:
    found = plan()
    assert found.ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES)}
    assert (found.findings.problems, found.findings.warnings) == ((), ())


def test_what_any_good_certificate_names_is_not_ordered() -> None:
    for pairs in (
        {pair("mail"): facts("mail.a.tld", *NAMES)},
        {pair("mail"): facts("*.a.tld", origin=Origin.NEIGHBOUR)},
        {pair("1"): facts(NAMES[0]), pair("2"): facts(NAMES[1], origin=Origin.MOD_MD)},
    ):
        assert plan(pairs).ordered == {}


def test_what_nobody_renews_any_more_is_ordered_before_it_ends() -> None:
    assert plan({pair("a.tld"): facts("*.a.tld", days_left=31)}).ordered == {}
    assert plan({pair("a.tld"): facts("*.a.tld", days_left=29)}).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES)}
    assert plan({pair("a.tld"): facts("*.a.tld", problem="it has expired")}).ordered == {
        "a.tld": Lineage("autoconfig.a.tld", NAMES)
    }


def test_names_that_lead_elsewhere_are_left_out_and_do_not_keep_the_others_from_being_renewed() -> None:
    gone = {NAMES[1]: Addresses(("192.0.2.1",))}
    found = plan(elsewhere=gone)
    assert found.ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES[:1])}
    assert found.missing == {NAMES[1]: "leads to 192.0.2.1, which is not this host"}
    assert found.why_none(NAMES[1], "a.tld") == "not ordered: it leads to 192.0.2.1, which is not this host"
    # One with a certificate for the other name is complete as far as it can be.
    assert plan({pair("autoconfig.a.tld"): facts(NAMES[0])}, elsewhere=gone).ordered == {}
    # certbot renews a lineage for all its names or not at all.
    ending = {pair("autoconfig.a.tld"): facts(*NAMES, days_left=20)}
    assert plan(ending, elsewhere=gone).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES[:1])}


def signing(
    pairs: dict[Certificate, PairFacts] | None = None, elsewhere: dict[str, Addresses] | None = None, **store: t.Any
) -> lineages.Lineages:
    """What is ordered for the host whose certificate signs, beside a mail domain that has one."""
    pairs = {pair("autoconfig.a.tld"): facts(*NAMES), **(pairs or {})}
    addresses = dict.fromkeys((SIGNER, *NAMES), HERE) | (elsewhere or {})
    ledger = Ledger(addresses=addresses, own=frozenset(HERE.found), now=NOW)
    found = Certificates("/{domain}.pem", "/{domain}.key", pairs)
    apart = lineages.Apart(SIGNER, {SIGNER: NAMES[0]})
    store = dataclasses.replace(STORE, **store)
    return lineages.plan({SIGNER: (SIGNER,), **names("a.tld")}, found, store, ledger, AcmeOptions(), apart)


SIGNER = "profiles.a.tld"
ITS_OWN = {SIGNER: Lineage(f"autoconfig.{SIGNER}", (SIGNER,))}


def test_what_signs_has_a_lineage_of_its_own_whatever_else_names_it() -> None:
    assert signing().ordered == ITS_OWN
    assert signing({pair("x"): facts("*.a.tld")}).ordered == ITS_OWN
    assert signing({pair("x"): facts(SIGNER, "www.a.tld")}).ordered == ITS_OWN
    assert signing({pair("x"): facts(SIGNER, problem="it has expired")}).ordered == ITS_OWN
    assert signing({pair("x"): facts(SIGNER, days_left=20)}).ordered == ITS_OWN


def test_a_certificate_for_what_signs_alone_will_do_and_need_not_be_for_servers() -> None:
    own = pair(f"autoconfig.{SIGNER}")
    found = signing({own: facts(SIGNER)}, taken=frozenset(lineages.names_of(SIGNER)))
    assert (found.ordered, found.own[SIGNER]) == ({}, own)
    assert signing({pair("x"): facts(SIGNER, problem="not for servers", is_for_others=True)}).ordered == {}
    again = signing({own: facts(SIGNER, days_left=20)}, taken=frozenset(lineages.names_of(SIGNER)))
    assert again.ordered == ITS_OWN


def test_what_signs_is_ordered_only_where_the_host_leads_here_that_answers_for_it() -> None:
    there = Addresses(("192.0.2.1",))
    found = signing(elsewhere={NAMES[0]: there})
    assert (found.ordered, found.missing) == (
        {},
        {SIGNER: "is answered for by autoconfig.a.tld, which leads to 192.0.2.1, which is not this host"},
    )
    assert signing(elsewhere={SIGNER: there}).missing == {SIGNER: "leads to 192.0.2.1, which is not this host"}


MAIL = "mail.a.tld"


def widened(
    pairs: dict[Certificate, PairFacts],
    elsewhere: dict[str, Addresses] | None = None,
    extra: tuple[str, ...] = (MAIL,),
    **store: t.Any,
) -> lineages.Lineages:
    """What is ordered where the certificate is to have the name of the mail server."""
    addresses = dict.fromkeys((MAIL, *NAMES), HERE) | (elsewhere or {})
    ledger = Ledger(addresses=addresses, own=frozenset(HERE.found), now=NOW)
    apart = lineages.Apart("", dict.fromkeys(extra, NAMES[0]))
    found = Certificates("/{domain}.pem", "/{domain}.key", pairs)
    return lineages.plan({"a.tld": (*NAMES, *extra)}, found, dataclasses.replace(STORE, **store), ledger, AcmeOptions(), apart)


OURS = pair("autoconfig.a.tld")
WITH_MAIL = {"a.tld": Lineage("autoconfig.a.tld", (*NAMES, MAIL))}
BY_US = {"autoconfig.a.tld": frozenset({*NAMES, MAIL})}


def test_a_further_name_is_in_our_lineage_whatever_else_names_it() -> None:
    assert widened({}).ordered == WITH_MAIL
    assert widened({pair("x"): facts(*NAMES, MAIL)}).ordered == WITH_MAIL
    assert widened({OURS: facts(*NAMES), pair("x"): facts(MAIL)}).ordered == WITH_MAIL
    there = widened({OURS: facts(*NAMES, MAIL)}, validated=BY_US)
    assert (there.ordered, there.own) == ({}, {"a.tld": OURS})


def test_a_further_name_that_leads_elsewhere_is_left_out_with_the_reason() -> None:
    gone = {MAIL: Addresses(("192.0.2.1",))}
    assert widened({}, gone).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES)}
    assert widened({OURS: facts(*NAMES)}, gone).ordered == {}
    found = widened({OURS: facts(*NAMES)}, {NAMES[0]: Addresses(("192.0.2.1",))})
    assert found.missing == {MAIL: "is answered for by autoconfig.a.tld, which leads to 192.0.2.1, which is not this host"}


def test_a_name_that_is_not_wanted_any_more_leaves_our_lineage_and_nobody_elses() -> None:
    wide = {OURS: facts(*NAMES, MAIL)}
    taken = {"taken": frozenset({"autoconfig.a.tld"})}
    assert widened(wide, extra=(), validated=BY_US, **taken).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES)}
    # Somebody has put in a name that is validated elsewhere.
    theirs = widened(wide, extra=(), validated={"autoconfig.a.tld": frozenset(NAMES)}, **taken)
    assert (theirs.own, theirs.ordered) == ({}, {})
    ending = widened({OURS: facts(*NAMES, MAIL, days_left=20)}, extra=(), **taken)
    assert ending.ordered == {"a.tld": Lineage("autoconfig.a.tld-mail_autoconfig", NAMES)}


def test_a_certbot_that_knows_no_profiles_is_refused_where_one_is_wished() -> None:
    wished = AcmeOptions(profile="tlsserver")
    assert plan(options=wished).findings.problems == plan(takes_profiles=False).findings.problems == ()
    (problem,) = plan(options=wished, takes_profiles=False).findings.problems
    assert problem.startswith("acme_profile: this certbot is older than 4.0 and knows no profiles")


def test_a_silent_name_server_takes_no_name_out_of_a_lineage() -> None:
    silent = {NAMES[1]: Addresses(failure="could not be looked up")}
    ending = {pair("autoconfig.a.tld"): facts(*NAMES, days_left=20)}
    assert plan(ending, elsewhere=silent).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES)}
    assert plan(elsewhere=silent).ordered == {"a.tld": Lineage("autoconfig.a.tld", NAMES[:1])}


def test_a_lineage_is_ours_if_it_names_nothing_else() -> None:
    assert lineages.is_ours(NAMES)
    assert lineages.is_ours(("ua-auto-config.a.tld",))
    for others in ((), ("a.tld",), ("*.a.tld",), (*NAMES, "www.a.tld"), (*NAMES, "autoconfig.b.tld")):
        assert not lineages.is_ours(others)


def test_a_record_that_comes_later_widens_the_lineage_that_is_there() -> None:
    for name in lineages.names_of("a.tld"):
        found = plan({pair(name): facts(NAMES[0])}, taken=frozenset(lineages.names_of("a.tld")))
        assert (found.own, found.ordered) == ({"a.tld": pair(name)}, {"a.tld": Lineage(name, NAMES)})


def test_a_lineage_of_another_name_is_somebody_elses() -> None:
    """It may be renewed in another way, by DNS for example."""
    found = plan({pair("by-hand"): facts(NAMES[0])})
    assert (found.own, found.ordered) == ({}, {"a.tld": Lineage("autoconfig.a.tld", NAMES)})


def test_a_name_that_is_taken_is_never_used() -> None:
    first, second = lineages.names_of("a.tld")
    # It names the web site too.
    theirs = {pair(first): facts(NAMES[0], "www.a.tld")}
    found = plan(theirs, taken=frozenset({first}))
    assert (found.own, found.ordered) == ({}, {"a.tld": Lineage(second, NAMES)})
    found = plan(theirs, taken=frozenset({first, second}))
    assert (found.ordered, found.nameless) == ({}, ("a.tld",))
    (warning,) = found.findings.warnings
    assert warning.startswith(f"certbot cannot order for a.tld: in /etc/letsencrypt the lineages {first} and {second} are")
    assert found.why_none(NAMES[1], "a.tld") == "not ordered: no name is free for its lineage"


def test_after_a_failure_an_authority_is_left_alone_until_it_may_be_asked_again() -> None:
    failure = Failure(NOW - 3599, DIRECTORY, "no valid A records", NOW + 1)
    found = plan(failures={"a.tld": failure}, domains=("a.tld", "b.tld"))
    assert (found.failed, list(found.ordered)) == ({"a.tld": failure}, ["b.tld"])
    assert found.why_none(NAMES[0], "a.tld") == "the order failed: no valid A records"
    (warning,) = found.findings.warnings
    assert warning.startswith("certbot has no certificate for a.tld: no valid A records; ")
    assert warning.endswith(f"not tried again before {lineages.when_again(failure)}")
    for other in (
        dataclasses.replace(failure, until=NOW),
        # A clock that was wrong.
        dataclasses.replace(failure, at=NOW + 60),
        dataclasses.replace(failure, directory="https://other.tld/dir"),
        dataclasses.replace(failure, until=0),
    ):
        assert list(plan(failures={"a.tld": other}).ordered) == ["a.tld"]


def test_more_than_the_authority_takes_is_left_to_later_runs() -> None:
    options = AcmeOptions(new_orders=3)
    issued = (NOW - WINDOW - 1, NOW - WINDOW + 60)
    found = plan(domains=("a.tld", "b.tld", "c.tld"), options=options, issued=issued)
    assert (list(found.ordered), found.later, found.later_at) == (["a.tld", "b.tld"], ("c.tld",), NOW + 60)
    assert found.why_none("autoconfig.c.tld", "c.tld") == "a later run orders it"


def test_without_certbot_it_is_refused_and_without_a_timer_told() -> None:
    found = plan(is_installed=False)
    assert [line.partition(":")[0] for line in found.findings.problems] == ["certificates"]
    assert "install the package certbot" in found.findings.problems[0]
    (warning,) = plan(is_renewing=False).findings.warnings
    assert warning.startswith("nothing was found that runs certbot renew for /etc/letsencrypt by itself")


def test_a_name_that_no_public_authority_certifies_is_refused() -> None:
    (problem,) = plan(domains=("a.local",)).findings.problems[:1]
    assert problem.startswith("certificates: autoconfig.a.local: no public authority")


def test_the_command_that_deletes_is_told_for_lineages_of_certbot_alone() -> None:
    assert lineages.deletion(pair("autoconfig.a.tld"), "/etc/letsencrypt") == "certbot delete --cert-name autoconfig.a.tld"
    assert lineages.deletion(Certificate("/tls/a.pem", "/tls/a.key"), "/etc/letsencrypt") == ""
    elsewhere = Certificate("/srv/le x/live/a/fullchain.pem", "/srv/le x/live/a/privkey.pem")
    assert lineages.deletion(elsewhere, "/srv/le x") == "certbot delete --cert-name a --config-dir '/srv/le x'"
