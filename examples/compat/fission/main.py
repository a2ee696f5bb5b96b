"""A function of Fission: no parameters; the request is Flask's global one."""

from flask import current_app, request


def main():
    current_app.logger.info("received a request")
    if request.method == "POST":
        return {"sum": sum(request.get_json())}
    return "Hello, %s!\n" % request.args.get("name", "Fission")
