"""An OpenFaaS function of the python3-http template."""

import json


def handle(event, context):
    if event.method == "POST":
        return {"statusCode": 201, "body": {"got": json.loads(event.body)}, "headers": {"X-Path": event.path}}
    return {
        "statusCode": 200,
        "body": "hello " + event.query.get("name", "you"),
        "headers": {"Content-Type": "text/plain"},
    }
