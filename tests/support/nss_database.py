"""An NSS database with a trusted CA, as Chromium on Linux and Firefox read it, without NSS's own tools.

The library is the one that the browsers use. It keeps state for a whole process, so the work is done in one of its own.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_TRUSTED_CA = 0x08 | 0x10  # CERTDB_VALID_CA and CERTDB_TRUSTED_CA of certt.h, for TLS servers: "C,," of certutil


def trust(database: Path, ca: Path) -> None:
    """Make a database that trusts a CA for servers; skips the test where there is no NSS.

    Args:
        database: a directory, made when it is missing: ``$HOME/.pki/nssdb`` for Chromium, a profile for Firefox.
        ca: PEM.
    """
    database.mkdir(parents=True, exist_ok=True)
    der = database / "ca.der"
    der.write_bytes(x509.load_pem_x509_certificate(ca.read_bytes()).public_bytes(Encoding.DER))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.nss_database", str(database), str(der)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 3:
        pytest.skip("no NSS on this machine (Debian: apt install libnss3)")
    assert done.returncode == 0, done.stderr


def _write(database: str, der: bytes) -> int:
    try:
        nss, smime = ctypes.CDLL("libnss3.so"), ctypes.CDLL("libsmime3.so")
    except OSError:
        return 3
    for library, name in (
        (nss, "PK11_GetInternalKeySlot"),
        (nss, "CERT_GetDefaultCertDB"),
        (smime, "CERT_DecodeCertFromPackage"),
    ):
        getattr(library, name).restype = ctypes.c_void_p
    assert nss.NSS_InitReadWrite(f"sql:{database}".encode()) == 0
    slot = ctypes.c_void_p(nss.PK11_GetInternalKeySlot())
    if nss.PK11_NeedUserInit(slot):
        assert nss.PK11_InitPin(slot, None, None) == 0
    certificate = ctypes.c_void_p(
        smime.CERT_DecodeCertFromPackage(ctypes.create_string_buffer(der, len(der)), len(der))
    )
    assert nss.PK11_ImportCert(slot, certificate, ctypes.c_ulong(0), b"the CA of a test", 0) == 0
    flags = (ctypes.c_uint * 3)(_TRUSTED_CA, 0, 0)
    assert nss.CERT_ChangeCertTrust(ctypes.c_void_p(nss.CERT_GetDefaultCertDB()), certificate, flags) == 0
    return 0


if __name__ == "__main__":
    sys.exit(_write(sys.argv[1], Path(sys.argv[2]).read_bytes()))
