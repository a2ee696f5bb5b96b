import csv

import pytest

from attacca.io.timeseries.influx import Influx1, Influx2, last_of

CSV = (
    "#group,false,false,true,true\r\n#datatype,string,long,string,string\r\n#default,_result,,,\r\n"
    ",result,table,_field,_value,name\r\n,_result,0,cpu_loadavg,0.5,w1\r\n,_result,1,cpu_util,nonsense,w1\r\n\r\n"
    ",result,table,_field,_value,name\r\n,_result,2,cpu_loadavg,7,w2\r\n,_result,2,cpu_loadavg,7,\r\n"
)


def test_the_tables_of_flux_are_read() -> None:
    assert last_of(CSV, "name") == {"w1": {"cpu_loadavg": 0.5}, "w2": {"cpu_loadavg": 7.0}}
    assert last_of("", "name") == last_of("error,reference\r\nno,1", "name") == {}


def test_what_is_no_number_and_rows_that_end_early_say_nothing() -> None:
    rows = (",,inf,cpu_loadavg,w1", ",,nan,cpu_loadavg,w1", ",,1e999,cpu_loadavg,w1", ",,1", ",,2,cpu_loadavg,w2")
    assert last_of(",result,_value,_field,name\r\n" + "\r\n".join(rows), "name") == {"w2": {"cpu_loadavg": 2.0}}
    with pytest.raises(csv.Error):
        last_of(" " * 200_000, "name")


def test_no_password_and_no_token_is_shown() -> None:
    assert repr(Influx1("http://a:1", "db", "user", "sesame")) == "<Influx1 db at http://a:1>"
    assert repr(Influx2("http://a:1", "org", "bucket", "sesame")) == "<Influx2 bucket at http://a:1>"


def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(ValueError, match="url is http"):
        Influx1("localhost:8086", "db")
