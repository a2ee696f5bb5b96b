"""A Google Cloud Function with the decorator of the functions framework."""

import functions_framework
from flask import abort, jsonify


@functions_framework.http
def hello(request):
    if request.method == "DELETE":
        abort(405)
    told = request.get_json(silent=True) or {}
    name = told.get("name") or request.args.get("name") or "World"
    if request.path == "/shout":
        return name.upper(), 201, {"X-Loud": "yes"}
    return jsonify(hello=name, agent=request.headers.get("User-Agent"))
