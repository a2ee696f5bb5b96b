from pathlib import Path

import pytest

from attacca.errors import BadFunction
from attacca.worker.runtime.container.people import resolved, whom
from tests.cases import each

PASSWD = "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\nodd line\n"
GROUP = "staff:x:50:web\n"


@each(
    "user, ids",
    [
        ("web", (33, 34)),
        ("33", (33, 34)),
        ("web:staff", (33, 50)),
        ("web:7", (33, 7)),
        ("1000", (1000, 0)),
        ("1000:50", (1000, 50)),
    ],
)
def test_names_are_looked_up_and_numbers_taken(user: str, ids: tuple[int, int]) -> None:
    assert resolved(user, PASSWD, GROUP) == ids


@each("user", ["nobody", "web:nobody", "4294967296", "-1"])
def test_who_is_not_there_is_said(user: str) -> None:
    with pytest.raises(BadFunction, match="no such user"):
        resolved(user, PASSWD, GROUP)


def test_files_are_the_images_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text(PASSWD)
    assert whom(str(tmp_path), "web") == (33, 34)
    assert whom(str(tmp_path), "") == (0, 0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "etc").symlink_to("/etc")
    with pytest.raises(BadFunction):
        whom(str(tmp_path / "out"), "daemon")
