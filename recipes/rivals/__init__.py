"""The recipe ``rivals``: three other ways to a multimodal model, on the same pictures; see README.md."""
