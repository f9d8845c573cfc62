#!/usr/bin/python

# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_autoconfig_dns
short_description: Push DNS records to a name server by dynamic update
version_added: 0.1.0
description:
  - Makes zones hold exactly the given record sets, and touches no others but those that are O(obsolete), by dynamic updates (RFC 2136) that are signed
    (TSIG, RFC 8945). A record set is all records of one owner and type; records of the same owner and type that are not given
    are removed.
  - Takes the records as M(mailops.autoconfig.mail_autoconfig) returns them, and any others of the types A, AAAA, CAA, CNAME,
    HTTPS, MX, NAPTR, PTR, SRV, SSHFP, SVCB, TLSA, TXT and URI.
  - What the server has is read and compared first. If nothing differs, no update is sent.
  - Each zone is changed by one update, as a whole or not at all. Only if the changes of a zone do not fit into one message
    (64 KiB, some hundred record sets) there are several, each as a whole or not at all.
  - Each update demands that the record sets that it changes are still as they were read; a change by somebody else in between
    makes it fail without changing anything. The TTL alone is not compared, because RFC 2136 has no means for it.
  - After the updates the record sets are read again; if they are not as wanted, the module fails.
author:
  - The mailops.autoconfig authors (@mailops)
requirements:
  - Python 3.9 or newer and dnspython 2.3 or newer on the host that it runs on, which is best the controller
attributes:
  check_mode:
    description:
      - Shows what would change, with the same difference as the real run, and changes nothing.
      - Where a wildcard might answer for an owner, the server is asked by an update message with a condition and without any
        change, in both modes.
    support: full
  diff_mode:
    description: Shows records as in a zone file, at most 1000 record sets.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: BIND 9.18 and Knot DNS 3.2 are tested.
    platforms: posix
    support: full
