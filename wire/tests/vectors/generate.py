"""Writes kdf.hex, sealed.hex, layer.hex and directory.hex, the vectors with cryptography in them.

Follows docs/wire.md with hashlib, hmac and the package `cryptography` (43 or later), and shares no line with the
Rust code, so that the two check each other. Run by hand (`pip install cryptography; python generate.py`),
never by the build.
"""
import hashlib
import hmac
from itertools import groupby
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

HEADER = """\
# {title}
#
# Computed once by generate.py (Python: hashlib, hmac, cryptography), not by the code under test.
# A line is hex, or "text", then `# field`; `xx *n` is n times xx. A line in brackets names a vector.
"""


def le64(number):
    return number.to_bytes(8, "little")


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def expand(key, length, *info):
    return HKDFExpand(hashes.SHA256(), length, b"".join(info)).derive(key)


def extract(salt, material, *info):
    return HKDF(hashes.SHA256(), 32, salt, b"".join(info)).derive(material)


def cbc(key, iv, plain):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def key_pair(byte):
    secret = ec.derive_private_key(int.from_bytes(bytes([byte]) * 32, "big"), ec.SECP256R1())
    point = serialization.PublicFormat.CompressedPoint
    return secret, secret.public_key().public_bytes(serialization.Encoding.X962, point)


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def sign(secret, message):
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = utils.decode_dss_signature(secret.sign(message, algorithm))
    return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")


def sealed(key, label, associated, iv, plain):
    keys = expand(key, 64, b"iirs 1 sealed box keys", label)
    ciphertext = cbc(keys[:32], iv, plain)
    return ciphertext, mac(keys[32:], associated, iv, ciphertext)


def layered(layer, use, direction, round, slot, slots, plain):
    keys = expand(layer, 64 + 16 * slots, b"iirs 1 layer " + use, le64(round), bytes([slots]))
    ciphertext = cbc(keys[:32], keys[64 + 16 * slot:][:16], plain)
    return ciphertext, mac(keys[32:64], bytes([1, direction, slots, slot]), le64(round), ciphertext)[:16]


def write(file, title, *vectors):
    text = HEADER.format(title=title)
    for name, *fields in vectors:
        text += f"\n[{name}]\n" + "".join(lines(*field) for field in fields)
    Path(__file__).with_name(file).write_text(text)


def lines(value, field):
    if isinstance(value, str):
        return f'"{value}"  # {field}\n'
    runs = [(byte, len(list(run))) for byte, run in groupby(value)]
    if len(runs) == 1 and runs[0][1] > 2:
        return f"{runs[0][0]:02x} *{runs[0][1]}  # {field}\n"
    width = 33 if len(value) == 33 else 32
    rows = [value[at : at + width].hex() for at in range(0, len(value), width)]
    return "\n".join([f"{rows[0]}  # {field}", *rows[1:]]) + "\n"


def kdf():
    key = bytes([0x0B]) * 32
    write(
        "kdf.hex", "Key derivation: HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869) and SHA-256 under labels",
        ("key", (key, "secret that the next three use")),
        ("hmac", (mac(key, b"iirs 1 vector", b"one", b"two"), 'HMAC(key, "iirs 1 vector" | "one" | "two")')),
        ("expand", (expand(key, 80, b"iirs 1 vector", b"one", b"two"), 'HKDF-Expand(key, the same), 80 bytes')),
        ("extract", (extract(b"salt", key, b"iirs 1 vector", b"one"), 'HKDF("salt", key, "iirs 1 vector" | "one")')),
        ("hash", (hashlib.sha256(b"iirs 1 vectoronetwo").digest(), 'SHA-256("iirs 1 vector" | "one" | "two")')),
    )


def sealed_box():
    key, iv, plain = bytes([0x11]) * 32, bytes(range(0xA0, 0xB0)), bytes([0x22]) * 48
    ciphertext, tag = sealed(key, b"iirs 1 vector", b"place", iv, plain)
    write(
        "sealed.hex", 'A sealed box: label "iirs 1 vector", associated data "place"',
        ("key", (key, "secret")),
        ("iv", (iv, "what the random generator gives")),
        ("plain", (plain, "plain text, whole blocks")),
        ("box", (iv, "IV"), (ciphertext, "ciphertext"), (tag, "tag: HMAC over associated data, IV, ciphertext")),
    )


