"""Codecs made and measured: learning from media, and the report."""
