"""An OpenAI-compatible server for models that read and write media: `sensorium.serve.app.create_app`.

Nothing is imported here: the processes that open media are of this package too, and must be light.
"""
