from pathlib import Path

import pytest

from attacca.errors import BadConfig, Conflict
from attacca.io.certificates import AUTHORITY, OWN, OWN_KEY, Certificates, make_authority, make_plane, shown
from tests.cases import each

pytestmark = pytest.mark.long  # keys are made

NOW = 1.8e9
DAY = 86_400


def test_what_a_plane_is_given_is_its_own_and_no_key_of_the_authority(tmp_path: Path) -> None:
    make_authority(tmp_path, NOW)
    out = make_plane(tmp_path, "worker", "w1", tmp_path / "w1", NOW, days=30)
    assert sorted(one.name for one in out.iterdir()) == [AUTHORITY, OWN, OWN_KEY]
    assert (out / OWN_KEY).stat().st_mode & 0o777 == 0o600
    assert [(one.names, round((one.ends_at - NOW) / DAY)) for one in shown([out / OWN, out / AUTHORITY])] == [
        (("worker/w1",), 30), (("authority",), 3650),
    ]  # fmt: skip
    assert repr(Certificates(out)) == f"<Certificates {out}: read 1 times>"


def test_an_authority_is_not_lost_by_mistake_and_the_one_before_is_believed(tmp_path: Path) -> None:
    make_authority(tmp_path, NOW)
    with pytest.raises(Conflict):
        make_authority(tmp_path, NOW)
    make_authority(tmp_path, NOW, renew=True)
    assert len(shown([tmp_path / AUTHORITY])) == 2


@each(
    "plane, name",
    [
        ("worker", "control"),
        ("gateway", "control"),
        ("control", "c1"),
        ("worker", "../x"),
        ("worker", ""),
        ("worker", "a\n"),
    ],
)
def test_nobody_else_is_named_as_control_is(tmp_path: Path, plane: str, name: str) -> None:
    make_authority(tmp_path, NOW)
    with pytest.raises(BadConfig, match="is no name for a"):
        make_plane(tmp_path, plane, name, tmp_path / "out", NOW)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="there is no authority"):
        make_plane(tmp_path, "worker", "w1", tmp_path / "w1", NOW)
    with pytest.raises(BadConfig, match="cannot be used"):
        Certificates(tmp_path)
    assert shown([tmp_path / "none"]) == []
