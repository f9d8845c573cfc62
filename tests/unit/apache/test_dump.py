"""What Apache tells of its configuration, read from what a real one printed (2.4.71, shortened)."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import dump
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.dump import Include, VirtualHost

OUTPUT = """\
Included configuration files:
  (*) /etc/apache2/apache2.conf
    (146) /etc/apache2/mods-enabled/alias.load
    (150) /etc/apache2/ports.conf
    (225) /etc/apache2/sites-enabled/all.conf
      (3) /srv/vhosts/a.conf
        (1) /srv/vhosts/deeper.conf
    (225) /etc/apache2/sites-enabled/shop.conf
    (226) /srv/inc.conf
VirtualHost configuration:
[::1]:80               six.example (/etc/apache2/apache2.conf:234)
127.0.0.1:80           fixed.example (/etc/apache2/apache2.conf:227)
*:80                   is a NameVirtualHost
         default server macro.example (macro 'vh' (defined on line 6 of "/etc/apache2/ports.conf") \
used on line 1 of "/etc/apache2/m.conf":1)
         port 80 namevhost macro.example (macro 'vh' (defined on line 6 of "/etc/apache2/ports.conf") \
used on line 1 of "/etc/apache2/m.conf":1)
         port 80 namevhost shop.example (/etc/apache2/sites-enabled/shop.conf:1)
                 alias WWW.shop.example
                 wild alias *.shop.example
         port 80 namevhost late.example (/srv/a (copy).conf:5)
*:*                    all.example (/etc/apache2/apache2.conf:231)
ServerRoot: "/etc/apache2"
Main DocumentRoot: "/var/www/html"
Main ErrorLog: "/var/log/apache2/error.log"
Mutex default: dir="/var/run/apache2/" mechanism=default
PidFile: "/var/run/apache2/apache2.pid"
Define: DUMP_VHOSTS
User: name="www-data" id=33
Group: name="www-data" id=33
Server certificates:
  /etc/letsencrypt/live/a (b)/fullchain.pem
  tls/own.pem
Loaded Modules:
 core_module (static)
 alias_module (shared)
 socache_shmcb_module (shared)
"""


def test_every_virtual_host_is_read_with_its_place() -> None:
    assert dump.read(OUTPUT).virtual_hosts == (
        VirtualHost("[::1]:80", ("six.example",), (), "/etc/apache2/apache2.conf", 234, True),
        VirtualHost("127.0.0.1:80", ("fixed.example",), (), "/etc/apache2/apache2.conf", 227, True),
        VirtualHost("*:80", ("macro.example",), (), "/etc/apache2/m.conf", 1, True),
        VirtualHost("*:80", ("shop.example", "www.shop.example"), ("*.shop.example",), "/etc/apache2/sites-enabled/shop.conf", 1),
        VirtualHost("*:80", ("late.example",), (), "/srv/a (copy).conf", 5),
        VirtualHost("*:*", ("all.example",), (), "/etc/apache2/apache2.conf", 231, True),
    )


def test_of_a_virtual_host_that_is_alone_the_aliases_are_not_known() -> None:
    assert dump.read(OUTPUT).lonely == ("[::1]:80", "127.0.0.1:80", "*:*")


def test_an_address_is_cut_into_ip_and_port() -> None:
    hosts = dump.read(OUTPUT).virtual_hosts
    assert [(host.ip, host.port) for host in hosts[:3]] == [("[::1]", 80), ("127.0.0.1", 80), ("*", 80)]
    assert (hosts[-1].ip, hosts[-1].port, hosts[-1].place) == ("*", 0, "/etc/apache2/apache2.conf:231")


def test_files_are_known_by_the_one_that_the_main_file_includes() -> None:
    assert dump.read(OUTPUT).includes == (
        Include("/etc/apache2/apache2.conf", "", 0),
        Include("/etc/apache2/mods-enabled/alias.load", "/etc/apache2/mods-enabled/alias.load", 146),
        Include("/etc/apache2/ports.conf", "/etc/apache2/ports.conf", 150),
        Include("/etc/apache2/sites-enabled/all.conf", "/etc/apache2/sites-enabled/all.conf", 225),
        Include("/srv/vhosts/a.conf", "/etc/apache2/sites-enabled/all.conf", 225),
        Include("/srv/vhosts/deeper.conf", "/etc/apache2/sites-enabled/all.conf", 225),
        Include("/etc/apache2/sites-enabled/shop.conf", "/etc/apache2/sites-enabled/shop.conf", 225),
        Include("/srv/inc.conf", "/srv/inc.conf", 226),
    )


def test_modules_and_what_the_server_runs_with() -> None:
    found = dump.read(OUTPUT)
    assert found.modules == {"core", "alias", "socache_shmcb"}
    assert (found.root, found.certificates) == ("/etc/apache2", ("/etc/letsencrypt/live/a (b)/fullchain.pem", "tls/own.pem"))
    assert (found.pid_file, found.error_log, found.user) == (
        "/var/run/apache2/apache2.pid",
        "/var/log/apache2/error.log",
        "www-data",
    )


@pytest.mark.parametrize(
    "output",
    [
        "",
        "VirtualHost configuration:\n",
        "AH00526: Syntax error on line 1 of /x:\n",
        "         port 80 namevhost nowhere.example (/etc/apache2/apache2.conf:1)\n",
        "                 alias nowhere.example\n",
    ],
)
def test_where_nothing_is_told_nothing_is_known(output: str) -> None:
    assert dump.read(output) == dump.Dump()


def test_a_virtual_host_without_a_place_is_kept() -> None:
    (host,) = dump.read("*:80   odd.example\n").virtual_hosts
    assert (host.names, host.place, host.default) == (("odd.example",), ":0", True)
