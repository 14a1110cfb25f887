"""AEDAT 3.1, as cAER writes it for DVS128 Gesture.

A text header from #!AER-DAT3.1 to the line #!END-HEADER, then packets: a header of 28 bytes and `capacity` events of
`size` bytes, little-endian. A polarity event is a word (bit 0 valid, bit 1 polarity, bits 2-16 y, bits 17-31 x) and a
time (us) of 31 bits, which the packet's overflow count continues. Packets of other types are stepped over. Lines end
in CR LF, or in LF alone, as some writers have it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tasks.checks import check_pixels
from tasks.errors import DataDamaged

MAGIC, END = b"#!AER-DAT3.1", re.compile(rb"\n#!END-HEADER\r?\n")
HEADER = np.dtype(
    [
        ("type", "<u2"),
        ("source", "<u2"),
        ("size", "<u4"),
        ("time_offset", "<u4"),
        ("overflow", "<u4"),
        ("capacity", "<u4"),
        ("number", "<u4"),
        ("valid", "<u4"),
    ]
)
POLARITY, EVENT_BYTES = 1, 8


def read(path: Path, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times (us, int64), x, y and polarity (1 = ON) of all polarity events; events marked invalid count too, as in the
    original code, in the order of the file.

    Raises DataDamaged for another format, a header without end, a packet cut off, a polarity event of another size, no
    events, a pixel off the sensor of side x side or a time of more than 31 bits.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise DataDamaged(path, "byte 0", f"the file does not begin with {MAGIC.decode()}")
    end = END.search(data)
    if end is None:
        raise DataDamaged(path, f"byte {len(data)}", "the text header has no line #!END-HEADER")
    at = end.end()
    words, offsets, overflows = [], [], []
    while at < len(data):
        if len(data) - at < HEADER.itemsize:
            raise DataDamaged(path, f"byte {at}", "the header of a packet is cut off")
        packet = np.frombuffer(data, HEADER, 1, at)[0]
        size, capacity, number = int(packet["size"]), int(packet["capacity"]), int(packet["number"])
        body = at + HEADER.itemsize
        if size == 0 or number > capacity or len(data) - body < size * capacity:
            left = len(data) - body
            problem = f"a packet of {number} events in {capacity} places of {size} bytes, and {left:,} bytes left"
            raise DataDamaged(path, f"byte {at}", problem)
        if packet["type"] == POLARITY:
            if size != EVENT_BYTES:
                raise DataDamaged(path, f"byte {at}", f"polarity events of {size} bytes, not {EVENT_BYTES}")
            words.append(np.frombuffer(data, "<u4", 2 * number, body).reshape(-1, 2))
            offsets.append(body)
            overflows.append(int(packet["overflow"]))
        at = body + size * capacity
    lengths = [len(part) for part in words]
    if not sum(lengths):
        raise DataDamaged(path, f"byte {len(data)}", "no polarity events before the end of the file")
    address, t = np.concatenate(words).astype(np.int64).T
    x, y, p = address >> 17 & 0x7FFF, address >> 2 & 0x7FFF, address >> 1 & 1

    def offset(i: int) -> int:
        starts = np.concatenate([[0], np.cumsum(lengths)])
        packet = int(np.searchsorted(starts, i, side="right")) - 1
        return offsets[packet] + EVENT_BYTES * (i - int(starts[packet]))

    check_pixels(path, x, y, side, offset)
    negative = np.flatnonzero(t >> 31)
    if len(negative):
        i = int(negative[0])
        raise DataDamaged(path, f"byte {offset(i)}", f"time {t[i]:#x} has more than 31 bits")
    return t | np.repeat(np.array(overflows, np.int64) << 31, lengths), x, y, p
