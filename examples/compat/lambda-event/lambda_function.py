"""A Lambda function that is invoked with an event of its own, not by HTTP: it prices an order."""

import json
import logging
import os
from datetime import UTC, datetime
from decimal import Decimal

logger = logging.getLogger()
logger.setLevel(logging.INFO)
REGION = os.environ["AWS_REGION"]


def lambda_handler(event, context):
    logger.info("pricing %s", json.dumps(event["lines"]))
    total = sum(Decimal(str(line["price"])) * line["count"] for line in event["lines"])
    return {
        "order": event["order"],
        "total": total,
        "region": REGION,
        "priced_at": datetime.fromtimestamp(event.get("at", 0), UTC).date(),
        "in_time": context.get_remaining_time_in_millis() > 0,
        "function": context.function_name,
    }
