"""What a run says of itself."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import plan, report
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate, Origin
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.rehearsal import Rehearsal
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import Outcome
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.manifest import Manifest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.plan import Current, FileState
from ansible_collections.mailops.autoconfig.plugins.modules import mail_autoconfig

from tests.unit.test_publication import EVERY_NAME, facts, provider, publish, survey

if t.TYPE_CHECKING:
    from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.publication import Publications

NOTHING = Current({}, {}, Manifest())
DONE = Outcome(running=True, reloaded=True, asked=7)


def result(
    found: Publications, outcome: Outcome = DONE, current: Current = NOTHING, wanted: t.Collection[str] | None = None
) -> dict[str, t.Any]:
    made = plan.make(found.desired, found.dropped, found.modules, current, "/etc/apache2")
    return report.result(found, made, current, Rehearsal(True), outcome, wanted)


def after(found: Publications) -> Current:
    """The host after a run."""
    files = {file.path: FileState("file", file.content, 0o644) for item in found.desired for file in item.files}
    enabled = {kind: [name for item in found.desired for name in item.enabled.get(kind, ())] for kind in ("conf", "sites")}
    manifest = Manifest("/etc/apache2", {item.provider: item.holding() for item in found.desired})
    return Current(files, {**enabled, "mods": found.modules}, manifest)


def test_a_first_run_tells_everything_that_it_has_made() -> None:
    found = publish(survey(EVERY_NAME))
    told = result(found)
    assert told["changed"] is True
    assert told["changed_files"] == sorted(file.path for item in found.desired for file in item.files)
    assert told["enabled"]["sites"] == ("autoconfig-default", "autoconfig.server.tld", "autoconfig.server.tld-ssl")
    assert "ssl" in told["enabled"]["mods"]
    assert {entry["before"] for entry in told["diff"]} == {""}
    assert (told["rehearsed"], told["rehearsal"], told["reloaded"], told["asked"]) == (True, "", True, 7)


def test_a_second_run_tells_that_nothing_has_changed() -> None:
    found = publish(survey(EVERY_NAME))
    told = result(found, Outcome(running=True), after(found))
    assert (told["changed"], told["changed_files"], told["diff"], told["needs_reload"]) == (False, [], [], False)


@pytest.mark.parametrize(
    ("outcome", "needs"),
    [
        (Outcome(running=True, reloaded=True), False),
        (Outcome(running=True, reloaded=False), True),
        # One that is started later reads everything then.
        (Outcome(running=False, reloaded=False), False),
    ],
)
def test_a_reload_is_left_to_do_only_where_apache_runs_with_what_it_read_before(outcome: Outcome, needs: bool) -> None:
    assert result(publish(), outcome)["needs_reload"] is needs


def test_few_domains_come_with_their_lists() -> None:
    told = result(publish(None, provider("server.tld"), addresses=["192.0.2.7"]))
    assert {entry["client"] for entry in told["urls"]} >= {"Delta Chat"}
    assert {record["type"] for record in told["dns_records"]} >= {"A", "SRV"}
    assert ["192.0.2.7"] in [entry["rdata"] for entry in told["dns_record_sets"]]


def test_many_domains_come_without_lists_unless_they_are_wanted() -> None:
    many = [f"d{number}.tld" for number in range(201)]
    assert set(report.LISTS) & set(result(publish(None, provider(*many)))) == set()
    assert set(report.LISTS) <= set(result(publish(None, provider(*many[:-1]))))
    told = result(publish(None, provider(*many)), wanted=("dns_records",))
    assert set(report.LISTS) & set(told) == {"dns_records"}
    assert {record["domain"] for record in told["dns_records"]} == set(many)


def test_lists_that_nobody_wants_are_left_out() -> None:
    assert set(report.LISTS) & set(result(publish(), wanted=())) == set()


def test_each_host_name_is_told_with_its_certificate_or_why_it_has_none() -> None:
    day = 86400
    found = facts("autoconfig.server.tld", begins=0, ends=90 * day, origin=Origin.CERTBOT)
    told = result(publish(survey({"server.tld": found}, moment=60.5 * day)))
    assert told["certificate_names"] == [
        {
            "name": "autoconfig.server.tld",
            "domain": "server.tld",
            "provider": "server.tld",
            "certificate_file": "/etc/letsencrypt/live/server.tld/fullchain.pem",
            "certificate_key_file": "/etc/letsencrypt/live/server.tld/privkey.pem",
            "reason": "certbot",
            "days_left": 29,
            "lifetime_left": 0.33,
        },
        {
            "name": "autodiscover.server.tld",
            "domain": "server.tld",
            "provider": "server.tld",
            "reason": "no certificate on this host names it",
        },
    ]


def test_certificates_that_nobody_uses_any_more_are_told() -> None:
    def pair(lineage: str) -> Certificate:
        return Certificate(f"/etc/letsencrypt/live/{lineage}/fullchain.pem", f"/etc/letsencrypt/live/{lineage}/privkey.pem")

    former = {Certificate("/tls/former.pem", "/tls/former.key"): True, pair("shop.tld"): False, pair("autoconfig.a.tld"): True}
    found = result(publish(survey(EVERY_NAME, left=former)))["certificates_obsolete"]
    # One that names others too may serve a mail server.
    assert {entry["certificate_file"]: entry["delete_command"] for entry in found} == {
        "/tls/former.pem": "",
        "/etc/letsencrypt/live/shop.tld/fullchain.pem": "",
        "/etc/letsencrypt/live/autoconfig.a.tld/fullchain.pem": "certbot delete --cert-name autoconfig.a.tld",
    }


def test_every_key_is_documented() -> None:
    documented = set(yaml.safe_load(mail_autoconfig.RETURN))
    # These two are Ansible's own; what the run adds of the host itself is not of the report.
    assert {*result(publish()), "timers"} - {"changed", "diff"} == documented - {"problems", "details", "rolled_back"}


def test_of_very_many_warnings_the_first_are_shown_and_how_many_more_there_are() -> None:
    lines = [f"w{number}" for number in range(57)]
    assert report.shown(lines) == (*lines[:-7], "and 7 more warnings, which come when these are gone")
    assert report.shown(lines[:-6]) == (*lines[:-7], "and 1 more warnings, which come when these are gone")
    assert report.shown(lines[:-7]) == tuple(lines[:-7])


def test_several_turns_of_a_run_are_told_as_one() -> None:
    nothing = {**result(publish(), outcome=Outcome(running=True)), "changed": False}
    first = {
        **result(publish()),
        "changed": True,
        "changed_files": ["/b"],
        "enabled": {"mods": ("md",), "sites": ("a",)},
        "disabled": {},
        "diff": [1],
        "rehearsed": True,
        "reloaded": True,
        "asked": 2,
    }
    last = {**first, "changed_files": ["/a", "/b"], "enabled": {"mods": ("ssl",)}, "diff": [2], "asked": 3}
    last.update(rehearsed=False, rehearsal="not allowed")
    assert report.together([nothing]) == nothing
    assert report.together([nothing, nothing]) == nothing
    found = report.together([first, nothing, last])
    assert found["changed_files"] == ["/a", "/b"]
    assert found["enabled"] == {"mods": ("md", "ssl"), "sites": ("a",)}
    assert (found["changed"], found["diff"], found["asked"]) == (True, [1, 2], 5)
    assert (found["rehearsed"], found["rehearsal"]) == (False, "not allowed")
    only_read = {**last, "changed_files": [], "enabled": {"mods": ()}}
    assert report.together([first, only_read])["rehearsed"]
    assert report.together([first, nothing])["changed"]
