"""What workflows are wired to besides functions: files, databases, doors to the world. One file each."""

from attacca.workflow.resources.file_log import FileLog
from attacca.workflow.resources.http_ingress import HttpIngress
from attacca.workflow.resources.serverless import Serverless
from attacca.workflow.resources.types import Resource

RESOURCES: dict[str, type[Resource]] = {"file-log": FileLog, "http-ingress": HttpIngress, "serverless": Serverless}
