"""What the environment may say, and what is said of what it must not."""

from __future__ import annotations

import pytest

from server.settings import SettingWrong, read_settings


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("*", ["*"]),
        ("https://one.example, https://two.example,", ["https://one.example", "https://two.example"]),
        ('["https://one.example", "https://two.example"]', ["https://one.example", "https://two.example"]),
    ],
)
def test_a_list_is_written_as_json_or_with_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: list[str]
) -> None:
    monkeypatch.setenv("WEBHAND_CORS_ORIGINS", written)
    assert read_settings().cors_origins == meant


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("WEBHAND_CORS_ORIGINS", '["https://one.example"', "not JSON"),
        ("WEBHAND_PROXIES", "http://proxy.example", "not JSON"),
        ("WEBHAND_PROXIES", "[]", "dictionary"),
        ("WEBHAND_ORIGINS", '{"https://x.com": "x.com"}', "'x.com' is not an origin"),
        ("WEBHAND_PORT", "high", "integer"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, written: str, said: str
) -> None:
    monkeypatch.setenv(name, written)
    with pytest.raises(SettingWrong, match=rf"^{name}.*{said}"):
        read_settings()


def test_a_vault_key_that_cannot_be_read_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHAND_VAULT_KEYS", '["hush-hush"')
    with pytest.raises(SettingWrong) as caught:
        read_settings()
    assert "hush-hush" not in str(caught.value)
