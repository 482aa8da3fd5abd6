"""Codes of stocks, however they are spelt."""

from __future__ import annotations

import pytest

from tools.stock import Stock, parse


@pytest.mark.parametrize(
    ("text", "market", "code"),
    [
        ("SH600519", "SH", "600519"),
        ("sh600519", "SH", "600519"),
        ("600519.SH", "SH", "600519"),
        ("600519", "SH", "600519"),
        ("900901", "SH", "900901"),
        ("SZ000001", "SZ", "000001"),
        ("000002", "SZ", "000002"),
        ("200011", "SZ", "200011"),
        ("300750", "SZ", "300750"),
        ("BJ920146", "BJ", "920146"),
        ("920146", "BJ", "920146"),
        ("430047", "BJ", "430047"),
        ("830799", "BJ", "830799"),
        ("HK00700", "HK", "00700"),
        ("hk700", "HK", "00700"),
        ("00700.HK", "HK", "00700"),
        ("00700", "HK", "00700"),
        ("AAPL", "US", "AAPL"),
        ("aapl", "US", "AAPL"),
        ("usAAPL", "US", "AAPL"),
        ("AAPL.US", "US", "AAPL"),
        ("USB", "US", "USB"),
        ("BRK.B", "US", "BRK.B"),
        ("SH000001", "SH", "000001"),
        ("zssh000001", "SH", "000001"),
        ("SH510300", "SH", "510300"),
        (" 600519 ", "SH", "600519"),
    ],
)
def test_every_listed_spelling_names_one_market_and_code(text: str, market: str, code: str) -> None:
    stock = parse(text)
    assert (stock.market, stock.code) == (market, code)
    assert parse(str(stock)) == stock


@pytest.mark.parametrize(
    ("stock", "xueqiu", "eastmoney", "tonghuashun"),
    [
        (Stock("SH", "600519"), "SH600519", "600519", "hs_600519"),
        (Stock("SZ", "000001"), "SZ000001", "000001", "hs_000001"),
        (Stock("SH", "000001"), "SH000001", "zssh000001", "hs_000001"),
        (Stock("SZ", "399001"), "SZ399001", "zssz399001", "hs_399001"),
        (Stock("HK", "00700"), "00700", "hk00700", "hk_00700"),
        (Stock("US", "AAPL"), "AAPL", "usAAPL", "us_AAPL"),
    ],
)
def test_each_platform_gets_its_own_spelling(stock: Stock, xueqiu: str, eastmoney: str, tonghuashun: str) -> None:
    assert (stock.xueqiu, stock.eastmoney, stock.tonghuashun) == (xueqiu, eastmoney, tonghuashun)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("000001", "a stock in Shenzhen and an index in Shanghai: write SZ000001 or SH000001"),
        ("SH300750", "300750 is not listed there: SZ300750 is"),
        ("510300", "write SH510300 or SZ510300"),
        ("茅台", "SH600519, 600519.SH"),
        ("", "SH600519, 600519.SH"),
        ("600519,600520", "no stock code"),
        ("../600519", "no stock code"),
    ],
)
def test_what_names_no_single_stock_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace(".", r"\.")):
        parse(text)