def layer():
    (client, client_point), (mixer, mixer_point) = key_pair(0x33), key_pair(0x44)
    shared = client.exchange(ec.ECDH(), mixer.public_key())
    first = extract(b"", shared, b"iirs 1 layer agreed", client_point, mixer_point)
    second = mac(first, b"iirs 1 layer step")
    deposit, reply = bytes([0x55]) * 496, bytes([0x66]) * 480
    slot = lambda parts, round: ((parts[0], f"ciphertext, round {round}, slot 1 of 2"), (parts[1], "tag"))
    write(
        "layer.hex", "The layer around slot 1 of 2, in two rounds and both directions",
        ("client secret", (bytes([0x33]) * 32, "scalar, big-endian")),
        ("client key", (client_point, "goes out in `join`")),
        ("mixer secret", (bytes([0x44]) * 32, "scalar, big-endian")),
        ("mixer key", (mixer_point, "comes with `session`")),
        ("deposit", (deposit, "drop id and cell, without the layer")),
        ("reply", (reply, "cell, without the layer")),
        ("layered deposit, first key", *slot(layered(first, b"deposit", 1, 9, 1, 2, deposit), 9)),
        ("layered reply, first key", *slot(layered(first, b"reply", 2, 9, 1, 2, reply), 9)),
        ("layered deposit, second key", *slot(layered(second, b"deposit", 1, 10, 1, 2, deposit), 10)),
        ("layered reply, second key", *slot(layered(second, b"reply", 2, 10, 1, 2, reply), 10)),
    )


def directory():
    (signing, signing_point), (_, agreement_point) = key_pair(0x77), key_pair(0x88)
    name = b"\x03ann" + bytes(29)
    signature = sign(signing, b"iirs 1 directory record" + name + signing_point + agreement_point)
    record = name + signing_point + agreement_point + signature
    identity = hashlib.sha256(b"iirs 1 identity" + record[:99]).digest()
    head = hashlib.sha256(b"iirs 1 directory head" + bytes(32) + record).digest()
    second_head = hashlib.sha256(b"iirs 1 directory head" + head + bytes([2]) * 163).digest()
    gone = sign(signing, b"iirs 1 directory record" + name + signing_point + signing_point)
    root, root_point = key_pair(0xAA)
    signed = b"iirs 1 signed directory head" + (2).to_bytes(4, "little") + second_head
    number = lambda value, size: value.to_bytes(size, "little")
    notices = [
        (number(0x414243444500 + time, 8), number(0x515253545500 + time, 8), number(length, 4), bytes([fill]) * 32)
        for time, length, fill in [(1, 1, 0xBD), (2, 0x31323334, 0xBE)]
    ]
    restores = b"iirs 1 restore notices" + b"\x02" + b"".join(b"".join(notice) for notice in notices)
    named = [zip(notice, ("backup made", "put back", "length", "head")) for notice in notices]
    token = bytes([0x99]) * 32
    token_digest = hashlib.sha256(b"iirs 1 session token" + token).digest()
    code = bytes.fromhex("00443214c74254b635cf")
    code_digest = hashlib.sha256(b"iirs 1 invitation code" + code).digest()
    write(
        "directory.hex", "Records, identities, the head chain, and what a server keeps of tokens and codes",
        ("signing secret", (bytes([0x77]) * 32, "scalar, big-endian")),
        ("agreement secret", (bytes([0x88]) * 32, "scalar, big-endian")),
        ("record", (b"\x03", "length of the name"), ("ann", "name"), (bytes(29), "rest of the name"),
         (signing_point, "signing key"), (agreement_point, "agreement key"),
         (signature, "ECDSA by the signing key (deterministic, RFC 6979): r, s")),
        ("identity", (identity, "SHA-256 over label, name and both keys of the record")),
        ("head after one", (head, "the record above on the empty log")),
        ("second record", (bytes([2]) * 163, "any bytes")),
        ("head after two", (second_head, "and the second record")),
        ("deletion", (b"\x03", "length of the name"), ("ann", "name"), (bytes(29), "rest of the name"),
         (signing_point, "signing key"), (signing_point, "agreement key: the same"),
         (gone, "ECDSA by the signing key (deterministic, RFC 6979): r, s")),
        ("root key", (root_point, "public key of the server's root")),
        ("signed head", (b"iirs 1 signed directory head", "label"), (b"\x02\x00\x00\x00", "length"), (second_head, "head")),
        ("head signature", (sign(root, signed), "ECDSA by the root key (any nonce would do): r, s")),
        ("signed restores", (b"iirs 1 restore notices", "label"), (b"\x02", "notices"), *named[0], *named[1]),
        ("restores signature", (sign(root, restores), "ECDSA by the root key (any nonce would do): r, s")),
        ("signed restores, none", (b"iirs 1 restore notices", "label"), (b"\x00", "notices")),
        ("token", (token, "session token")),
        ("token digest", (token_digest, "SHA-256 over label and token")),
        ("session id", (token_digest[:8], "front of the digest")),
        ("code", (code, "invitation code")),
        ("code text", ("0123-4567-89AB-CDEF", "as people see it: Crockford's base 32")),
        ("code digest", (code_digest, "SHA-256 over label and code")),
    )


kdf()
sealed_box()
layer()
directory()
