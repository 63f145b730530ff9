"""TLS: who may speak for the server, and how a client finds out. Knows certificates, not chat messages.

This package opens no listening socket and logs nothing: it returns facts or raises ``TlsFailure`` with one sentence
that a user can act on. Where to look:

* ``certificates``: the certificate directory. ``ensure_server(directory)`` makes or renews ``server.pem``;
  ``create_authority``, ``load_authority``, ``issue_server``, ``issue_client``, ``needs_renewal`` are its steps.
* ``issuing``: the X.509 itself: which extensions, which lifetimes, and why.
* ``bundle``: ``read_bundle(cert, key)``, ``fingerprint(certificate)``: what a PEM file says.
* ``client_keys``: ``public_key_fingerprint(der)``, ``fingerprint_of_file(path)``, ``read_client_bundle(path, now)``,
  ``prove_key(bundle, authorities, sender_id)``, ``proven_fingerprint(...)``: a user's own certificate.
* ``hostnames``: ``Names``, ``parse_name``: what a certificate can be made out to.
* ``addresses``: ``local_names()``, ``private_addresses()``, ``is_public(ip)``: what this machine is called.
* ``contexts``: ``ServerCertificate`` (the current context, ``reload()``), ``server_context(cert, key)``,
  ``client_context(ca_pem, certificate=...)``.
* ``trust``: ``load_ca_file(path)``, ``parse_pin(text)``, ``learn_ca(host, port, pin, timeout_s)``: each ends in CA
  PEM text for ``client_context``.
* ``failures``: ``explain(exc, host, now, certificate)``, ``check_protocol(selected, host)``: why a handshake failed,
  in one sentence.
* ``groups``: ``prefer_modern_groups()``, which must run before anything imports ``ssl``; that is why this file
  imports nothing.
"""
