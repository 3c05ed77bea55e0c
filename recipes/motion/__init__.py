"""Clips of drawings that move, with exact facts: what, where to, how, when."""
