"""OpenSSL's words for a certificate that it refuses, in the language in use.

The English is that of OpenSSL 3, under every release, so that a text can be looked up in its documentation. What stands
here are the errors that a server's or client's certificate can bring; OpenSSL's own text is shown for the others.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from securechat.translation import Sentence

# X509_V_ERR_* of <openssl/x509_vfy.h>; the numbers have been stable since OpenSSL 1.1.0.
_WORDS: Final[Mapping[int, Sentence]] = {
    2: Sentence("unable to get issuer certificate"),
    7: Sentence("certificate signature failure"),
    9: Sentence("certificate is not yet valid"),
    10: Sentence("certificate has expired"),
    18: Sentence("self-signed certificate"),
    19: Sentence("self-signed certificate in certificate chain"),
    20: Sentence("unable to get local issuer certificate"),
    21: Sentence("unable to verify the first certificate"),
    22: Sentence("certificate chain too long"),
    23: Sentence("certificate revoked"),
    24: Sentence("issuer certificate doesn't have a public key"),
    25: Sentence("path length constraint exceeded"),
    26: Sentence("unsuitable certificate purpose"),
    27: Sentence("certificate not trusted"),
    28: Sentence("certificate rejected"),
    30: Sentence("authority and subject key identifier mismatch"),
    31: Sentence("authority and issuer serial number mismatch"),
    32: Sentence("key usage does not include certificate signing"),
    34: Sentence("unhandled critical extension"),
    47: Sentence("permitted subtree violation"),
    48: Sentence("excluded subtree violation"),
    66: Sentence("EE certificate key too weak"),
    67: Sentence("CA certificate key too weak"),
    68: Sentence("CA signature digest algorithm too weak"),
    79: Sentence("invalid CA certificate"),
    85: Sentence("Missing Authority Key Identifier"),
    86: Sentence("Missing Subject Key Identifier"),
    92: Sentence("CA cert does not include key usage extension"),
}


def verify_words(error: ssl.SSLCertVerificationError) -> str:
    """Return why OpenSSL refuses a certificate, as half a sentence."""
    return _WORDS.get(error.verify_code, error.verify_message)
