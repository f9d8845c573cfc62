#!/usr/bin/python

# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_autoconfig
short_description: Publish mail client settings from the Apache that is already there
version_added: 0.1.0
description:
  - Renders the files from which mail clients set themselves up (Mozilla's autoconfiguration file, Microsoft's Autodiscover
    answer, Apple's configuration profile) and the Apache sites that serve them, enables sites and modules, and returns the DNS
    records that belong to them.
  - One call serves any number of providers and domains. Everything is compared in memory first; if nothing differs, nothing
    is written and no command is run.
  - Files that are there and were not made by this module are never touched, unless O(adopt=true).
  - If Apache refuses the new configuration, everything is put back as it was and the module fails with Apache's own words.
  - Then Apache is reloaded and asked as clients ask. If it does not answer with the new settings, or if a site of somebody else
    does not answer as before, everything is put back as it was, Apache is brought back, and the module fails.
  - Where the system allows it, the change is rehearsed first in a twin of the host (namespaces over a copy-on-write view), so
    that what Apache would refuse never reaches the host itself. Check mode rehearses too.
author:
  - The mailops.autoconfig authors (@mailops)
requirements:
  - Python 3.9 or newer and Apache 2.4 in Debian's layout on the managed host
attributes:
  check_mode:
    description: Shows what would change, with the same difference as the real run, and writes nothing.
    support: full
  diff_mode:
    description: Shows files as a whole, at most 50 of them, and the sites, snippets and modules to enable or disable.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Debian 12 and 13 are tested.
    platforms: debian
    support: full
options:
  state:
    description:
      - V(present) publishes the settings.
      - V(absent) takes away the sites and files of the providers that are named, or of all with O(purge=true); what somebody
        has changed by hand is kept, and a warning names it.
    type: str
    choices: [present, absent]
    default: present
  domain:
    description:
      - The mail domain. Short for a provider with IMAP on port 993 and submission on port 465, both over TLS, on O(mail_host),
        with the mail address as the user name; O(username), O(pop3) and O(starttls) change that.
      - Exactly one of O(domain) and O(providers) is needed.
    type: str
  mail_host:
    description:
      - The host name of the mail server, with O(domain) only. The default is C(mail.) and the domain.
    type: str
  username:
    description:
      - With what users log in, with O(domain) only. By default the mail address, V(%EMAILADDRESS%). V(%EMAILLOCALPART%), the part
        before the V(@), is right where mailboxes belong to users of the system.
    type: str
  pop3:
    description: Whether the mail server offers POP3, too, with O(domain) only.
    type: bool
    default: false
  starttls:
    description:
      - Where the mail server waits for STARTTLS, with O(domain) only.
      - V(none) has TLS from the first byte everywhere, on ports 993, 995 and 465. With V(outgoing) mail is sent by port 587, with
        V(all) it is also read by ports 143 and 110.
    type: str
    choices: [none, outgoing, all]
    default: none
  providers:
    description:
      - Sets of servers with the mail domains that use them.
    type: list
    elements: dict
    suboptions:
      id:
        description: Host name that names the provider in the files; the first domain by default.
        type: str
      domains:
        description: The mail domains. The first names the sites. A domain belongs to one provider only. Required.
        type: list
        elements: str
      display_name:
        description: Name for people, at most 60 characters; O(providers[].id) by default.
        type: str
      short_name:
        description: Short name for people, at most 20 characters; the beginning of O(providers[].display_name) by default.
        type: str
      incoming:
        description: Servers to read mail from, in order of preference. Many clients look only at the first. Required.
        type: list
        elements: dict
        suboptions: &server
          type:
            description:
              - V(imap), V(pop3), V(jmap), V(ews), V(owa), V(graph), V(activeSync), V(exchange) or V(nntp) for incoming servers,
                V(smtp) for outgoing ones.
              - Required.
            type: str
          hostname:
            description: Host name, in which V(%EMAILDOMAIN%) may stand. Not needed where O(providers[].incoming[].url) names the server.
            type: str
          port:
            description: TCP port; by default the usual one of the type and socket type.
            type: int
          socket_type:
            description:
              - V(SSL) (TLS from the first byte), V(STARTTLS) or V(plain) (no encryption).
              - By default V(STARTTLS) for the ports 25, 110, 119, 143 and 587, and V(SSL) otherwise.
            type: str
          authentication:
            description:
              - Methods in order of preference, V(password-cleartext), V(password-encrypted), V(OAuth2), V(GSSAPI), V(NTLM),
                V(TLS-client-cert), V(client-IP-address), V(none), and for outgoing servers V(smtp-after-pop).
              - The default is V(password-cleartext), which is safe inside TLS.
            type: list
            elements: str
          username:
            description: User name with the placeholders V(%EMAILADDRESS%), V(%EMAILLOCALPART%) and V(%EMAILDOMAIN%); the address by default.
            type: str
          url:
            description: Address of a server of type V(jmap), V(ews), V(owa), V(graph) or V(activeSync).
            type: str
          owa_url:
            description: Web mail address of a server of type V(exchange).
            type: str
          ews_url:
            description: Exchange Web Services address of a server of type V(exchange).
            type: str
          eas_url:
            description: ActiveSync address of a server of type V(exchange).
            type: str
          pop3:
            description: What a POP3 client does with the messages that it has fetched.
            type: dict
            suboptions:
              leave_messages_on_server:
                description: Whether they stay on the server.
                type: bool
              download_on_biff:
                description: Whether new messages are fetched as soon as the client notices them.
                type: bool
              days_to_leave_messages_on_server:
                description: After how many days they are removed from the server.
                type: int
              check_interval:
                description: The least number of minutes between two look-ups.
                type: int
          restriction:
            description: Further conditions in Mozilla's words, for example V(client-IP-address).
            type: list
            elements: str
          add_this_server:
            description: Mozilla's C(addThisServer); no current client reads it.
            type: bool
      outgoing:
        description: Servers to send mail by, in order of preference. Required.
        type: list
        elements: dict
        suboptions: *server
      documentation:
        description: Pages that describe the settings for people.
        type: list
        elements: dict
        suboptions: &links
          url:
            description: Address of the page. Required.
            type: str
          texts:
            description: Descriptions by language.
            type: list
            elements: dict
            suboptions:
              text:
                description: The description. Required.
                type: str
              lang:
                description: Language tag, for example V(de).
                type: str
      instructions:
        description: Pages with instructions (Mozilla's older C(instruction)).
        type: list
        elements: dict
        suboptions: *links
      enable:
        description: Pages where users must first allow mail clients.
        type: list
        elements: dict
        suboptions: *links
      webmail:
        description: Where web mail is.
        type: dict
        suboptions:
          login_page:
            description: Address of the login page. Required.
            type: str
          login_form:
            description: How to fill the login form.
            type: dict
            suboptions:
              url:
                description: Address of the page with the form. Required.
                type: str
              username:
                description: User name with placeholders.
                type: str
              username_field:
                description: The field for the user name.
                type: dict
                suboptions: &field
                  id:
                    description: The HTML C(id).
                    type: str
                  name:
                    description: The HTML C(name).
                    type: str
              password_field:
                description: The field for the password.
                type: dict
                suboptions: *field
              login_button:
                description: The button that logs in.
                type: dict
                suboptions: *field
      oauth2:
        description: The provider's own OAuth2 end points. Thunderbird uses them for issuers that it knows only.
        type: dict
        suboptions:
          issuer:
            description: Host name of the issuer. Required.
            type: str
          scope:
            description: Scopes, separated by blanks.
            type: str
          auth_url:
            description: Address of the authorization end point. Required.
            type: str
          token_url:
            description: Address of the token end point. Required.
            type: str
      caldav:
        description: The calendar service.
        type: dict
        suboptions: &dav
          url:
            description: Address of the service. Required.
            type: str
          username:
            description: User name with placeholders; the address by default.
            type: str
      carddav:
        description: The address book service.
        type: dict
        suboptions: *dav
      jmap:
        description: The JMAP session resource.
        type: dict
        suboptions: *dav
      managesieve:
        description: The server for mail filters; only DNS can name it to clients.
        type: dict
        suboptions:
          hostname:
            description: Host name. Required.
            type: str
          port:
            description: TCP port, 4190 by default.
            type: int
          socket_type:
            description: As for mail servers; V(STARTTLS) by default.
            type: str
      input_fields:
        description: Values that a client should ask the user for (Mozilla's C(inputField)).
        type: list
        elements: dict
        suboptions:
          key:
            description: Name of the value. Required.
            type: str
          label:
            description: Label for people. Required.
            type: str
          value:
            description: Example.
            type: str
      config_update_url:
        description: Where a later version of the file can be fetched (Mozilla's C(clientConfigUpdate)).
        type: str
      profile:
        description: What Apple's devices show of the configuration profile, and when it goes.
        type: dict
        suboptions:
          organization:
            description: Name of the organization; O(providers[].display_name) by default.
            type: str
          description:
            description: What the profile is for.
            type: str
          consent:
            description: Agreements, by language, that the user must accept. One without a language is for all others.
            type: list
            elements: dict
            suboptions:
              text:
                description: The agreement. Required.
                type: str
              lang:
                description: Language tag, for example V(de).
                type: str
          removal_disallowed:
            description: Whether the user may not remove the profile. Only supervised devices and macOS obey.
            type: bool
          removal_date:
            description: Day on which the device removes the profile with its accounts, C(YYYY-MM-DD).
            type: str
      certificates:
        description: As O(certificates), for this provider.
        type: str
      certificate_extra_names:
        description: As O(certificate_extra_names), for this provider.
        type: list
        elements: str
      certificate_content:
        description: As O(certificate_content), for this provider.
        type: str
      certificate_key_content:
        description: As O(certificate_key_content), for this provider.
        type: str
      logo:
        description: >-
          Image on the controller for the setup page that the role renders, relative to the playbook - SVG, PNG, JPEG or WebP, at
          most 64 KiB.
        type: str
  responder:
    description:
      - Who answers Outlook. V(lua) is a script inside Apache, which tells each user the own login name, answers errors as
        Outlook expects them and Autodiscover's second version (JSON).
      - V(none) serves a file that is the same for everybody; Outlook then tries the part before the V(@) as the login name.
      - V(auto) is V(lua) where Apache's module C(lua) is available, which it is on Debian.
    type: str
    choices: [auto, lua, none]
    default: auto
  logins:
    description:
      - Login names that do not follow from the address, by address, for example V(jane.doe@server.tld) with the login V(jdoe).
        Addresses that are not named have the user name of the servers.
      - For servers whose user name is V(%EMAILADDRESS%) or V(%EMAILLOCALPART%) alone. Outlook, Thunderbird, Apple's profile and the
        setup page get them, whoever asks; K-9, KMail and Geary do not tell the address and get the user name of the server.
      - Needs the responder. A change takes no reload of Apache.
      - On the host the addresses are salted digests, and the logins are encrypted with the address as the key, in a file that root
        and the web server's group read. Whoever reads it cannot list either, but can find out whether an address that he guesses
        is in it.
    type: dict
    default: {}
  https:
    description: Whether to serve over HTTPS where there is a certificate.
    type: bool
    default: true
  certificates:
    description:
      - Where the certificates of the host names come from.
      - V(found) takes O(certificate_file) first, and then the best of all certificates on this host that names the host and can
        serve, wherever it is - certbot's, dehydrated's, mod_md's, or one that a site of others uses. RV(certificate_names) says
        which, and why.
      - V(given) takes O(certificate_file) and nothing else.
      - V(mod_md) has Apache's own module C(md) order a certificate for each mail domain from an authority (ACME), and renew it. What
        V(found) finds serves until it is there. The run waits for it; see O(acme_agreement), O(acme_contact) and
        RV(certificate_orders).
      - With V(mod_md), only host names are ordered that lead to this host, that is to one of its addresses or of O(addresses); the
        others are named in a warning.
      - With V(mod_md), Apache has to be reloaded after each renewal. The role installs a timer of systemd for that.
      - V(certbot) has the program certbot order what V(found) does not find, one lineage C(autoconfig.<domain>) for each mail domain,
        which certbot renews; the run waits for it as for V(mod_md), and orders for the same names. Other lineages are never changed.
        A deploy hook tests Apache's configuration and reloads it after each renewal.
    type: str
    choices: [found, given, mod_md, certbot]
    default: found
  certificate_extra_names:
    description:
      - Further host names that the certificates are to have that V(mod_md) or V(certbot) orders, for Dovecot and Postfix for example,
        C({domain}) at the end stands for the mail domain. A name without it goes with the first domain of its provider.
      - Each has to lead to this host, and is answered for on port 80 without taking anything else from whoever serves it.
      - A name is left out, with a warning, if that would do harm. With V(mod_md), if a site of somebody else has it with TLS, because
        mod_md would change its certificate. With V(certbot), if such a site has it on port 80. With both, if another lineage of
        certbot has it.
      - RV(certificate_names) tells the certificate of each. Programs that use it have to read it anew after a renewal.
    type: list
    elements: str
    default: []
  acme_agreement:
    description:
      - Whether you agree to the terms of the authority's service. Without it nothing is ordered, and O(certificates=mod_md) and
        O(certificates=certbot) are refused.
    type: bool
    default: false
  acme_contact:
    description: Mail address at which the authority may write to you. Required with O(certificates=mod_md) and O(certificates=certbot).
    type: str
  acme_directory:
    description: URL of the directory of the authority. Another one is, for example, Let's Encrypt's for staging.
    type: str
    default: https://acme-v02.api.letsencrypt.org/directory
  acme_profile:
    description:
      - Profile of the certificates, where the authority has several, for example V(tlsserver). Where it does not have this one, it issues
        its default.
      - It needs certbot 4.0, or an Apache whose C(md) has C(MDProfile), and is refused with older ones. It counts for what is ordered
        from then on, and with V(mod_md) for renewals, too.
    type: str
  acme_challenges:
    description:
      - How the authority may see that the names are yours.
      - V(http-01) needs port 80 of each name to lead here, V(tls-alpn-01) port 443. With V(dns-01) alone the names may lead anywhere.
      - With V(tls-alpn-01) port 443 answers for the names also before there is a certificate. Clients are then shown one that signs
        itself, which they do not take, and the error 503.
      - V(certbot) can V(http-01) only.
    type: list
    elements: str
    choices: [http-01, dns-01, tls-alpn-01]
    default: [http-01]
  acme_dns_command:
    description: >-
      Path on the managed host of the program that sets and removes the TXT records of V(dns-01), called as Apache's
      C(MDChallengeDns01) describes.
    type: path
  acme_eab_file:
    description: >-
      Path on the managed host of the external account binding, for authorities that want one: JSON with C(kid) and C(hmac), readable
      by root alone. For V(mod_md) only; for certbot, register the account by hand (C(certbot register)).
    type: path
  acme_ca_file:
    description: >-
      Path on the managed host of root certificates (PEM) by which the authority's own web server is trusted, for a private
      authority; by default those of the system. The timer that renews for certbot does not know it, only the system's.
    type: path
  acme_wait_seconds:
    description:
      - How long a run waits for certificates at most. What is not there by then is served over HTTP, Apache goes on with the order,
        and the next run turns HTTPS on. What certbot was not asked for by then the next run orders.
    type: int
    default: 300
  acme_new_orders:
    description:
      - How many certificates may be ordered in three hours. The others follow in later runs.
      - Let's Encrypt allows 300 for an account.
    type: int
    default: 250
  certbot_directory:
    description:
      - Directory of certbot's configuration and lineages, which are found there. Of another than the usual one, C(work) and C(logs) in
        it take the place of C(/var/lib/letsencrypt) and C(/var/log/letsencrypt), and the timer that comes with certbot does not
        renew it.
    type: path
    default: /etc/letsencrypt
  certificate_file:
    description:
      - Path of the certificate chain on the managed host, in which C({domain}) stands for the mail domain, and C(*) for any part
        of the path without a slash. Of those that fit, the names in them decide.
      - By default C(/etc/letsencrypt/live/{domain}/fullchain.pem), where that exists.
      - A host name that no certificate names is served over HTTP only, and a warning says so.
    type: path
  certificate_key_file:
    description: Path of the key, likewise; C(*) stands for the same as there. Required with O(certificate_file).
    type: path
  certificate_content:
    description:
      - A certificate chain (PEM) in the place of O(certificate_file), for example from a vault. It is written into
        O(state_directory), readable by root alone, and goes with its provider.
      - It must be able to serve, and name a host of each provider that has none of its own.
    type: str
  certificate_key_content:
    description: Its key (PEM, without passphrase). No result, difference or log shows it. Required with O(certificate_content).
    type: str
  signing_certificate:
    description:
      - Path on the managed host of the certificate (PEM) that signs Apple's profiles. Without it profiles are not signed, and
        devices say so.
      - A certificate that has ended, or does not belong to O(signing_key), is refused; one that has less than a third of its
        lifetime left, or a month, is a warning.
    type: path
  signing_key:
    description:
      - Path of its key (PEM, without passphrase), which the web server's user must be able to read, and nobody else but its
        owner. Required with O(signing_certificate).
    type: path
  signing_chain:
    description: Path of the certificates between O(signing_certificate) and its root (PEM), which devices need to trust it.
    type: path
  signing_host:
    description:
      - A host name that serves nothing else, whose certificate signs Apple's profiles, in the place of O(signing_certificate). It
        comes from where O(certificates) says, V(mod_md) and V(certbot) order it as well, and is copied into
        O(state_directory), readable by root and the web server's group. Each run renews the copy, and with the role a timer.
      - A certificate whose key serves a web site of this Apache is refused. Without a certificate profiles are not signed, and a
        warning says so.
    type: str
  signing_with_tls_key:
    description: Whether the signing key may be a key that serves TLS too.
    type: bool
    default: false
  setup_pages:
    description:
      - Pages for people, shown on C(/) of the sites instead of the error 404; the role renders them from its template.
      - The browser's languages choose among those of a provider; the first is for everybody else.
      - Needs the responder, which puts V(form), V(settings) or V(refused) for C(%STATE%) and the visitor's address for
        C(%EMAILADDRESS%), C(%EMAILLOCALPART%) and C(%EMAILDOMAIN%).
    type: list
    elements: dict
    default: []
    suboptions:
      provider:
        description: Id of the provider. Required.
        type: str
      language:
        description: Two or three letters, for example V(de). Required.
        type: str
      html:
        description: The page. Required.
        type: str
  list_domains:
    description:
      - Whether C(config-v1.1.xml) names all domains of its provider, if these are at most five. Of more, or with V(false), it names
        only the one that is O(providers[].id), and C(%EMAILDOMAIN%) stands for the others, so that one customer's file does not name
        the other customers.
      - Who else a server is for may be seen from certificates with several names and in DNS, and whoever asks for a domain learns
        whether it is served here.
    type: bool
    default: true
  pacc:
    description:
      - Whether to publish the document of PACC (draft-ietf-mailmaint-pacc-03, an Internet-Draft) too, on a host
        C(ua-auto-config) of each domain, with its digest among the records. Experimental - the format may change with the draft.
      - When the document changes, the records hold the digests of the old one and the new one, and from the next run on the new
        one's alone.
    type: bool
    default: false
  document_root:
    description: Where the documents lie, one directory a provider; also the webroot for ACME challenges.
    type: path
    default: /var/www/autoconfig
  server_admin:
    description: Address on Apache's own error pages; C(admin@) and the first domain by default.
    type: str
  listen:
    description: Addresses of the virtual hosts. Name them where the other sites of this Apache name theirs.
    type: list
    elements: str
    default: ['*']
  http_port:
    description: Port for HTTP.
    type: int
    default: 80
  https_port:
    description: Port for HTTPS.
    type: int
    default: 443
  php:
    description:
      - Whether the sites get the settings for PHP that Apache runs itself (V(mod_php)) or through PHP-FPM (V(fpm)).
      - No document needs PHP.
    type: str
    choices: [none, mod_php, fpm]
    default: none
  well_known:
    description:
      - Whether the sites of the mail domains themselves answer too, on C(/.well-known/autoconfig/mail/config-v1.1.xml) and
        C(/autodiscover/autodiscover.xml). Those sites are not edited, and no other host name is touched.
    type: bool
    default: false
  log_directory:
    description: Where the sites log; Apache's own log directory by default.
    type: path
  log_queries:
    description: Whether the access log keeps query strings, which hold mail addresses.
    type: bool
    default: false
  extra_directives:
    description: Apache directives of your own, added to every virtual host.
    type: str
  addresses:
    description: Public IP addresses of this host, for RV(dns_records).
    type: list
    elements: str
    default: []
  dns_ttl:
    description: Time to live of RV(dns_records), in seconds.
    type: int
    default: 300
  dns_host:
    description:
      - Host name of which C(autoconfig) and C(autodiscover) of the mail domains are aliases (C(CNAME)), instead of O(addresses).
      - There is no C(_autodiscover) record then, because the target of C(SRV) must not be an alias.
    type: str
  dns_further_domains:
    description:
      - How the domains of a provider after its first are published. V(own) gives each host names like those of the first, V(cname)
        makes these aliases of the first one's, V(srv) has no host names, only C(SRV) records towards the hosts of the provider.
    type: str
    choices: [own, cname, srv]
    default: own
  dns_not_offered:
    description: Whether to say by C(SRV) records with the target C(.) that IMAP or POP3 is not offered. Some panels refuse them.
    type: bool
    default: false
  dns_mx:
    description: Hosts that take mail for the domains, if their C(MX) records shall be among RV(dns_records).
    type: list
    elements: dict
    default: []
    suboptions:
      preference:
        description: The lowest is tried first; 10 by default.
        type: int
      host:
        description: Host name. Required.
        type: str
  dns_caa:
    description:
      - Certification authorities that may issue certificates for the host names, for example V(letsencrypt.org), as C(CAA) records.
      - V(auto) stands for the authority of O(acme_directory), if it is a well-known one.
    type: list
    elements: str
    default: []
  dns_validation_persist:
    description:
      - A standing proof that an account of an authority may have certificates for the host names (ACME challenge
        C(dns-persist-01), draft-ietf-acme-dns-persist-01), as C(TXT) records C(_validation-persist) below each of them. For ACME
        clients that have this challenge; Apache's module C(md) has not.
      - Whoever has the key of that account gets certificates without any further sign.
    type: dict
    default: {}
    suboptions:
      issuer:
        description: The authority's name in DNS; by default that of O(acme_directory), if it is a well-known one.
        type: str
      accounturi:
        description: URL of the account. Required.
        type: str
      wildcard:
        description: Whether the proof is for the mail domain and everything below it, in one record at the domain.
        type: bool
      until:
        description: When it ends, in seconds since 1970; by default never.
        type: int
  dns_tlsa:
    description:
      - Whether there are C(TLSA) records (DANE, RFC 7671) with the keys of the certificates that serve the host names. They make
        sense in a zone that is signed (DNSSEC).
      - They name the key that is there at the run. Renew with the same key (certbot's C(--reuse-key)); with another one the records
        are wrong from the renewal until the next run and push.
    type: bool
    default: false
  dns_records_gone:
    description:
      - Records of RV(dns_records_obsolete) that are not in DNS any more, so that they are not returned again; best what
        M(mailops.autoconfig.mail_autoconfig_dns) returns as C(gone).
      - An entry names a record by its C(owner) and C(type), or with a C(domain) alone all those of that mail domain.
    type: list
    elements: dict
    default: []
    suboptions:
      domain:
        description: The mail domain.
        type: str
      owner:
        description: Absolute name, with its final dot.
        type: str
      type:
        description: Type, for example V(SRV).
        type: str
      ttl:
        description: Not used.
        type: int
      rdata:
        description: Not used.
        type: str
  dns_zone_file:
    description:
      - Path on the managed host of a file with the records as zone text, to C($INCLUDE) in a zone. C({domain}) stands for the mail
        domain; without it all records of a run are in one file.
      - Reload the name server when RV(changed_files) names it.
    type: path
  config_directory:
    description: Apache's configuration directory; another than the default means another instance of Apache on this host.
    type: path
    default: /etc/apache2
  state_directory:
    description: Where the module remembers what it has made.
    type: path
    default: /var/lib/mail_autoconfig
  adopt:
    description:
      - Whether to replace files in the places of ours that this module has not made. A copy stays beside each, with the
        suffix C(.before-mail_autoconfig).
    type: bool
    default: false
  purge:
    description: Whether to take away what earlier runs made for providers that are not named in this one.
    type: bool
    default: false
  allow_removal:
    description:
      - Whether a provider that is named may lose mail domains that are served on this host. Without it such a run is refused before
        anything is written, also in check mode, because a list may have been cut short by mistake.
      - It is not needed for what is asked for anyway, by O(state=absent), by O(purge=true) for providers that are not named, and for
        a domain that moves to another provider of the run.
    type: bool
    default: false
  removed_domains:
    description:
      - Mail domains that may go, in the place of O(allow_removal) for all. They may stay in the list.
    type: list
    elements: str
    default: []
  reload:
    description:
      - Whether to reload Apache when its configuration has changed, and to ask it then.
      - Without it RV(needs_reload) says what is left to do.
    type: bool
    default: true
  rehearse:
    description:
      - Whether to make the change in a twin of the host first. Where the system does not allow that, RV(rehearsal) says why, and
        the change is made without it.
    type: bool
    default: true
  lock_timeout:
    description: How many seconds to wait for another run on the same Apache to end.
    type: int
    default: 60
  return_lists:
    description:
      - Which of the lists that grow with the domains are returned.
      - By default all of them up to 200 domains, and none with more, because Ansible needs more time to carry them than the run
        itself.
    type: list
    elements: str
    choices: [urls, dns_records, dns_record_sets, dns_records_obsolete, certificate_names, certificate_orders]
  apache_is_coming:
    description:
      - In check mode, take a missing Apache for one that the real run has just installed, instead of failing.
    type: bool
    default: false
  certbot_is_coming:
    description:
      - In check mode, take a missing certbot for one that the real run has just installed, instead of failing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Publish the settings of one domain, with everything usual
  mailops.autoconfig.mail_autoconfig:
    domain: server.tld
  register: autoconfig

- name: Publish two providers, one of them with further domains and POP3
  mailops.autoconfig.mail_autoconfig:
    providers:
      - domains: [server.tld, other.example]
        display_name: Server mail
        incoming:
          - {type: imap, hostname: mail.server.tld}
          - type: pop3
            hostname: mail.server.tld
            pop3: {leave_messages_on_server: true}
        outgoing:
          - {type: smtp, hostname: mail.server.tld, port: 587}
      - domains: [customer.example]
        incoming:
          - {type: imap, hostname: imap.customer.example, username: '%EMAILLOCALPART%'}
        outgoing:
          - {type: smtp, hostname: smtp.customer.example, username: '%EMAILLOCALPART%'}
    addresses: [203.0.113.7]

- name: Take away what was published for a domain
  mailops.autoconfig.mail_autoconfig:
    state: absent
    domain: server.tld
"""

RETURN = r"""
changed_files:
  description: Files written or removed (or that would be), sorted.
  returned: success
  type: list
  elements: str
  sample: [/etc/apache2/sites-available/autoconfig.server.tld.conf]
enabled:
  description: What was enabled, by kind.
  returned: success
  type: dict
  sample: {mods: [headers], conf: [], sites: [autoconfig.server.tld]}
disabled:
  description: What was disabled, by kind.
  returned: success
  type: dict
  sample: {conf: [], sites: []}
needs_reload:
  description:
    - Whether Apache still has to be reloaded, which is so in check mode, and with O(reload=false).
    - After a reload of your own, remove the file C(reload-pending) in O(state_directory); as long as it is there, every run
      reports a change, and reloads if it may.
  returned: success
  type: bool
  sample: true
rehearsed:
  description:
    - Whether the change was made in a twin of the host first. In a result that did not fail, Apache started and answered there.
  returned: success, and when changes fail
  type: bool
rehearsal:
  description: Why there was no rehearsal; empty if there was one.
  returned: success, and when changes fail
  type: str
apache_running:
  description: Whether Apache runs. One that is stopped stays so; its configuration is tested, and nobody is asked.
  returned: success
  type: bool
reloaded:
  description: Whether Apache was reloaded, and then answered as it should.
  returned: success
  type: bool
asked:
  description: How many questions Apache has answered as it should, of our hosts and of the sites of others.
  returned: success
  type: int
urls:
  description: What each client will ask for. C({address}) stands for the mail address, percent-encoded.
  returned: success, see O(return_lists)
  type: list
  elements: dict
  sample:
    - client: Thunderbird for Android, K-9, KMail, Geary
      method: GET
      url: https://autoconfig.server.tld/mail/config-v1.1.xml
dns_records:
  description:
    - The DNS records that belong to the settings, with absolute owners, C(rdata) as in a zone file and the same as C(fields), and
      the mail domain that each belongs to.
    - The address records of the host names are among them only if O(addresses) is given.
    - With O(state=absent), those that belonged to the settings that are given, for M(mailops.autoconfig.mail_autoconfig_dns) to take
      away.
  returned: success, see O(return_lists)
  type: list
  elements: dict
  sample:
    - domain: server.tld
      owner: _imaps._tcp.server.tld.
      type: SRV
      ttl: 300
      rdata: 0 1 993 mail.server.tld.
      fields: {priority: 0, weight: 1, port: 993, target: mail.server.tld.}
dns_record_sets:
  description: The same records, all those of an owner and type in one entry, for modules that set a whole record set.
  returned: success, see O(return_lists)
  type: list
  elements: dict
  sample:
    - domain: server.tld
      owner: autoconfig.server.tld.
      type: A
      ttl: 300
      rdata: [203.0.113.7, 203.0.113.8]
dns_records_obsolete:
  description:
    - DNS records that belonged to the settings of earlier runs and belong to nothing on this host any more, because a domain or a
      provider left, or the settings are others now. A record set that is still wanted, with whatever data, is not among them.
    - They are returned by each run until O(dns_records_gone) names them, or they are wanted again. A run that takes the last provider
      away tells of them for the last time.
    - V(MX) is never among them, because mail may go on where settings end.
    - Records that runs of earlier releases told of are not known.
  returned: success, see O(return_lists); not by default if they are of more than 200 domains
  type: list
  elements: dict
  sample:
    - domain: former.tld
      owner: _imaps._tcp.former.tld.
      type: SRV
      ttl: 300
      rdata: 0 1 993 mail.server.tld.
certificate_names:
  description:
    - For each host name the certificate that serves it, with the whole days and the share of its lifetime that are left, or why
      none does; also for those of O(certificate_extra_names), which are served by others.
  returned: success, see O(return_lists)
  type: list
  elements: dict
  sample:
    - name: autoconfig.server.tld
      domain: server.tld
      provider: server.tld
      certificate_file: /etc/letsencrypt/live/server.tld/fullchain.pem
      certificate_key_file: /etc/letsencrypt/live/server.tld/privkey.pem
      reason: certbot
      days_left: 58
      lifetime_left: 0.65
    - name: autodiscover.server.tld
      domain: server.tld
      provider: server.tld
      reason: no certificate on this host names it
certificate_orders:
  description:
    - What becomes of the certificate of each mail domain with O(certificates=mod_md) or O(certificates=certbot), and of
      O(signing_host). C(state) is V(there), V(ordered) and not there yet, V(failed) so far, or V(later),
      which is left to a later run. C(reason) is what the authority or Apache says, C(next) when Apache tries again, or a later run
      may order; empty with V(failed) if the next run may.
  returned: success, see O(return_lists)
  type: list
  elements: dict
  sample:
    - domain: server.tld
      names: [autoconfig.server.tld, autodiscover.server.tld]
      state: there
      reason: ''
      next: ''
certificates_managed:
  description: Whether Apache orders and renews certificates for any provider of this host, also for one that this run did not name.
  returned: success
  type: bool
certificate_store:
  description: Where Apache's module C(md) keeps them; empty if this run had none to order.
  returned: success
  type: str
  sample: /etc/apache2/md
signing:
  description: The certificate that signs profiles by O(signing_host), its copy, and the group that reads it; empty without one.
  returned: success
  type: dict
  sample:
    host: profiles.server.tld
    reason: mod_md orders and renews it
    certificate_file: /etc/apache2/md/domains/profiles.server.tld/pubcert.pem
    certificate_key_file: /etc/apache2/md/domains/profiles.server.tld/privkey.pem
    days_left: 58
    lifetime_left: 0.65
    copy_file: /var/lib/mail_autoconfig/signing/profiles.server.tld.pem
    copy_chain_file: /var/lib/mail_autoconfig/signing/profiles.server.tld-chain.pem
    group: 33
signing_managed:
  description: Whether there is such a copy on this host, also for a provider that this run did not name.
  returned: success
  type: bool
timers:
  description: >-
    Which timers the role has left on this host for this Apache, V(certificates) and V(signing), so that it removes those for which
    there is nothing to do any more.
  returned: success
  type: list
  elements: str
  sample: [certificates]
certificates_obsolete:
  description: >-
    Certificates that these sites used before, and that no site of this Apache uses any more. Nothing removes them. C(delete_command)
    is what deletes a lineage of certbot that names hosts for mail clients and nothing else; empty for others.
  returned: success
  type: list
  elements: dict
  sample:
    - certificate_file: /etc/letsencrypt/live/former.tld/fullchain.pem
      certificate_key_file: /etc/letsencrypt/live/former.tld/privkey.pem
      delete_command: ''
problems:
  description: Everything that is wrong with the input, a line each.
  returned: when the input is refused
  type: list
  elements: str
details:
  description: What Apache or one of its commands said.
  returned: when a command fails
  type: str
rolled_back:
  description: Whether the host is as it was before.
  returned: when changes fail
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands, interrupts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.lock import LockError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.transaction import ApplyError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import secrets
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.spec import argument_spec

# These say how to run, not what to publish.
RUN_OPTIONS = ("state", "reload", "rehearse", "lock_timeout", "return_lists", "apache_is_coming", "certbot_is_coming")
# Ansible repeats the options in every result and copies that several times; of a thousand providers that is a megabyte.
LONG_OPTIONS = ("providers", "setup_pages", "logins")


def way(module: AnsibleModule) -> run.Way:
    """How to run."""
    lists = module.params["return_lists"]
    return run.Way(
        state=module.params["state"],
        check=module.check_mode,
        reload=module.params["reload"],
        rehearse=module.params["rehearse"],
        lock_seconds=module.params["lock_timeout"],
        apache_is_coming=module.params["apache_is_coming"],
        certbot_is_coming=module.params["certbot_is_coming"],
        lists=None if lists is None else tuple(lists),
    )


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """One run; the result for exit_json."""
    wanted = settings.read({key: value for key, value in module.params.items() if key not in RUN_OPTIONS})
    if module.params["state"] == "present" and not wanted.providers:
        raise InputError(["providers: is empty; to take everything away, say state: absent"])
    platform = Debian(wanted.config_directory, certbot_directory=wanted.certbot_directory)
    result, warnings = run.run(wanted, way(module), platform, commands.run)
    for warning in warnings:
        module.warn(warning)
    return result


def is_kept(option: t.Mapping[str, t.Any], value: t.Any) -> bool:
    """Whether a value is for the library to judge: all of what holds options, and what is no string where strings are wanted."""
    wants_strings = option["type"] in ("str", "list") and "choices" not in option
    return "options" in option or (wants_strings and not isinstance(value, str))


class PlainModule(AnsibleModule):
    """Keeps Ansible from converting options without a word, and tells the system's log nothing.

    Ansible makes strings of numbers, truth values and mappings, of a string in another option a list, and of what it cannot convert
    reports the first alone and without its place. It is left what comes as a string from command lines and INI inventories. The log
    would get whole pages, ten thousand domains, and keys of certificates; the argument
    ``no_log`` would not do, because Ansible overrides it by that of the task, which hides the result too, and of what is in a list
    it hides no single option.

    :ivar kept: options as they came, of which Ansible has seen nothing
    """

    kept: dict[str, t.Any]

    def _load_params(self) -> None:
        super()._load_params()
        spec = argument_spec()
        names = [name for name, value in self.params.items() if name in spec and is_kept(spec[name], value)]
        self.kept = {name: self.params.pop(name) for name in names}

    def _log_invocation(self) -> None:
        pass


def main() -> None:
    module = PlainModule(argument_spec=argument_spec(), supports_check_mode=True)
    module.no_log_values.update(secrets(module.kept))
    module.params.update(module.kept)
    try:
        result = work(module)
    except InputError as exc:
        msg = "The mail settings cannot be published, and nothing was changed:\n" + str(exc)
        module.fail_json(msg=msg, problems=list(exc.problems))
    except LockError as exc:
        module.fail_json(msg=str(exc))
    except ApplyError as exc:
        msg = f"{exc}.\n{exc.details}".strip()
        rehearsal = {"rehearsed": exc.rehearsed, "rehearsal": exc.rehearsal}
        module.fail_json(msg=msg, details=exc.details, rolled_back=exc.rolled_back, **rehearsal)
    except interrupts.Interrupted as exc:
        module.fail_json(msg=f"{exc}; nothing was changed")
    except OSError as exc:
        place = exc.filename or "a file of this host"
        module.fail_json(msg=f"{place} cannot be read or written: {exc.strerror or exc}; nothing was changed")
    told = {name: value for name, value in module.params.items() if name not in LONG_OPTIONS}
    module.exit_json(**result, invocation={"module_args": told})


if __name__ == "__main__":
    main()
