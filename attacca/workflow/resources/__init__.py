"""What workflows are wired to besides functions: files, databases, doors to the world. One file each."""

from attacca.workflow.resources.file_log import FileLog
from attacca.workflow.resources.file_pusher import FilePusher
from attacca.workflow.resources.http_egress import HttpEgress
from attacca.workflow.resources.http_ingress import HttpIngress
from attacca.workflow.resources.http_poster import HttpPoster
from attacca.workflow.resources.kafka_egress import KafkaEgress
from attacca.workflow.resources.metrics_collector import MetricsCollector
from attacca.workflow.resources.mqtt import Mqtt
from attacca.workflow.resources.ollama import Ollama
from attacca.workflow.resources.pub_sub import PubSub
from attacca.workflow.resources.redis import RedisKeys
from attacca.workflow.resources.serverless import Serverless
from attacca.workflow.resources.sqlx import Sqlx
from attacca.workflow.resources.types import Resource

RESOURCES: dict[str, type[Resource]] = {
    "file-log": FileLog,
    "file-pusher": FilePusher,
    "http-egress": HttpEgress,
    "http-ingress": HttpIngress,
    "http-poster": HttpPoster,
    "kafka-egress": KafkaEgress,
    "metrics-collector": MetricsCollector,
    "mqtt": Mqtt,
    "ollama": Ollama,
    "pub-sub": PubSub,
    "redis": RedisKeys,
    "serverless": Serverless,
    "sqlx": Sqlx,
}
