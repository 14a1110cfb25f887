"""AEDAT 2.0, as jAER writes it for the 128 x 128 sensor of CIFAR10-DVS.

Lines that begin with # make the header, the first of them #!AER-DAT2.0; then events of 8 bytes, a big-endian address
and a big-endian time (us). Address bit 0 is the polarity, bits 1-7 x and bits 8-14 y, counted from the other edge.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.checks import check_pixels
from tasks.errors import DataDamaged

MAGIC = b"#!AER-DAT2.0"
SIDE, EVENT_BYTES = 128, 8
ADDRESS_BITS = 16


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times (us, int64), x, y and polarity of a recording, x mirrored (127 - x) and polarity inverted (1 - p) as the
    original PLIF code has it. (SpikingJelly 2.0 gives the transpose: its x is 127 - our y, its y our x.)

    Events come in the order of the file, which cameras of this kind do not always write in the order of time.
    Raises DataDamaged for another format, half an event, no events or an address of more than 16 bits.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise DataDamaged(path, "byte 0", f"the file does not begin with {MAGIC.decode()}")
    start = 0
    # An address is below 2**16, so the first byte of an event is zero and never a #.
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start)
        if end < 0:
            raise DataDamaged(path, f"byte {start}", "the header line has no end")
        start = end + 1
    size = len(data) - start
    if size == 0 or size % EVENT_BYTES:
        where = start + size - size % EVENT_BYTES
        raise DataDamaged(path, f"byte {where}", f"{size} bytes of data are no whole number of 8-byte events")
    address, t = np.frombuffer(data, ">u4", offset=start).reshape(-1, 2).astype(np.int64).T
    wide = np.flatnonzero(address >> ADDRESS_BITS)
    if len(wide):
        i = int(wide[0])
        raise DataDamaged(path, f"byte {start + EVENT_BYTES * i}", f"address {address[i]:#x} has more than 16 bits")
    x, y = SIDE - 1 - (address >> 1 & 0x7F), address >> 8 & 0x7F
    check_pixels(path, x, y, SIDE, lambda i: start + EVENT_BYTES * i)
    return t, x, y, 1 - (address & 1)
