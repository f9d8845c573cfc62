#!/usr/bin/python

# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_autoconfig_check
short_description: Ask as mail clients ask, and say what is wrong and what mends it
version_added: 0.1.0
description:
  - Says of mail domains whether an address and a password are enough for mail clients to set themselves up, and if not, which
    record, certificate, document or server is at fault, which clients it hits, and what takes it away.
  - Each client's own sequence of questions is made as the client makes it; then the mail servers at which clients end are asked,
    and with O(address) and O(password) a login is tried by IMAP, POP3 and SMTP. No mail is read or sent, and no mailbox changed.
  - Works for any domain, also for one that M(mailops.autoconfig.mail_autoconfig) does not publish.
  - Changes nothing. It writes the O(reports) that are asked for, in check mode too, and nothing else.
author:
  - The mailops.autoconfig authors (@mailops)
requirements:
  - Python 3.9 or newer and dnspython 2.3 or newer on the host that it runs on, which is best the controller
attributes:
  action:
    description: Has an action plugin of the same name, which writes and prints the reports on the controller.
    support: full
  check_mode:
    description: Does the same as without check mode, because nothing is changed.
    support: full
  diff_mode:
    description: Nothing is changed, so that there is no difference to show.
    support: none
  idempotent:
    description: Asks anew each time; what it finds may have changed meanwhile.
    support: full
  platform:
    description: Any with sockets.
    platforms: posix
    support: full
