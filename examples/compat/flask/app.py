"""A Flask application."""

from flask import Flask, Response, jsonify, request, url_for

app = Flask(__name__)


@app.get("/")
def index():
    return f'<a href="{url_for("item", number=1)}">first</a>'


@app.route("/items/<int:number>")
def item(number):
    return jsonify(number=number, q=request.args.getlist("q"))


@app.post("/upload")
def upload():
    sent = request.files["file"]
    return {"name": sent.filename, "bytes": len(sent.read())}, 201


@app.get("/stream")
def stream():
    return Response((f"line {n}\n" for n in range(3)), mimetype="text/plain")
