"""Builds the package: setuptools, after the catalogues of ``securechat/locale`` were compiled (PEP 517, PEP 660)."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - every hook that is not replaced below

sys.path.insert(0, str(Path(__file__).resolve().parent))

from translations import compile_catalogues


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):  # type: ignore[no-untyped-def]
    """Build a wheel."""
    compile_catalogues()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):  # type: ignore[no-untyped-def]
    """Build what an editable installation needs."""
    compile_catalogues()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):  # type: ignore[no-untyped-def]
    """Build a source distribution; it is compiled where it is installed."""
    return build_meta.build_sdist(sdist_directory, config_settings)
