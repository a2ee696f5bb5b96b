"""Behind an API Gateway REST API: a small shelf of books, with a cookie that counts visits."""

import base64
import json

BOOKS = {"1": "Emma", "2": "Persuasion"}


def answer(status, body, **more):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        **more,
    }


def lambda_handler(event, context):
    parts = [part for part in event["path"].split("/") if part]
    if event["httpMethod"] == "POST":
        body = event["body"]
        if event["isBase64Encoded"]:
            body = base64.b64decode(body).decode()
        return answer(201, {"created": json.loads(body)["title"]})
    if len(parts) == 2 and parts[0] == "books":
        if parts[1] not in BOOKS:
            return answer(404, {"message": "no such book"})
        return answer(200, {"title": BOOKS[parts[1]]}, multiValueHeaders={"Set-Cookie": ["seen=1", "last=" + parts[1]]})
    query = event["queryStringParameters"] or {}
    many = (event["multiValueQueryStringParameters"] or {}).get("tag", [])
    return answer(200, {"by": query.get("by"), "tags": many, "key": event["headers"].get("X-Key")})
