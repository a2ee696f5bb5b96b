import asyncio

from attacca.control.tokens import Tokens
from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import ManualClock


def test_all_controls_of_a_store_have_one_join_token_until_another_is_made() -> None:
    async def main() -> None:
        clock = ManualClock()
        store = MemoryStore(clock)
        one, other = Tokens(store, clock), Tokens(store, clock)
        token = await one.join()
        assert token.startswith("attacca_join_")
        assert await other.join() == token
        renewed = await other.join(renew=True)
        assert renewed != token
        assert await one.join() == renewed

    asyncio.run(main())
