from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.io.timeseries.opening import SeriesConfig, open_series


def test_each_kind_is_opened_with_its_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sesame\n")
    opened = [
        open_series(SeriesConfig(url="http://a:1/", kind="influx1", user="u", secret_file=str(secret))),
        open_series(SeriesConfig(url="http://a:1", kind="influx2")),
        open_series(SeriesConfig(url="http://a:1/api/v1/write", kind="prometheus")),
    ]
    assert [repr(one) for one in opened] == [
        "<Influx1 attacca at http://a:1>", "<Influx2 attacca at http://a:1>", "<RemoteWrite http://a:1/api/v1/write>",
    ]  # fmt: skip


def test_what_is_not_right_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="url is http"):
        SeriesConfig(url="nowhere")
    with pytest.raises(BadConfig, match="secret_file"):
        open_series(SeriesConfig(url="http://a:1", secret_file=str(tmp_path / "none")))
