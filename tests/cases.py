"""A table of small cases that is one test: pytest takes half a millisecond for each, and most of them take less."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from reprlib import Repr

brief = Repr()
brief.maxstring = brief.maxother = 200


def each(names: str, table: Iterable[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`. The first case that fails is named below its error.

    Fixtures are the same for all cases, but each has a directory of its own as `tmp_path`.
    """
    arguments, cases = [name.strip() for name in names.split(",")], list(table)
    assert cases, f"no cases of {names}"

    def loop(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def of_all(**fixtures: object) -> None:
            above = fixtures.get("tmp_path")
            for number, case in enumerate(cases):
                values = case if len(arguments) > 1 else (case,)
                assert isinstance(values, tuple | list), case
                if isinstance(above, Path):
                    fixtures["tmp_path"] = above / str(number)
                    (above / str(number)).mkdir()
                try:
                    test(**dict(zip(arguments, values, strict=True)), **fixtures)
                except BaseException as error:
                    error.add_note(f"case {number}: {names} = {brief.repr(case)}")
                    raise

        written = inspect.signature(test)
        rest = [value for name, value in written.parameters.items() if name not in arguments]
        vars(of_all)["__signature__"] = written.replace(parameters=rest)  # by which pytest finds fixtures
        return of_all

    return loop
