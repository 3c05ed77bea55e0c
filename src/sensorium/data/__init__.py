"""From conversations to packed batches: read, check, import, encode once, mix, pack, load."""

from sensorium.data.conversations import read_conversations, write_conversations
from sensorium.data.importers import import_file, read_folder, read_sharegpt
from sensorium.data.lint import Finding, Report, lint
from sensorium.data.loader import PackedLoader
from sensorium.data.mixture import Dataset, Mixture
from sensorium.data.packing import NO_LOSS, PackedBatch, Sample, pack
from sensorium.data.shards import ShardInfo, encode_one_shard, write_shards
from sensorium.data.templates import Template
from sensorium.data.token_shards import TokenShards

__all__ = [
    "NO_LOSS",
    "Dataset",
    "Finding",
    "Mixture",
    "PackedBatch",
    "PackedLoader",
    "Report",
    "Sample",
    "ShardInfo",
    "Template",
    "TokenShards",
    "encode_one_shard",
    "import_file",
    "lint",
    "pack",
    "read_conversations",
    "read_folder",
    "read_sharegpt",
    "write_conversations",
    "write_shards",
]
