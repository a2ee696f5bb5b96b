"""The client of a running attacca: its HTTP API, and what is deployed. For the command line and for scripts.

from attacca.client.http import Client
from attacca.client.source import deploy, find
from attacca.io.archive import packed

source = find(Path("hello"), {"memory_mb": 256})
with Client("http://127.0.0.1:8080", token) as client, packed(source.path) as archive:
    *steps, last = deploy(client, source, archive, allow_source_builds=False)
print(last["done"]["revision"])
"""
