"""Which shape of event a handler takes, by what it reads of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cases import each
from tests.guest.written import look, refusal
from tests.logged import Logged

pytestmark = pytest.mark.long  # each case is a module that is written and read

V1, V2, HTTP, PLAIN = "api-gateway-v1", "api-gateway-v2", "http", "plain"
STATUS = 'return {"statusCode": 200, "body": "{}"}'


def lines(*body: str, head: str = "def handler(event, context):") -> str:
    return "\n".join(["import json, base64", head, *(f"    {line}" for line in body)])


@each(
    "body, shape",
    [
        # what only one of them sends
        (["if event['httpMethod'] == 'GET': pass"], V1),
        (["return event.get('httpMethod')"], V1),
        (["return event['multiValueQueryStringParameters']['a'][0]"], V1),
        (["return event['requestContext']['identity']['sourceIp']"], V1),
        (["return event['requestContext']['elb']"], V1),
        (["return 'httpMethod' in event"], V1),
        (["return event['rawPath']"], V2),
        (["return event['rawQueryString']"], V2),
        (["return event['requestContext']['http']['method']"], V2),
        (["context_ = event.get('requestContext', {})", "return context_.get('http', {}).get('method')"], V2),
        # what both send
        (["query = event['queryStringParameters'] or {}", "return query.get('name')"], V1),
        (["return (event.get('queryStringParameters') or {}).get('name')"], V1),
        (["return event.get('queryStringParameters', {}).get('a'), event['headers']['x-key']"], V2),
        (["return event['queryStringParameters'], event['headers']['x-key']"], V1),
        (["return event.get('queryStringParameters', {}), event['headers']['X-Key']"], V1),
        (["return event['pathParameters']['id']"], V1),
        (["if event.get('isBase64Encoded'): return base64.b64decode(event['body'])"], V1),
        (["body = json.loads(event['body'])", STATUS], V1),
        (["body = json.loads(event.get('body') or '{}')", STATUS], V1),
        (["event = json.loads(event['body'])", "name = event['name']", STATUS], V1),
        (["print(event['body'])", STATUS], V1),
        (["send(event['subject'], event['body'])", STATUS], PLAIN),
        (["if event['path'] == '/': " + STATUS], V1),
        (["token = event['headers'].get('Authorization')", STATUS], V1),
        (["token = event['headers'].get('authorization')", STATUS], V2),
        (["name = event['cookies'][0]", STATUS], V2),
        (["headers = {name.lower(): value for name, value in event['headers'].items()}", STATUS], V1),
        # nothing that only HTTP has
        ([STATUS], PLAIN),
        (["return event['name']"], PLAIN),
        (["return json.loads(event['body'])"], PLAIN),
        (["return event['headers']['x-key']"], PLAIN),
        (["return event['path']"], PLAIN),
        (["'httpMethod, queryStringParameters'", "return 'httpMethod'"], PLAIN),
        (["other = {'httpMethod': 'GET'}", "return other['httpMethod']"], PLAIN),
        (["event['httpMethod'] = 'GET'", "return event"], PLAIN),
        (["return {'queryStringParameters': event['name']}"], PLAIN),
        (["for record in event['Records']: print(record['body'])"], PLAIN),
        (["if 'Records' in event: return 1", "return event['httpMethod']"], PLAIN),
        (["return event['detail']['requestContext']"], PLAIN),
        (["return event['requestContext']['connectionId']"], PLAIN),
        (["return event['requestContext']"], PLAIN),
        # OpenFaaS, OpenWhisk, DigitalOcean
        (["return event.body"], HTTP),
        (["if event.method == 'GET': return event.query['a'], event.headers.get('x')"], HTTP),
        (["return event.get('__ow_method')"], HTTP),
        (["return event.get('name'), event.items(), event.copy()"], PLAIN),
    ],
)
def test_what_is_read_tells_the_shape(tmp_path: Path, body: list[str], shape: str) -> None:
    assert look(tmp_path, lines(*body)).event == shape


@each(
    "code",
    [
        "def method(event): return event['httpMethod']\ndef handler(event, context): return method(event)",
        "def method(asked): return asked['httpMethod']\ndef handler(event, context): return method(asked=event)",
        "def handler(event, context):\n    def inner():\n        return event['httpMethod']\n    return inner()",
        "def handler(event, context):\n    both = [event['httpMethod'] for _ in range(2)]",
        "def handler(event, context):\n    if (method := event.get('httpMethod')): return method",
        "def handler(_event, _):\n    same = _event or {}\n    return dict(same)['httpMethod']",
        "async def later(asked): return asked['httpMethod']\n"
        "async def handler(event, context): return await later(event)",
        "class Api:\n    def handle(self, event, context): return self.route(event)\n"
        "    def route(self, event): return event['httpMethod']\nhandler = Api().handle",
        "import tools\ndef handler(event, context): return tools.method(event)",
        "from tools import explicit\n@explicit\ndef handler(asked, context): return asked['httpMethod']",
        "class Layer:\n    def __init__(self, f): self.f = f\n    def __call__(self, event, context):\n"
        "        return self.f(event, context)\n@Layer\ndef handler(asked, context): return asked['httpMethod']",
        "from tools import method\ndef handler(event, context): return method(event)",
        "from tools import answered\n@answered\ndef handler(event, context): return event['httpMethod']",
        "handler = lambda event, context: event['httpMethod']",
        "def handler(event): return event['httpMethod']",
        "def handler(event, context):\n    match event:\n        case _: return event['httpMethod']",
        "def loop(event): return loop(event) or event['httpMethod']\ndef handler(event, context): return loop(event)",
    ],
)
def test_it_is_followed_wherever_it_goes(tmp_path: Path, code: str) -> None:
    tools = """
        import functools
        def method(event): return event["httpMethod"]
        def explicit(f):
            @functools.wraps(f)
            def inner(event, context): return f(event, context)
            return inner
        def answered(f):
            @functools.wraps(f)
            def inner(*args, **kwargs): return f(*args, **kwargs)
            return inner
    """
    assert look(tmp_path, {"main.py": code, "tools.py": tools}, "main:handler").event == V1


def test_who_writes_the_answer_may_be_another(tmp_path: Path) -> None:
    code = lines("body = json.loads(event['body'])", "return answer(body)") + "\nfrom answers import answer"
    files = {"main.py": code, "answers.py": "def answer(body): return {'statusCode': 200, 'body': str(body)}"}
    assert look(tmp_path, files, "main:handler").event == V1


LIBRARIES = {
    "aws_lambda_powertools/__init__.py": "",
    "aws_lambda_powertools/event_handler.py": """
        class APIGatewayRestResolver:
            def resolve(self, event, context): return {}
        class LambdaFunctionUrlResolver(APIGatewayRestResolver): ...
    """,
    "aws_lambda_powertools/data_classes.py": "class APIGatewayProxyEventV2(dict): ...\nclass SQSEvent(dict): ...",
    "mangum.py": """
        class Mangum:
            def __init__(self, app): self.app = app
            def __call__(self, event, context): return {}
    """,
    "chalice.py": """
        class Chalice:
            def __init__(self, app_name): self.routes = {}
            def __call__(self, event, context): return {}
    """,
    "serverless_wsgi.py": "def handle_request(app, event, context): return {}",
}
RESOLVED = "\ndef lambda_handler(event, context): return app.resolve(event, context)"


@each(
    "code, found",
    [
        (
            f"from aws_lambda_powertools.event_handler import APIGatewayRestResolver as R\napp = R(){RESOLVED}",
            ("main:lambda_handler", "event_context", V1),
        ),
        (
            f"from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver as R\napp = R(){RESOLVED}",
            ("main:lambda_handler", "event_context", V2),
        ),
        (
            "from aws_lambda_powertools.data_classes import APIGatewayProxyEventV2\n"
            "def lambda_handler(event: APIGatewayProxyEventV2, context): return event.body",
            ("main:lambda_handler", "event_context", V2),
        ),
        (
            "from aws_lambda_powertools.data_classes import APIGatewayProxyEventV2\n"
            "class Order(APIGatewayProxyEventV2): ...\n"
            "def lambda_handler(event: Order, context): return event.body",
            ("main:lambda_handler", "event_context", V2),
        ),
        (
            "from aws_lambda_powertools.data_classes import APIGatewayProxyEventV2\n"
            "class Order(APIGatewayProxyEventV2): ...\n"
            "def lambda_handler(event: 'Order', context): return event.body",
            ("main:lambda_handler", "event_context", V2),
        ),
        (
            "from mangum import Mangum\nasync def app(scope, receive, send): ...\nhandler = Mangum(app)",
            ("main:handler", "event_context", V2),
        ),
        (
            "from mangum import Mangum\ndef handler(event, context): return Mangum(None)(event, context)",
            ("main:handler", "event_context", V2),
        ),
        ("from chalice import Chalice\napp = Chalice(app_name='x')", ("main:app", "event_context", V1)),
        (
            "import serverless_wsgi as w\ndef handler(event, context): return w.handle_request(1, event, context)",
            ("main:handler", "event_context", V1),
        ),
        ("def handler(event: 'APIGatewayProxyEventV2', context): ...", ("main:handler", "event_context", V2)),
    ],
)
def test_libraries_that_take_events_apart(tmp_path: Path, code: str, found: tuple[str, str, str]) -> None:
    assert look(tmp_path, code, bundle=LIBRARIES)[1:4] == found


def test_digital_ocean_finds_the_request_beside_its_parameters(tmp_path: Path) -> None:
    code = "def main(event, context): return event['http']['method'], context.function_name, context.request_id"
    loaded = look(tmp_path, code)
    assert (loaded.signature, loaded.event) == ("args", HTTP)
    assert loaded.call({"http": {"method": "GET"}})[0] == "GET"
    loaded = look(tmp_path, "def main(args): return args.get('http', {}).get('path')")
    assert (loaded.signature, loaded.event) == ("args", HTTP)


@pytest.mark.parametrize(
    ("line", "shape"),
    [("os.getenv('Http_Query')", HTTP), ("os.environ['Http_X_Key']", HTTP), ("'of Http_Query'", PLAIN)],
)
def test_who_reads_the_watchdogs_variables_is_told_of_the_request(tmp_path: Path, line: str, shape: str) -> None:
    code = f"import os\ndef handle(req): return {line}"
    assert look(tmp_path, code)[2:4] == ("text", shape)
    assert look(tmp_path, code, event="http")[2:4] == ("text", HTTP)


def test_nuclio_has_the_context_first(tmp_path: Path, logged: Logged) -> None:
    code = """
        def handler(context, event):
            context.logger.warning("one")
            context.logger.warning_with("two", item=3)
            context.logger.warning_with("three", "item", 3)
            return context.Response(body=event.body, status_code=201), context.name
    """
    loaded = look(tmp_path, code)
    assert (loaded.signature, loaded.event) == ("event_context", HTTP)
    answer = {"statusCode": 201, "headers": {"content-type": "text/plain"}, "body": "it"}
    assert loaded.call(SimpleNamespace(body="it"), SimpleNamespace(name="context")) == (answer, "context")
    assert logged.messages == ["one", "two item=3", "three item 3"]


def test_an_expression_may_be_as_deep_as_python_takes(tmp_path: Path) -> None:
    deep = " + ".join(["'x'"] * 900)
    assert look(tmp_path, lines(f"return event['httpMethod'] + {deep}")).event in (PLAIN, V1)


@each("event", [V1, V2, HTTP, PLAIN])
def test_the_setting_has_the_last_word(tmp_path: Path, event: str) -> None:
    assert look(tmp_path, lines("return event['httpMethod']"), event=event).event == event


def test_the_setting_is_refused_where_there_is_no_event(tmp_path: Path) -> None:
    what, hint = refusal(tmp_path, "def area(width, height): ...", event=V1)
    assert what == "the setting event is 'api-gateway-v1', and main:area takes no event"
    assert "handler(event, context)" in hint
    assert look(tmp_path, "async def app(scope, receive, send): ...", event=V1).event == PLAIN


@pytest.mark.parametrize("text", ["x" * (1 << 20), "\0", "(" * 500])
def test_source_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    from attacca.guest.source import Source

    path = tmp_path / "main.py"
    path.write_text(f"x = 1 # {text}" if text[0] == "x" else text)
    assert Source(str(tmp_path)).tree(str(path)) is None
    assert Source(str(tmp_path)).tree(str(tmp_path / "none.py")) is None


FRAMEWORK = {
    "flask.py": """
        class Flask:
            def __init__(self, name): self.name, self.config, self.views = name, {}, {}
            def __call__(self, environ, start_response): return self.views["run"]
    """,
    "functions_framework/__init__.py": """
        import functools, flask
        from functions_framework import _function_registry
        def marked(kind):
            def mark(f):
                _function_registry.REGISTRY_MAP[f.__name__] = kind
                @functools.wraps(f)
                def inner(*args, **kwargs): return f(*args, **kwargs)
                return inner
            return mark
        http, cloud_event = marked("http"), marked("cloudevent")
        def _configure_app(app, function, kind): app.views["run"] = kind, function
    """,
    "functions_framework/_function_registry.py": "REGISTRY_MAP = {}",
}


@pytest.mark.parametrize(("mark", "signature"), [("http", "request"), ("cloud_event", "wsgi")])
def test_a_decorator_of_functions_framework_marks_the_function(tmp_path: Path, mark: str, signature: str) -> None:
    code = f"""
        import functions_framework
        def one(x): ...
        def two(y): ...
        @functions_framework.{mark}
        def hello(thing): return "hello"
    """
    loaded = look(tmp_path, code, bundle=FRAMEWORK)
    assert (loaded.handler, loaded.signature, loaded.event) == ("main:hello", signature, PLAIN)
    call: Any = loaded.call
    if mark == "cloud_event":
        assert call.views["run"][0] == "cloudevent"
        assert call.config == {"PROPAGATE_EXCEPTIONS": True}
