#!/usr/bin/python

# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_server_info
short_description: Tell what the mail server on this host offers to mail clients
version_added: 0.1.0
description:
  - Asks Dovecot 2.3 or 2.4 (C(doveconf), C(doveadm user)) and Postfix 3 (C(postconf)) on the host for ports, TLS, mechanisms,
    certificates, the form of the user name and mail domains, and returns it with what told it.
  - Makes a provider of it, as O(ignore:providers) of M(mailops.autoconfig.mail_autoconfig) takes it, that prefers TLS from the first byte.
  - The configuration proposes, a connection decides. With O(ask=true) what would be published is asked over the network from the host
    itself, and a difference is a warning.
  - What cannot be told is never guessed. It is in RV(unknown) with the reason, and there is no RV(provider) then.
  - Changes nothing, needs no password, and returns none. Of the files that the configuration names as certificates only the names
    are returned; a key that stands in one of them is not looked at.
author:
  - The mailops.autoconfig authors (@mailops)
requirements:
  - Python 3.9 or newer, and root's rights for what only root may read, on the host of the mail server
attributes:
  check_mode:
    description: Does the same as without check mode, because nothing is changed.
    support: full
  diff_mode:
    description: Nothing is changed, so that there is no difference to show.
    support: none
  idempotent:
    description: Asks anew each time; the server may have changed meanwhile.
    support: full
  platform:
    description: Debian 12 and 13 are tested.
    platforms: debian
    support: full
options:
  address:
    description:
      - The mail address of a user of the server. Dovecot is asked whether it knows the address or the part before the V(@), which
        decides the form of the user name.
      - Without it, users are asked about whom Dovecot lists, with the first of O(domains), or of those that are found, for users
        without a domain.
    type: str
  domains:
    description: Mail domains for RV(provider), in place of those that are found.
    type: list
    elements: str
    default: []
  hostname:
    description:
      - Host name of the mail server for RV(provider).
      - Without it, the name in the certificates, which has to be the only one or Postfix's C(myhostname).
    type: str
  ask:
    description:
      - Whether what would be published is asked over the network, from this host, at the addresses that the name of the server has
        here. Asked are TLS, the name in the certificate, STARTTLS and the mechanisms; nobody logs in.
    type: bool
    default: true
  ca_file:
    description: Certificates of authorities to trust instead of the system's.
    type: path
  timeout:
    description: Seconds that one command or the dialogue with one address may take.
    type: int
    default: 10
seealso:
  - module: mailops.autoconfig.mail_autoconfig
  - module: mailops.autoconfig.mail_autoconfig_check
"""

EXAMPLES = r"""
- name: What does the mail server offer?
  mailops.autoconfig.mail_server_info:
    address: anna@server.tld
  register: mail_server

- name: Publish it
  ansible.builtin.include_role:
    name: mailops.autoconfig.mail_autoconfig
  vars:
    mail_autoconfig_providers: ['{{ mail_server.provider }}']
  when: mail_server.provider is not none

- name: Domains in a database, which cannot be listed, and a server with a name of its own
  mailops.autoconfig.mail_server_info:
    address: anna@server.tld
    domains: [server.tld, other.example]
    hostname: mail.server.tld
  delegate_to: mail.server.tld
"""

RETURN = r"""
programs:
  description: The programs that were found, with what told their version.
  returned: success
  type: list
  elements: dict
  sample: [{name: dovecot, version: 2.4.1, protocols: [imap, sieve], from: dovecot --version}]
