from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.io.otlp.collector import Collector, OtlpConfig
from attacca.kernel.clock import ManualClock


def made(config: OtlpConfig) -> Collector:
    return Collector(config, ManualClock(), {}, tuple)


def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        OtlpConfig(url="nowhere")


def test_fields_come_from_a_file_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "fields"
    file.write_text("Authorization: Bearer sesame\n\nx-org:a\n")
    collector = made(OtlpConfig(url="http://a:1/", fields_file=str(file)))
    assert collector._fields["authorization"] == "Bearer sesame"
    assert collector._fields["x-org"] == "a"
    assert "sesame" not in repr(collector)
    held = "0 held, 0 sent, 0 dropped"
    to = "<Shipper to the collector at http://a:1"
    assert repr(collector) == f"<Collector http://a:1: {to}: {held}>, {to}: {held}>>"


def test_a_file_that_has_no_fields_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fields"
    for text in ("no colon", ": nameless", "two words: x", "a: b\0c", "a: b\n" * 65):
        file.write_text(text)
        with pytest.raises(BadConfig, match="fields_file"):
            made(OtlpConfig(url="http://a:1", fields_file=str(file)))
    with pytest.raises(BadConfig, match="fields_file"):
        made(OtlpConfig(url="http://a:1", fields_file=str(tmp_path / "none")))
