"""A function of DigitalOcean: parameters beside each other, the request below `http`."""


def main(event, context):
    name = event.get("name", "stranger")
    method = event["http"]["method"]
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": {"greeting": f"Hello {name}!", "method": method, "function": context.function_name},
    }
