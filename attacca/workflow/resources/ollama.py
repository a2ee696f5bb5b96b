"""`ollama`: a language model that Ollama serves; each event is what somebody says to it, who has a conversation of his
own with it."""

from collections import deque
from collections.abc import Mapping

import msgspec

from attacca.errors import BadRequest, FunctionFailed
from attacca.model.events import place
from attacca.workflow.resources.http_client import HttpClient
from attacca.workflow.resources.network import parsed, persist
from attacca.workflow.resources.types import Host, field, number

URL = "http://127.0.0.1:11434"  # where Ollama listens unless it is told otherwise
OK = 200
HISTORY, HISTORY_MOST = 20, 1000  # messages of a conversation that the model is shown again
SAID_MOST = 200_000  # characters of them together
SPEAKERS_MOST = 100  # of whom the last to speak are remembered


class Message(msgspec.Struct, frozen=True):
    role: str
    content: str


class Answered(msgspec.Struct, frozen=True):
    message: Message


class Ollama:
    """`model`; `url`; `history`: of how many messages it is reminded. What it says to a cast goes to the output `out`,
    and a call is answered with it."""

    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        self._model, self._host = field(configuration, "model", "ollama"), host
        url = parsed(configuration.get("url") or URL, ("http", "https"), "ollama")
        self._url = f"{url.geturl().rstrip('/')}/api/chat"
        self._history = int(number(configuration, "history", HISTORY, 0, HISTORY_MOST))
        self._said: dict[str, deque[Message]] = {}  # by whom they are with
        self._client = HttpClient(host, "ollama")

    def __repr__(self) -> str:
        return f"<Ollama {len(self._said)} conversations, {self._client!r}>"

    async def open(self, self_id: str, workflow: str) -> None:
        self._client.open()

    async def cast(self, source: str, data: bytes) -> None:
        self._host.cast("out", await self.call(source, data))

    async def call(self, source: str, data: bytes) -> bytes:
        prompt = Message("user", _text(data))
        speaker = place(source.partition("@")[0])
        before = self._said.get(speaker, ())
        asked = {"model": self._model, "messages": [*before, prompt], "stream": False}
        body, headers = msgspec.json.encode(asked), {"content-type": "application/json"}
        answer = await persist(lambda: self._client.ask("POST", self._url, headers, body), self._host)
        if answer.status != OK:
            shown = answer.body[:200].decode("utf-8", "replace")
            raise FunctionFailed(f"ollama answered {answer.status}: {shown}", "ollama list says which models it has")
        try:
            said = msgspec.json.decode(answer.body, type=Answered).message
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise FunctionFailed(f"the answer is none of ollama's: {error}", "see what listens there") from None
        self._remember(speaker, prompt, said)
        return said.content.encode()

    def _remember(self, speaker: str, *said: Message) -> None:
        """Once it was answered."""
        known = self._said.pop(speaker, None) or deque(maxlen=self._history)
        known.extend(said)
        while known and sum(len(message.content) for message in known) > SAID_MOST:
            known.popleft()
        self._said[speaker] = known
        if len(self._said) > SPEAKERS_MOST:
            del self._said[next(iter(self._said))]

    async def close(self) -> None:
        await self._client.close()


def _text(data: bytes) -> str:
    """
    Raises:
        BadRequest: it is none.
    """
    try:
        text = data.decode()
    except UnicodeError as error:
        raise BadRequest(f"the event is no text: {error}", "send what is to be said to the model") from None
    if not text.strip():
        raise BadRequest("the event is empty", "send what is to be said to the model")
    return text