options:
  state:
    description:
      - V(present) makes the record sets what is given.
      - V(absent) removes the record sets whose data is exactly the given, with whatever TTL; others are kept, and a warning
        names them.
    type: str
    choices: [present, absent]
    default: present
  server:
    description: Address or host name of the zones' primary server. It is asked over TCP only.
    type: str
    required: true
  port:
    description: TCP port of the server.
    type: int
    default: 53
  zones:
    description:
      - Names of the zones that the records belong to, one or many; a record belongs to the innermost that it lies in.
      - If this is empty, the server is asked for the zone of each owner.
    type: list
    elements: str
    default: []
  records:
    description: The records, or none, with which nothing is done. A record that is given twice counts once.
    type: list
    elements: dict
    required: true
    suboptions: &record
      owner:
        description: Absolute name, with its final dot. Required.
        type: str
      type:
        description: Type, for example V(SRV). Required.
        type: str
      ttl:
        description: Time to live in seconds, the same for all records of an owner and type. Required.
        type: int
      rdata:
        description: The data as in a zone file, with absolute names. Required.
        type: str
      domain:
        description: Not used; M(mailops.autoconfig.mail_autoconfig) says here which mail domain the record belongs to.
        type: str
      fields:
        description: Not used; the same as O(records[].rdata), field by field.
        type: dict
  obsolete:
    description:
      - Records that shall be there no more, as M(mailops.autoconfig.mail_autoconfig) returns them in C(dns_records_obsolete). They go
        in the same update, so that an alias (CNAME) may take the place of other records of its owner, or they that of an alias.
      - A record set goes if its data is exactly the given, with whatever TTL; others are kept, and a warning names them. A record
        set that is among O(records), too, is left to that.
      - Records in zones that are not among O(zones), or that the server does not have, are left, and a warning names them.
    type: list
    elements: dict
    default: []
    suboptions: *record
  key_name:
    description: Name of the TSIG key, as the server has it.
    type: str
    required: true
  key_secret:
    description: The secret of the key in base64.
    type: str
    required: true
  key_algorithm:
    description: Algorithm of the key, as the server has it.
    type: str
    choices: [hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
    default: hmac-sha256
  timeout:
    description: How many seconds to wait for the server, each time.
    type: int
    default: 10
notes:
  - All zones are read before the first is changed. Then they are changed one after the other. A zone that is not there, that
    refuses, or in which something is in the way, fails alone. The module then fails at the end, its message and RV(zones) say which
    zones failed and why, and the next run does what is left. Only where the server does not answer any more is the rest not tried.
  - A module shows nothing while it runs. To follow thousands of zones, loop over batches of them, as in the examples.
  - With more than 50 record sets in a zone the whole zone is fetched if the key may do so (AXFR), which is quicker than a query
    for each.
  - A record set beside which a CNAME stands (or the other way round) is an error of its zone, because servers ignore such updates,
    unless what is in the way goes with the same push (O(obsolete)).
seealso:
  - module: mailops.autoconfig.mail_autoconfig
"""

EXAMPLES = r"""
- name: Publish the settings on the mail server
  mailops.autoconfig.mail_autoconfig:
    domain: server.tld
    addresses: [203.0.113.7]
  register: autoconfig

- name: Push their records to the name server, from the controller, and take away those that are not wanted any more
  mailops.autoconfig.mail_autoconfig_dns:
    server: ns.server.tld
    zones: [server.tld]
    records: '{{ autoconfig.dns_records }}'
    obsolete: '{{ autoconfig.dns_records_obsolete }}'
    key_name: autoconfig-key
    key_secret: '{{ vault_autoconfig_key }}'
  delegate_to: localhost

- name: Push the records of very many domains, a thousand in each step that is seen
  mailops.autoconfig.mail_autoconfig_dns:
    server: ns.server.tld
    zones: '{{ item }}'
    records: '{{ autoconfig.dns_records | selectattr("domain", "in", item) }}'
    key_name: autoconfig-key
    key_secret: '{{ vault_autoconfig_key }}'
  loop: '{{ domains | batch(1000) }}'
  loop_control:
    label: '{{ item | first }} ... {{ item | last }}'
  delegate_to: localhost

- name: Take the records away again
  mailops.autoconfig.mail_autoconfig_dns:
    state: absent
    server: ns.server.tld
    records: '{{ autoconfig.dns_records }}'
    key_name: autoconfig-key
    key_secret: '{{ vault_autoconfig_key }}'
  delegate_to: localhost
"""

RETURN = r"""
zones:
  description:
    - What was changed (or would be), a zone each, sorted. The lists name record sets by owner and type.
    - Also when zones fail. Of a zone that needed several updates, a part may be done.
  returned: success, and when zones fail
  type: list
  elements: dict
  contains:
    zone:
      description: The zone, with its final dot; empty for all owners for which the server has no zone.
      type: str
    changed:
      description: Whether anything in it was changed.
      type: bool
    added:
      description: Record sets that were not there.
      type: list
      elements: str
    replaced:
      description: Record sets that had other data or another TTL.
      type: list
      elements: str
    removed:
      description: Record sets that were taken away, with O(state=absent) or because they are O(obsolete).
      type: list
      elements: str
    kept:
      description: Record sets that were not taken away because their data is not the given.
      type: list
      elements: str
    failed:
      description: Why not all of it is as wanted; empty if it is.
      type: str
  sample:
    - zone: server.tld.
      changed: true
      added: [_imaps._tcp.server.tld. SRV]
      replaced: []
      removed: []
      kept: []
      failed: ''
gone:
  description: >-
    The records of O(obsolete) that the server does not have any more, or has not had at all. Nothing of zones that failed, and
    nothing that was kept or left. The option C(dns_records_gone) of M(mailops.autoconfig.mail_autoconfig) takes it.
  returned: success, and when zones fail
  type: list
  elements: dict
  sample:
    - domain: former.tld
      owner: _imaps._tcp.former.tld.
      type: SRV
      rdata: 0 1 993 mail.server.tld.
problems:
  description: Everything that is wrong with the input, a line each.
  returned: when nothing is sent because of it
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.findings import some
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import library, plan, push, records
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import Exchange, ServerError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.server import NameServer


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, and unless in check mode push; the result for exit_json."""
    options = records.read(module.params)
    with Exchange(options.server, options.port, options.key, options.timeout) as exchange:
        server = NameServer(exchange)
        prepared = push.prepare(options, server)
        plans = prepared.plans
        reports = push.foretell(plans) if module.check_mode else push.push(plans, server)
    for report in reports:
        if report["kept"]:
            module.warn(f"zone {report['zone']}: kept, because the data is not the given: {', '.join(report['kept'])}")
    if prepared.left:
        module.warn(
            "obsolete records in zones that are not given, or that the server does not have or tell, are left: "
            f"{some([str(rrset) for rrset in prepared.left])}"
        )
    return {
        "changed": any(report["changed"] for report in reports),
        "zones": reports,
        "gone": records.chosen(module.params["obsolete"], push.gone(plans, reports)),
        "diff": plan.diffs(plans),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=records.argument_spec(), supports_check_mode=True)
    if library.MISSING:
        module.fail_json(msg=missing_required_lib("dnspython>=2.3"), exception=library.MISSING)
    try:
        result = run(module)
    except InputError as exc:
        msg = "The records cannot be pushed, and nothing was changed:\n" + str(exc)
        module.fail_json(msg=msg, problems=list(exc.problems))
    except ServerError as exc:
        module.fail_json(msg=f"Nothing was changed: {exc}.", zones=[])
    summary = push.summary(result["zones"])
    if summary:
        module.fail_json(msg=summary, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