services:
  description:
    - The listeners of C(imap), C(pop3), C(submission) and C(managesieve), each with C(program), C(port), C(addresses) (none for all),
      C(socket_type) (V(SSL), V(STARTTLS) or V(plain)), C(mechanisms_before_tls) and C(mechanisms_after_tls) (null where that cannot be
      told), C(certificate_files), C(message_size_limit) (bytes, 0 for none, null where it is not known), C(not_for_clients) (why
      clients cannot use it, or empty) and C(from).
  returned: success
  type: dict
  sample:
    imap: []
    pop3: []
    submission:
      - program: postfix
        port: 465
        addresses: []
        socket_type: SSL
        mechanisms_before_tls: []
        mechanisms_after_tls: [PLAIN, LOGIN]
        certificate_files: [/etc/letsencrypt/live/mail.server.tld/fullchain.pem]
        message_size_limit: 10240000
        not_for_clients: ''
        from: postconf -P 'submissions/inet/*'
    managesieve: []
certificates:
  description:
    - The files with certificates, the DNS C(names) in them, the C(services) that show them, the C(server_names) for which alone they
      are shown, a C(problem) if the names cannot be read, and C(from).
  returned: success
  type: list
  elements: dict
  sample:
    - file: /etc/letsencrypt/live/mail.server.tld/fullchain.pem
      names: [mail.server.tld]
      services: [submission]
      server_names: []
      problem: ''
      from: postconf -P 'submissions/inet/*'
username:
  description: What users log in with (V(%EMAILADDRESS%), V(%EMAILLOCALPART%) or null), why, and what told it.
  returned: success
  type: dict
  sample:
    format: '%EMAILLOCALPART%'
    because: Dovecot knows anna, and not anna@server.tld
    from: doveadm user anna@server.tld
domains:
  description: The mail domains that can be listed, at most 1000 from each program.
  returned: success
  type: list
  elements: dict
  sample: [{name: server.tld, from: postconf -x virtual_mailbox_domains}]
provider:
  description: An entry for O(ignore:providers) of M(mailops.autoconfig.mail_autoconfig), or null where it cannot be told.
  returned: success
  type: dict
  sample:
    domains: [server.tld]
    incoming:
      - type: imap
        hostname: mail.server.tld
        port: 993
        socket_type: SSL
        authentication: [password-cleartext]
        username: '%EMAILLOCALPART%'
    outgoing:
      - type: smtp
        hostname: mail.server.tld
        port: 465
        socket_type: SSL
        authentication: [password-cleartext]
        username: '%EMAILLOCALPART%'
reasons:
  description: Why each part of RV(provider) is as it is, and what told it.
  returned: success
  type: list
  elements: dict
  sample: [{what: outgoing, why: 'port 465 with SSL: it has TLS from the first byte', from: postconf -P 'submissions/inet/*'}]
against:
  description: The listeners that were not chosen, and why.
  returned: success
  type: list
  elements: dict
  sample: [{what: submission on port 587 (STARTTLS), why: submission on port 465 (SSL) is preferred, from: postconf -P 'submission/inet/*'}]
asked:
  description:
    - What was asked over the network, with the C(addresses), the C(mechanisms) that are offered inside TLS (null if none was heard), and
      the C(differences), which are warnings as well.
  returned: success
  type: list
  elements: dict
  sample:
    - service: submission
      hostname: mail.server.tld
      port: 465
      addresses: [203.0.113.7]
      mechanisms: [PLAIN, LOGIN]
      differences: []
unknown:
  description: What could not be told, why, and what should have told it.
  returned: success
  type: list
  elements: dict
  sample:
    - what: domains
      why: 'virtual_mailbox_domains: a table of the kind mysql cannot be listed, only asked: name the domains'
      from: postconf -x virtual_mailbox_domains
problems:
  description: Everything that is wrong with the options, a line each.
  returned: when the options cannot be used
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import options, run


def main() -> None:
    module = AnsibleModule(argument_spec=options.argument_spec(), supports_check_mode=True)
    try:
        data, warnings = run.run(options.read(module.params))
    except InputError as exc:
        module.fail_json(msg="Nothing was asked:\n" + str(exc), problems=list(exc.problems))
    except OSError as exc:
        module.fail_json(msg=f"Nothing was asked: ca_file cannot be used: {exc}.")
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, **data)


if __name__ == "__main__":
    main()