options:
  domains:
    description: Mail domains to check.
    type: list
    elements: str
    required: true
  providers:
    description:
      - What is wanted, as O(ignore:providers) of M(mailops.autoconfig.mail_autoconfig). What differs from it is a finding.
      - Without it, what the domain publishes first is held against what it publishes elsewhere.
    type: list
    elements: dict
    default: []
  published:
    description:
      - What M(mailops.autoconfig.mail_autoconfig) or the role has returned. Its RV(ignore:dns_records) must be in DNS, its
        RV(ignore:urls) must answer.
    type: dict
    default: {}
  address:
    description:
      - A mail address of one of the domains. The clients of this domain are played with it; those of others, and all without it,
        with C(postmaster).
    type: str
  login:
    description:
      - The login name of O(address), where it does not follow from it, as O(mailops.autoconfig.mail_autoconfig#module:logins) has it.
    type: str
  password:
    description:
      - The password of O(address). With it a login is tried.
      - It goes only to servers that O(providers) name, or, without those, that the domain's own hosts name over verified HTTPS;
        only inside TLS with a verified certificate; never to a host that DNS alone names. It is in no result, log or report.
    type: str
  resolver:
    description: Resolvers to ask instead of the system's, as C(address), C(address:port) or C([address]:port).
    type: list
    elements: str
    default: []
  addresses:
    description:
      - Addresses of host names in place of those in DNS, for example to check a server before the records lead to it.
      - A name with one address or a list of them.
    type: dict
    default: {}
  ca_file:
    description: Certificates of authorities to trust instead of the system's.
    type: path
  ports:
    description: Ports in place of 53, 80 and 443, for trials, for example C({443, 8443}) as a mapping.
    type: dict
    default: {}
  timeout:
    description: Seconds that one question may take.
    type: int
    default: 5
  parallel:
    description: How many domains are checked at the same time.
    type: int
    default: 16
  ispdb:
    description: Whether to ask Mozilla's database (ISPDB) too, as several clients do. The domain then becomes known to its operator.
    type: bool
    default: false
  fail_on:
    description: Fail if there is a finding of this severity, or a worse one. Reports are written all the same.
    type: str
    choices: [never, error, warning]
    default: never
  reports:
    description: Files to write.
    type: list
    elements: dict
    default: []
    suboptions:
      format:
        description: One of V(text), V(json), V(html), V(junit) and V(prometheus). Required.
        type: str
      path:
        description: Where, on the controller, in a directory that exists. Required.
        type: path
  show:
    description: Whether to print the report in the output of the play, and how far it is with many domains.
    type: bool
    default: false
seealso:
  - module: mailops.autoconfig.mail_autoconfig
"""

EXAMPLES = r"""
- name: Is it enough to type an address and a password?
  mailops.autoconfig.mail_autoconfig_check:
    domains: [server.tld]
  delegate_to: localhost

- name: Check what was just published, with a real login
  mailops.autoconfig.mail_autoconfig_check:
    domains: [server.tld]
    providers: '{{ mail_autoconfig_providers }}'
    published: '{{ mail_autoconfig_result }}'
    address: test@server.tld
    password: '{{ vault_test_password }}'
    fail_on: error
  delegate_to: localhost

- name: Check the new server before the records lead to it
  mailops.autoconfig.mail_autoconfig_check:
    domains: [server.tld]
    addresses:
      autoconfig.server.tld: 203.0.113.7
      autodiscover.server.tld: 203.0.113.7
      mail.server.tld: [203.0.113.7, '2001:db8::7']
  delegate_to: localhost

- name: A report for the customer, and figures for monitoring
  mailops.autoconfig.mail_autoconfig_check:
    domains: '{{ domains }}'
    reports:
      - {format: html, path: /srv/reports/mail.html}
      - {format: prometheus, path: /var/lib/node_exporter/mail_autoconfig.prom}
  delegate_to: localhost
"""

RETURN = r"""
summary:
  description: How many domains have which verdict, and how many findings there are.
  returned: success, and when O(fail_on) makes it fail
  type: dict
  sample: {domains: 1, works: 1, warns: 0, fails: 0, unknown: 0, errors: 0, warnings: 0}
domains:
  description: The report of each domain, in the order of O(domains).
  returned: success, and when O(fail_on) makes it fail, unless O(show) has printed it
  type: list
  elements: dict
  contains:
    domain:
      description: The domain.
      type: str
    address:
      description: The address that clients were played with.
      type: str
    verdict:
      description:
        - V(works) if there is neither an error nor a warning, V(warns) if there are only warnings, V(fails) with an error,
          V(unknown) if nothing could be asked.
      type: str
    clients:
      description:
        - How each client fares, with C(client), C(name), C(verdict) (V(works), V(asks), V(fails) or V(unknown)), C(because),
          C(winner) (whose answer it takes), C(milliseconds), C(settings) and C(steps).
      type: list
      elements: dict
    servers:
      description: The mail servers at which clients end, or that are wanted, and what is at each of their addresses.
      type: list
      elements: dict
    certificates:
      description: The certificate of each web host.
      type: list
      elements: dict
    records:
      description: The records that clients look up, each as wanted and as found.
      type: list
      elements: dict
    zone:
      description: Lines to put into the zone.
      type: list
      elements: str
    stale:
      description: Lines to take out of it.
      type: list
      elements: str
    findings:
      description:
        - What is wrong, worst first, with C(code) (which never changes its meaning), C(severity) (V(error), V(warning) or
          V(info)), C(where), C(what), C(seen), C(clients) that it hits, and C(mends), each a way of its own.
      type: list
      elements: dict
problems:
  description: Everything that is wrong with the options, a line each.
  returned: when the options cannot be used
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import (
    library,
    model,
    names,
    options,
    run,
)


def main() -> None:
    # The action plugin of the same name calls this for a batch of domains, and does what reports, show and fail_on say.
    module = AnsibleModule(argument_spec=options.argument_spec(), supports_check_mode=True)
    if library.MISSING:
        module.fail_json(msg=missing_required_lib("dnspython>=2.3"), exception=library.MISSING)
    try:
        wanted = options.read(module.params)
        resolver = names.Resolver(wanted.resolver, wanted.timeout)
        domains = run.run(wanted, resolver)
    except InputError as exc:
        module.fail_json(msg="Nothing was checked:\n" + str(exc), problems=list(exc.problems))
    except OSError as exc:
        module.fail_json(msg=f"Nothing was checked: ca_file cannot be used: {exc}.")
    # Whether it makes sense to go on with the next batch; the plugin keeps that to itself.
    module.exit_json(
        changed=False, summary=model.summary(domains), domains=domains, resolver_answers=resolver.is_there is not False
    )


if __name__ == "__main__":
    main()
