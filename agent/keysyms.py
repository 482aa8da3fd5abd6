"""X11 keysyms, as the RFB protocol sends them, told as the keys that a page sees.

Characters of older blocks of the keysym table follow the character sets that the table was made from, so the codecs know
them; the rest stands below as runs of consecutive keysyms (X Window System Protocol, appendix A).
"""

# ruff: noqa: RUF001  # the table holds characters that look alike, on purpose

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import cache

ALT, CONTROL, META, SHIFT = 1, 2, 4, 8
"""DevTools modifier bits."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as DevTools wants it described."""

    key: str
    code: str = ""
    """The place on a US keyboard; empty where there is none."""
    virtual: int = 0
    """The Windows virtual key code."""
    text: str = ""
    """What it types."""
    modifier: int = 0
    keypad: bool = False


def _function_keys() -> dict[int, Key]:
    return {0xFFBE + i: Key(f"F{i + 1}", f"F{i + 1}", 112 + i) for i in range(12)}


def _keypad() -> dict[int, Key]:
    named = [("Home", 36), ("ArrowLeft", 37), ("ArrowUp", 38), ("ArrowRight", 39), ("ArrowDown", 40), ("PageUp", 33)]
    named += [("PageDown", 34), ("End", 35), ("Clear", 12), ("Insert", 45), ("Delete", 46)]
    places = [7, 4, 8, 6, 2, 9, 3, 1, 5, 0]
    codes = [f"Numpad{place}" for place in places] + ["NumpadDecimal"]
    keys = {
        0xFF95 + i: Key(key, code, virtual, keypad=True)
        for i, ((key, virtual), code) in enumerate(zip(named, codes, strict=True))
    }
    keys |= {0xFFB0 + i: Key(str(i), f"Numpad{i}", 96 + i, str(i), keypad=True) for i in range(10)}
    signs = [(0xFFAA, "*", "Multiply"), (0xFFAB, "+", "Add"), (0xFFAC, ",", "Comma"), (0xFFAD, "-", "Subtract")]
    signs += [(0xFFAE, ".", "Decimal"), (0xFFAF, "/", "Divide"), (0xFFBD, "=", "Equal")]
    keys |= {sym: Key(sign, f"Numpad{name}", sym - 0xFF40, sign, keypad=True) for sym, sign, name in signs}
    return keys | {0xFF8D: Key("Enter", "NumpadEnter", 13, "\r", keypad=True)}


def _modifiers() -> dict[int, Key]:
    left_right = [(0xFFE1, "Shift", 16, SHIFT), (0xFFE3, "Control", 17, CONTROL), (0xFFE9, "Alt", 18, ALT)]
    keys: dict[int, Key] = {}
    for sym, name, virtual, bit in left_right:
        keys[sym] = Key(name, f"{name}Left", virtual, modifier=bit)
        keys[sym + 1] = Key(name, f"{name}Right", virtual, modifier=bit)
    for sym in (0xFFE7, 0xFFEB):  # Meta and Super: the command or Windows key
        keys[sym] = Key("Meta", "MetaLeft", 91, modifier=META)
        keys[sym + 1] = Key("Meta", "MetaRight", 92, modifier=META)
    # AltGr and the Mac's option key choose a character, which arrives as its own keysym: no modifier for the page.
    return keys | dict.fromkeys((0xFE03, 0xFF7E), Key("AltGraph", "AltRight", 225))


def _named() -> dict[int, Key]:
    names = [(0xFF08, "Backspace", 8), (0xFF09, "Tab", 9), (0xFE20, "Tab", 9), (0xFF13, "Pause", 19)]
    names += [(0xFF14, "ScrollLock", 145), (0xFF1B, "Escape", 27), (0xFF50, "Home", 36), (0xFF51, "ArrowLeft", 37)]
    names += [(0xFF52, "ArrowUp", 38), (0xFF53, "ArrowRight", 39), (0xFF54, "ArrowDown", 40), (0xFF55, "PageUp", 33)]
    names += [(0xFF56, "PageDown", 34), (0xFF57, "End", 35), (0xFF61, "PrintScreen", 44), (0xFF63, "Insert", 45)]
    names += [(0xFF67, "ContextMenu", 93), (0xFF7F, "NumLock", 144), (0xFFFF, "Delete", 46), (0xFFE5, "CapsLock", 20)]
    keys = {sym: Key(name, name, virtual) for sym, name, virtual in names}
    return keys | {0xFF0D: Key("Enter", "Enter", 13, "\r")}


def _us_keyboard() -> dict[str, tuple[str, int]]:
    """Character -> place and virtual key of a US keyboard."""
    keys = {letter: (f"Key{letter.upper()}", ord(letter.upper())) for letter in "abcdefghijklmnopqrstuvwxyz"}
    keys |= {letter.upper(): place for letter, place in keys.items()}
    for digit, shifted in zip("0123456789", ")!@#$%^&*(", strict=True):
        keys[digit] = keys[shifted] = (f"Digit{digit}", ord(digit))
    signs = [("`~", "Backquote", 192), ("-_", "Minus", 189), ("=+", "Equal", 187), ("[{", "BracketLeft", 219)]
    signs += [("]}", "BracketRight", 221), ("\\|", "Backslash", 220), (";:", "Semicolon", 186), ("'\"", "Quote", 222)]
    signs += [(",<", "Comma", 188), (".>", "Period", 190), ("/?", "Slash", 191), (" ", "Space", 32)]
    return keys | {sign: (code, virtual) for both, code, virtual in signs for sign in both}


