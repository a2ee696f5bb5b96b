"""Behind a Lambda function URL, or an API Gateway HTTP API: who asks, and how."""

import json


def lambda_handler(event, context):
    http = event["requestContext"]["http"]
    if http["method"] == "DELETE":
        return {"statusCode": 204}
    name = (event.get("queryStringParameters") or {}).get("name", "nobody")
    if event["rawPath"] == "/short":
        return {"hello": name}  # without a statusCode it is the body of a 200
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "x-agent": event["headers"].get("user-agent", "")},
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": json.dumps({"path": event["rawPath"], "hello": name, "cookies": event.get("cookies", [])}),
    }
