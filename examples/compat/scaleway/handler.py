"""A function of Scaleway."""

import json


def handle(event, context):
    body = json.loads(event["body"]) if event["body"] else {}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": ["application/json"]},
        "body": {
            "method": event["httpMethod"],
            "path": event["path"],
            "city": event["queryStringParameters"].get("city"),
            "told": body,
        },
    }
