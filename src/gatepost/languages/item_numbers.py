"""DynamoDB's numbers: decimal text to its one canonical form, to sortable bytes, and sums.

A number has up to 38 significant digits and a magnitude from 1E-130 to 9.99…E+125, or is zero. We write it
in full, without an exponent and without leading or trailing zeros, so that equal numbers are equal texts.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Final, NamedTuple

DIGITS_MAX: Final = 38
MAGNITUDE_MAX: Final = 125  # of the first digit, as a power of ten
MAGNITUDE_MIN: Final = -130

_NUMBER: Final = re.compile(r"([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?)(\d+))?", re.ASCII)
# What most numbers are: canonical as they stand, and far within the limits.
_PLAIN: Final = re.compile(r"-?(?:[1-9]\d{0,18}(?:\.\d{0,17}[1-9])?|0\.\d{0,17}[1-9])", re.ASCII).fullmatch
_BIAS: Final = 129  # the least exponent of 0.d1d2… is -129: 1E-130 is 0.1E-129
_ZERO: Final = b"\x01"
_EXACT: Final = Context(prec=300, Emax=999_999, Emin=-999_999)

NOT_A_NUMBER: Final = "The parameter cannot be converted to a numeric value"
OVERFLOW: Final = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW: Final = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_PRECISE: Final = "Attempting to store more than 38 significant digits in a Number"


class NumberError(ValueError):
    """A text is no number that DynamoDB can hold. The text is AWS's."""


class Parts(NamedTuple):
    """A number taken apart: `digits` without zeros at either end ("" for zero) times ten to `exponent`."""

    is_negative: bool
    digits: str
    exponent: int


def parts_of(text: str) -> Parts:
    """Take a number's text apart. Raises: NumberError."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NumberError(f"{NOT_A_NUMBER}: {text}" if text else NOT_A_NUMBER)
    sign, whole, fraction, bare_fraction, exponent_sign, exponent_text = match.groups()
    fraction = fraction or bare_fraction or ""
    digits = ((whole or "") + fraction).lstrip("0")
    if not digits:
        return Parts(False, "", 0)
    trimmed = digits.rstrip("0")
    if len(trimmed) > DIGITS_MAX:
        raise NumberError(TOO_PRECISE)
    exponent = 0
    if exponent_text is not None:
        exponent_text = exponent_text.lstrip("0") or "0"
        if len(exponent_text) > 9:
            raise NumberError(UNDERFLOW if exponent_sign == "-" else OVERFLOW)
        exponent = int(exponent_sign + exponent_text)
    exponent += len(digits) - len(trimmed) - len(fraction)
    magnitude = len(trimmed) + exponent - 1
    if magnitude > MAGNITUDE_MAX:
        raise NumberError(OVERFLOW)
    if magnitude < MAGNITUDE_MIN:
        raise NumberError(UNDERFLOW)
    return Parts(sign == "-", trimmed, exponent)


def canonical_number(text: str) -> str:
    """Give the one text that stands for this number: `+1.50E1` is `15`. Raises: NumberError."""
    if text.isdigit() and text.isascii() and len(text) <= DIGITS_MAX and (text[0] != "0" or len(text) == 1):
        return text
    if _PLAIN(text):
        return text
    is_negative, digits, exponent = parts_of(text)
    if not digits:
        return "0"
    point = len(digits) + exponent
    if exponent >= 0:
        plain = digits + "0" * exponent
    elif point > 0:
        plain = f"{digits[:point]}.{digits[point:]}"
    else:
        plain = "0." + "0" * -point + digits
    return "-" + plain if is_negative else plain


def number_bytes(canonical: str) -> int:
    """Give the bytes a number counts for: one for each two significant digits and one more.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    digits = canonical.lstrip("-0.").replace(".", "", 1)
    if canonical.find(".") < 0:
        digits = digits.rstrip("0")
    return (len(digits) + 1) // 2 + 1


def sortable_number(text: str) -> bytes:
    """Encode a number so that the order of the bytes is the order of the numbers. At most 22 bytes.

    A sign byte, the exponent, then two digits per byte; negative numbers have both inverted and end in 0xff,
    so that -1.05 (more digits) sorts before -1. Raises: NumberError.
    """
    is_negative, digits, exponent = parts_of(text)
    if not digits:
        return _ZERO
    power = len(digits) + exponent + _BIAS
    if len(digits) % 2:
        digits += "0"
    pairs = [int(digits[at : at + 2]) for at in range(0, len(digits), 2)]
    if is_negative:
        return bytes([0, 255 - power, *(100 - pair for pair in pairs), 255])
    return bytes([2, power, *(pair + 1 for pair in pairs)])


def decimal_of(canonical: str) -> Decimal:
    """Give a canonical number as a Decimal, exactly."""
    return Decimal(canonical)


def add_numbers(left: str, right: str) -> str:
    """Add two canonical numbers. Raises: NumberError when the sum cannot be held."""
    return canonical_number(format(_EXACT.add(Decimal(left), Decimal(right)), "f"))


def subtract_numbers(left: str, right: str) -> str:
    """Subtract `right` from `left`. Raises: NumberError when the difference cannot be held."""
    return canonical_number(format(_EXACT.subtract(Decimal(left), Decimal(right)), "f"))
