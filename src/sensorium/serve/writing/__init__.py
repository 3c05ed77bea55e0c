"""Answers in the making: who writes when, and what the ids say."""
