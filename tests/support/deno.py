"""The deno of this environment, which runs the page's modules outside a browser; there is none for some machines."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

DENO = Path(sys.executable).with_name("deno.exe" if os.name == "nt" else "deno")
needs_deno = pytest.mark.skipif(not DENO.exists(), reason="no deno for this machine: the page's modules are not run")
