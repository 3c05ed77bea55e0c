"""The recipe `speech`: sentences spoken by a teacher voice, for models that listen and speak."""
