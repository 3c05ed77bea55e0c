"""Modalities by name. Built-in and outside ones come through the same entry points."""

from __future__ import annotations

from sensorium import plugins
from sensorium.modalities.base import Modality

__all__ = ["Modality", "modality", "modality_names"]


def modality(name: str) -> Modality:
    """The modality registered under ``name``; ValueError lists the known ones otherwise."""
    return plugins.load(plugins.MODALITIES, name)


def modality_names() -> tuple[str, ...]:
    return plugins.names(plugins.MODALITIES)
