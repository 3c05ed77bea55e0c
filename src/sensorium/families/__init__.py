"""Codec families: one file each, with the networks of those that learn."""
