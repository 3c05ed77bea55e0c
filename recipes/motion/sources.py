"""Where the animated drawings come from: public npm packages that anyone can fetch with the same command."""

from __future__ import annotations

from dataclasses import dataclass

from sensorium.data.fetch import Credit, Package


@dataclass(frozen=True, kw_only=True)
class Source:
    """A set of animated icons.

    Args:
        style: its short name.
        credit: its line of the attribution file.
    """

    style: str
    credit: Credit


SOURCES = (
    Source(
        style="meteocons",
        credit=Credit(
            name="Meteocons",
            package=Package(name="@iconify-json/meteocons", version="1.2.4"),
            author="Bas Milius",
            licence="MIT",
            url="https://github.com/basmilius/weather-icons",
        ),
    ),
    Source(
        style="line-md",
        credit=Credit(
            name="Material Line Icons",
            package=Package(name="@iconify-json/line-md", version="1.2.16"),
            author="Vjacheslav Trushkin",
            licence="MIT",
            url="https://github.com/cyberalien/line-md",
        ),
    ),
)
