"""TLS: verifies the server, and lets a client learn its CA. Knows certificates, not chat messages.

This package opens no listening socket and logs nothing: it returns facts or raises ``TlsFailure`` with one sentence
that a user can act on. Modules:

* ``certificate_directory``: ``ensure_server(directory)`` makes or renews ``server.pem``;
  ``create_authority``, ``load_authority``, ``issue_server``, ``issue_client``, ``needs_renewal`` are its steps.
* ``issuing``: the X.509 certificates themselves: extensions and lifetimes, with reasons.
* ``chain_rules``: ``require_usable(bundle, now)``, ``doubts(bundle)``: what clients would refuse, found at the start.
* ``pem_bundle``: ``read_bundle(cert, key)``, ``fingerprint(certificate)``: the contents of a PEM file.
* ``client_certificates``: ``public_key_fingerprint(der)``, ``fingerprint_of_file(path)``,
  ``read_client_bundle(path, now)``, ``prove_key(bundle, authorities, sender_id)``, ``proven_fingerprint(...)``.
* ``hostnames``: ``Names``, ``parse_name``: the names a certificate can be issued for.
* ``local_addresses``: ``local_names()``, ``private_addresses()``, ``is_public(ip)``: this machine's own.
* ``contexts``: ``ServerCertificate`` (the current context, ``reload()``), ``server_context(cert, key)``,
  ``client_context(ca_pem, certificate=...)``, where ``SYSTEM_CAS`` may stand for the PEM text.
* ``trust``: ``load_ca_file(path)``, ``parse_pin(text)``, ``learn_ca(host, port, pin, timeout_s)``: each ends in CA
  PEM text for ``client_context``.
* ``failures``: ``explain(exc, host, now, chain)``, ``check_protocol(selected, host)``: the reason of a failed
  handshake, in one sentence.
* ``key_exchange``: ``prefer_modern_groups()``, which must run before anything imports ``ssl``; that is why this file
  imports nothing.
"""
