"""Media of requests: fetched, opened by workers, put into conversations."""
