"""A store on etcd, over its JSON gateway: versions and fences are etcd's own revisions.

What is below PREFIX/entry/ are the entries, below PREFIX/lease/ the leases: keys that etcd lets expire with its own.
"""

import asyncio
from base64 import b64decode, b64encode
from typing import Any, Self

import aiohttp
import msgspec

from attacca.errors import BadConfig, StateUnavailable, StateUncertain
from attacca.io.store.address import Address
from attacca.io.store.memory import conflict, lost
from attacca.io.store.types import ABSENT, Entry, Lease

CONNECTIONS = 8
UNAUTHENTICATED, FORBIDDEN = 16, 7  # gRPC's codes


class EtcdStore:
    """A `steady.RawStore`. Of several members it asks one, and the next when that does not answer."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.name = str(address)
        self._address = address
        self._timeout_s = timeout_s
        self._member = 0
        self._session: aiohttp.ClientSession | None = None
        self._token = ""

    @classmethod
    async def open(cls, address: Address, timeout_s: float) -> Self:
        """
        Raises:
            BadConfig: it lets nobody in with these names.
            StateUnavailable: it cannot be reached now.
        """
        store = cls(address, timeout_s)
        tls = address.tls()
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=True if tls is None else tls)
        store._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s), raise_for_status=False
        )
        try:
            await store.stamp()
        except BaseException:
            await store.close()
            raise
        return store

    def __repr__(self) -> str:
        return f"<EtcdStore {self.name}: asks member {self._member}>"

    async def get(self, key: str) -> Entry | None:
        rows = (await self._ask("kv/range", self._range(key))).get("kvs", [])
        return self._entry(rows[0]) if rows else None

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None) -> Entry:
        put = {"key": self._key(key), "value": _said(value)}
        answer = await self._change(key, version, under, {"request_put": put})
        return Entry(key, value, int(answer["header"]["revision"]))

    async def delete(self, key: str, version: int | None, under: Lease | None) -> bool:
        answer = await self._change(key, version, under, {"request_delete_range": {"key": self._key(key)}})
        return int(answer["responses"][0]["response_delete_range"].get("deleted", 0)) > 0

    async def scan(self, prefix: str) -> list[Entry]:
        first = f"{self._address.prefix}/entry/{prefix}".encode()
        asked = {"key": _said(first), "range_end": _said(first[:-1] + bytes([first[-1] + 1]))}
        return [self._entry(row) for row in (await self._ask("kv/range", asked)).get("kvs", [])]

    async def stamp(self) -> int:
        answer = await self._ask("kv/range", {**self._range("none"), "count_only": True})
        return int(answer["header"]["revision"])

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        place = {"key": self._key(key, "lease")}
        rows = (await self._ask("kv/range", place)).get("kvs", [])
        if rows:
            return await self._keep(key, holder, rows[0])
        granted = (await self._tell("lease/grant", {"TTL": str(max(1, -int(-ttl_s // 1)))}))["ID"]
        put = {**place, "value": _said(holder.encode()), "lease": granted}
        nobody = {**place, "target": "CREATE", "create_revision": "0"}
        answer = await self._tell("kv/txn", {"compare": [nobody], "success": [{"request_put": put}]})
        if answer.get("succeeded"):
            return Lease(key, holder, int(answer["header"]["revision"]))
        await self._tell("lease/revoke", {"ID": granted})
        return None

    async def release(self, lease: Lease) -> bool:
        answer = await self._tell(
            "kv/txn",
            {
                "compare": [self._held(lease)],
                "success": [{"request_delete_range": {"key": self._key(lease.key, "lease")}}],
            },
        )
        return bool(answer.get("succeeded"))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    # Of what calls consist.

    def _key(self, key: str, kind: str = "entry") -> str:
        return _said(f"{self._address.prefix}/{kind}/{key}".encode())

    def _range(self, key: str) -> dict[str, Any]:
        return {"key": self._key(key)}

    def _entry(self, row: dict[str, Any]) -> Entry:
        key = b64decode(row["key"]).decode().removeprefix(f"{self._address.prefix}/entry/")
        return Entry(key, b64decode(row.get("value", "")), int(row["mod_revision"]))

    def _held(self, lease: Lease) -> dict[str, Any]:
        place = self._key(lease.key, "lease")
        return {"key": place, "target": "CREATE", "result": "EQUAL", "create_revision": str(lease.fence)}

    async def _change(
        self, key: str, version: int | None, under: Lease | None, change: dict[str, Any]
    ) -> dict[str, Any]:
        """
        Raises:
            Conflict, LeaseLost: see `types.Store`.
        """
        assert version is not None, "a steady store says which"
        compare: list[dict[str, Any]] = [{"key": self._key(key), "target": "MOD", "mod_revision": str(version)}]
        compare += [self._held(under)] if under is not None else []
        look = [{"request_range": self._range(key)}]
        answer = await self._tell("kv/txn", {"compare": compare, "success": [change], "failure": look})
        if answer.get("succeeded"):
            return answer
        rows = answer["responses"][0]["response_range"].get("kvs", [])
        found = self._entry(rows[0]).version if rows else ABSENT
        if under is not None and found == version:
            raise lost(under)
        raise conflict(key, version, found)

    async def _keep(self, key: str, holder: str, row: dict[str, Any]) -> Lease | None:
        if b64decode(row["value"]).decode() != holder:
            return None
        kept = (await self._tell("lease/keepalive", {"ID": row["lease"]}))["result"]
        is_there = int(kept.get("TTL", 0)) > 0  # it may have ended since it was looked at
        return Lease(key, holder, int(row["create_revision"])) if is_there else None

    # Requests.

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._post(path, body, StateUnavailable)

    async def _tell(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._post(path, body, StateUncertain)

    async def _post(self, path: str, body: dict[str, Any], kind: type[StateUnavailable]) -> dict[str, Any]:
        if self._address.user and not self._token:
            await self._log_in()
        try:
            status, answer = await self._send(path, body)
        except aiohttp.ClientConnectorError as error:  # nothing has been sent
            self._move_on()
            raise StateUnavailable(f"{self.name}: {error.os_error.strerror or error}") from error
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            self._move_on()
            raise kind(f"{self.name}: {str(error) or 'it does not answer in time'}") from error
        except asyncio.CancelledError:  # whoever asked did not want to wait any longer
            self._move_on()
            raise
        if status == 200:
            return answer
        if answer.get("code") in (UNAUTHENTICATED, FORBIDDEN) or "auth" in str(answer.get("error", "")):
            self._token = ""
            self._expect_known(answer)
        raise kind(f"{self.name}: {answer.get('error') or answer.get('message') or f'status {status}'}")

    async def _send(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert self._session is not None, "open() comes first"
        host, port = self._address.hosts[self._member]
        where = f"http{'s' * self._address.has_tls}://{f'[{host}]' if ':' in host else host}:{port}/v3/{path}"
        headers = {"authorization": self._token} if self._token else {}
        async with self._session.post(where, data=msgspec.json.encode(body), headers=headers) as response:
            answer = msgspec.json.decode(await response.read())
            return response.status, answer if isinstance(answer, dict) else {}

    async def _log_in(self) -> None:
        status, answer = await self._send(
            "auth/authenticate", {"name": self._address.user, "password": self._address.password}
        )
        if status != 200:
            self._expect_known(answer)
        self._token = answer["token"]

    def _expect_known(self, answer: dict[str, Any]) -> None:
        why = str(answer.get("error") or answer.get("message"))
        if "invalid auth token" in why:
            raise StateUnavailable(f"{self.name}: {why}")  # it expires, and is asked for again
        hint = "name user and password in store.url, or the password in store.password_file"
        raise BadConfig(f"{self.name} does not let us in: {why}", hint)

    def _move_on(self) -> None:
        self._member = (self._member + 1) % len(self._address.hosts)


def _said(value: bytes) -> str:
    return b64encode(value).decode()
