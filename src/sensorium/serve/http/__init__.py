"""Routes of OpenAI's API and of single modalities, and what every request goes through."""
