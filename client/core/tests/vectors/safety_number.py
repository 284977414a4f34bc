"""Prints the safety numbers that client/core/src/safety_number.rs expects.

Follows docs/wire.md with hashlib alone and shares no line with the Rust code, so that the two check each other. Run by
hand (`python3 safety_number.py`), never by the build.
"""
import hashlib


def half(name, signing, agreement):
    account = bytes([len(name)]) + name.ljust(32, b"\0") + signing + agreement
    assert len(account) == 99
    value = b""
    for _ in range(5200):
        value = hashlib.sha256(b"iirs 1 safety number" + value + account).digest()
    groups = (value[at : at + 5] for at in range(0, 30, 5))
    return "".join(f"{int.from_bytes(group, 'big') % 100000:05}" for group in groups)


ann = half(b"ann", b"\x02" + b"\x11" * 32, b"\x03" + b"\x22" * 32)
bob = half(b"bob", b"\x03" + b"\x33" * 32, b"\x02" + b"\x44" * 32)
print("".join(sorted([ann, bob])))