_KEYS = _named() | _function_keys() | _keypad() | _modifiers()
_US = _us_keyboard()

_MARKS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c"
_DEAD = dict(enumerate(_MARKS, 0xFE50)) | {
    0xFE5B: "\u0327",
    0xFE5C: "\u0328",
    0xFE60: "\u0323",
    0xFE61: "\u0309",
    0xFE62: "\u031b",
}
_ALONE = dict(zip(_MARKS, "`'^~¯˘˙\"°˝ˇ", strict=True))

_CODECS = {
    0x1: "iso8859_2",
    0x2: "iso8859_3",
    0x3: "iso8859_4",
    0x4: "shift_jis",
    0x5: "iso8859_6",
    0x6: "koi8_r",
    0x7: "iso8859_7",
    0xC: "iso8859_8",
    0xD: "tis_620",
    0x13: "iso8859_15",
}
_RUNS = {
    0x47E: "‾",
    0x4DE: "゛゜",
    0x6A1: "ђѓ",
    0x6A4: "єѕіїјљњћќґўџ№ЂЃ",
    0x6B4: "ЄЅІЇЈЉЊЋЌҐЎЏ",
    0x7A1: "ΆΈΉΊΪ",
    0x7A7: "ΌΎΫ",
    0x7AB: "Ώ",
    0x7AE: "΅",
    0x7B1: "άέήίϊΐόύϋΰώ",
    0x7D2: "Σ",
    0x7F2: "σς",
    0x8A1: "⎷┌─⌠⌡│⎡⎣⎤⎦⎛⎝⎞⎠⎨⎬",
    0x8BC: "≤≠≥∫∴∝∞",
    0x8C5: "∇",
    0x8C8: "∼≃",
    0x8CD: "⇔⇒≡",
    0x8D6: "√",
    0x8DA: "⊂⊃∩∪∧∨",
    0x8EF: "∂",
    0x8F6: "ƒ",
    0x8FB: "←↑→↓",
    0x9E0: "◆▒␉␌␍␊",
    0x9E8: "␤␋┘┐",
    0x9ED: "└┼⎺⎻",
    0x9F2: "⎼⎽├┤┴┬",
    0xAA1: "\u2003\u2002\u2004\u2005\u2007\u2008\u2009\u200a—–",
    0xAAC: "␣",
    0xAAE: "…‥⅓⅔⅕⅖⅗⅘⅙⅚℅",
    0xABB: "‒⟨",
    0xABE: "⟩",
    0xAC3: "⅛⅜⅝⅞",
    0xAC9: "™☓",
    0xACC: "◁▷○▯‘’“”℞‰′″",
    0xAD9: "✝",
    0xADB: "▬◀▶●▮◦▫▭△▽☆•▪▲▼☜☞♣♦♥",
    0xAF0: "✠†‡✓✗♯♭♂♀☎⌕℗‸‚„",
    0xBC2: "⊤",
    0xBC4: "⌊",
    0xBCA: "∘",
    0xBCC: "⎕",
    0xBCE: "⊥",
    0xBD3: "⌈",
    0xBDC: "⊣",
    0xBFC: "⊢",
    0xEA1: "".join(map(chr, range(0x3131, 0x3164))),
    0xEFF: "₩",
    0x20AC: "€",
}
_SINGLE = {start + i: char for start, run in _RUNS.items() for i, char in enumerate(run)}


@cache
def key_of(keysym: int) -> Key | None:
    """The key that a keysym stands for; None where we know of none."""
    if keysym in _KEYS:
        return _KEYS[keysym]
    char = character_of(keysym)
    return typing(char) if char else None


def typing(char: str) -> Key:
    """The key that types a character."""
    code, virtual = _US.get(char, ("", 0))
    return Key(char, code, virtual, char)


def accent_of(keysym: int) -> str:
    """The combining character of a dead key, or ''."""
    return _DEAD.get(keysym, "")


def accented(accent: str, key: Key) -> Key:
    """The key that follows a dead key: composed where Unicode has such a character, else both one after the other."""
    alone = _ALONE.get(accent, "")
    if not key.text or not key.text.isprintable():
        return key
    if key.text == " ":
        return replace(typing(alone or " "), code=key.code)
    composed = unicodedata.normalize("NFC", key.text + accent)
    return replace(key, key=composed, text=composed) if len(composed) == 1 else replace(key, text=alone + key.text)


def character_of(keysym: int) -> str:
    """The character that a keysym types, or ''."""
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    if 0x01000020 <= keysym <= 0x0110FFFF and not 0xD800 <= keysym - 0x01000000 <= 0xDFFF:
        return chr(keysym - 0x01000000)
    if keysym in _SINGLE:
        return _SINGLE[keysym]
    codec = _CODECS.get(keysym >> 8)
    if codec is None or keysym & 0xFF < 0xA0:
        return ""
    char = bytes([keysym & 0xFF]).decode(codec, "ignore")
    return unicodedata.normalize("NFKC", char) if codec == "shift_jis" else char
