"""Powertools for AWS Lambda: its resolver routes, its logger logs, its exceptions become statuses."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

logger = Logger(service="orders")
app = APIGatewayHttpResolver()
ORDERS = {"7": {"item": "tea", "count": 2}}


@app.get("/orders/<order_id>")
def get_order(order_id: str):
    if order_id not in ORDERS:
        raise NotFoundError(f"no order {order_id}")
    return ORDERS[order_id]


@app.post("/orders")
def create_order():
    order = app.current_event.json_body
    return {"created": order["item"]}, 201


@logger.inject_lambda_context
def lambda_handler(event, context):
    return app.resolve(event, context)
