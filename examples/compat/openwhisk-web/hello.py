"""An OpenWhisk web action: it is told of the HTTP request, and answers with a status and headers."""


def main(args):
    if args["__ow_method"] == "post":
        return {"statusCode": 303, "headers": {"Location": "/elsewhere"}}
    name = args.get("name", "stranger")
    return {
        "headers": {"Content-Type": "text/html"},
        "statusCode": 200,
        "body": f"<p>{name} at {args['__ow_path']}, {args['__ow_headers']['accept']}</p>",
    }
