"""Payloads of Sparkplug B, written by hand: the parts of the wire format that tests need.

SPDX-License-Identifier: MIT
"""

import struct

INT32, INT64, DOUBLE, BOOLEAN, STRING = 3, 4, 10, 11, 12


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A field: an integer, a double or bytes."""
    if isinstance(value, bool) or isinstance(value, int):
        return varint(number << 3) + varint(int(value) & (1 << 64) - 1)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def metric(value, name=None, alias=None, datatype=None, timestamp=None, historical=False):
    out = b""
    for number, given in ((1, name), (2, alias), (3, timestamp), (4, datatype)):
        out += field(number, given) if given is not None else b""
    out += field(5, True) if historical else b""
    kind = 14 if isinstance(value, bool) else 11 if isinstance(value, int) else 13 if isinstance(value, float) else 15
    return out + field(kind, value)


def payload(metrics, seq=None, timestamp=1700000000000):
    out = field(1, timestamp) + b"".join(field(2, one) for one in metrics)
    return out + (field(3, seq) if seq is not None else b"")


def birth(names, bdseq=None, seq=0):
    """An NBIRTH with bdSeq, or a DBIRTH; `names` maps the name of a metric of type Double to its alias."""
    session = [metric(bdseq, name="bdSeq", datatype=INT64)] if bdseq is not None else []
    return payload(session + [metric(0.0, name=name, alias=alias, datatype=DOUBLE) for name, alias in names.items()], seq)


def data(values, seq=1, timestamp=1700000000000):
    """DATA by alias alone."""
    return payload([metric(float(value), alias=alias) for alias, value in values.items()], seq, timestamp)


def death(bdseq):
    return payload([metric(bdseq, name="bdSeq", datatype=INT64)])
