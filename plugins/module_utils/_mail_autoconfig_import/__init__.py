"""What the mail server on this host offers, and the provider that follows from it.

PRIVATE to the mailops.autoconfig collection: names and behaviour may change with any release.
Python 3.9 syntax, the standard library only. It reads, and changes nothing anywhere.

Data flows one way: ``options`` (input) -> ``dovecot``, ``postfix``, ``users``, ``files`` (ask the host: facts, and what cannot be
told) -> ``proposal`` (pure: which listeners, which host) -> ``connections`` (asks these over the network) -> ``proposal`` (pure:
the provider) -> ``report`` (pure: plain data). ``run`` joins them.

The output of a program is believed only where it is whole: every setting that was asked for is there, every block is closed,
nothing is said twice in two ways. What fails that is an :class:`~.model.Unknown`, never a default.
"""
