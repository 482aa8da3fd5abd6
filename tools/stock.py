"""A listed stock or index, however its code is spelt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Market = Literal["SH", "SZ", "BJ", "HK", "US"]

_A_SHARES: tuple[tuple[str, Market], ...] = (
    ("920", "BJ"),
    ("900", "SH"),
    ("6", "SH"),
    ("0", "SZ"),
    ("2", "SZ"),
    ("3", "SZ"),
    ("4", "BJ"),
    ("8", "BJ"),
)
_TWO_THINGS = frozenset({"000001", "000016", "000300", "000688", "000852", "000905"})
"""Six digits that name a stock in Shenzhen and a widely followed index in Shanghai."""
_MAINLAND = re.compile(r"(?:(SH|SZ|BJ)[.:]?(\d{6})|(\d{6})[.:](SH|SZ|BJ|SS))", re.IGNORECASE)
_HONG_KONG = re.compile(r"(?:HK[.:]?(\d{1,5})|(\d{1,5})[.:]HK|(\d{5}))", re.IGNORECASE)
_AMERICAN = re.compile(r"(?:US[.:]([A-Z]{1,5}(?:[._][A-Z])?)|([A-Z]{1,5}(?:[._][A-Z])?)(?:[.:]US)?)")
_AMERICAN_BOARD = re.compile(r"us([A-Z]{1,5}(?:_[A-Z])?)")
_SPELLINGS = "SH600519, 600519.SH, 600519, SZ000001, BJ920146, HK00700, 00700.HK, AAPL"


@dataclass(frozen=True, slots=True)
class Stock:
    """One market and one code: six digits on the mainland, five in Hong Kong, a ticker in the United States."""

    market: Market
    code: str

    def __str__(self) -> str:
        """The spelling that can mean nothing else: SH600519, HK00700, AAPL."""
        return self.code if self.market == "US" else self.market + self.code

    @property
    def is_index(self) -> bool:
        """Whether it is an index of Shanghai (000...) or Shenzhen (399...)."""
        return self.code.startswith({"SH": "000", "SZ": "399"}.get(self.market, "-"))

    @property
    def xueqiu(self) -> str:
        """As Xueqiu writes it: SH600519, 00700, AAPL."""
        return self.code if self.market in ("HK", "US") else self.market + self.code

    @property
    def eastmoney(self) -> str:
        """As Eastmoney names its board: 600519, hk00700, usAAPL, zssh000001."""
        if self.market == "US":
            return "us" + self.code.replace(".", "_")
        if self.market == "HK":
            return "hk" + self.code
        return f"zs{self.market.lower()}{self.code}" if self.is_index else self.code

    @property
    def tonghuashun(self) -> str:
        """As Tonghuashun writes it: hs_600519 on the mainland, hk_00700 and us_AAPL elsewhere."""
        return {"HK": "hk_", "US": "us_"}.get(self.market, "hs_") + self.code


def parse(text: str) -> Stock:
    """The stock that the text names. Raises ValueError that says which spelling is wanted."""
    wanted = text.strip()
    board = _AMERICAN_BOARD.fullmatch(wanted)
    if board:
        return Stock("US", board[1].replace("_", "."))
    if wanted[:4].lower() in ("zssh", "zssz"):
        wanted = wanted[2:]
    if mainland := _MAINLAND.fullmatch(wanted):
        market = (mainland[1] or mainland[4]).upper().replace("SS", "SH")
        return _mainland(cast("Market", market), mainland[2] or mainland[3])
    if re.fullmatch(r"\d{6}", wanted):
        return _bare(wanted)
    if hong_kong := _HONG_KONG.fullmatch(wanted):
        return Stock("HK", (hong_kong[1] or hong_kong[2] or hong_kong[3]).zfill(5))
    if american := _AMERICAN.fullmatch(wanted.upper()):
        return Stock("US", (american[1] or american[2]).replace("_", "."))
    raise ValueError(f"'{text}' is no stock code: write it like one of {_SPELLINGS}")


def _mainland(market: Market, code: str) -> Stock:
    stock = Stock(market, code)
    home = _market_of(code)
    if home not in (None, market) and not stock.is_index:
        raise ValueError(f"{code} is not listed there: {home}{code} is")
    return stock


def _bare(code: str) -> Stock:
    if code in _TWO_THINGS:
        raise ValueError(f"{code} is a stock in Shenzhen and an index in Shanghai: write SZ{code} or SH{code}")
    market = _market_of(code)
    if market is None:
        raise ValueError(f"the market of {code} is not clear from its digits: write SH{code} or SZ{code}")
    return Stock(market, code)


def _market_of(code: str) -> Market | None:
    return next((market for start, market in _A_SHARES if code.startswith(start)), None)
