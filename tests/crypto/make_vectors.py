#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_vectors.py - the rows of vectors_rows.h, made by an implementation that shares nothing with ours.

usage: make_vectors.py HEADER          write the header
       make_vectors.py --check HEADER  prove this implementation, and that the header is what it makes

AES-256 is written out here after FIPS 197, HMAC is Python's, HKDF and A256CBC-HS512 are written out after
RFC 5869 and RFC 7518 5.2. Before anything is made or compared it is held against the published answers:
FIPS 197 C.3, RFC 4231, RFC 5869 A.1 to A.3 (SHA-256), RFC 7518 B.3. The rows of A256CBC-HS512 follow the
rules that Project Wycheproof tests in a256cbc_hs512 (edge-case sizes and IVs, modified tags, tags of another
length, wrong padding under a right MAC) and three mistakes that shipped: tag length (square/go-jose
ce63c22), key halves (lua-resty-jwt#44), a MAC that leaves out the IV (early Laravel).
"""
import hashlib
import hmac
import sys

# --- AES-256, encryption of one block (FIPS 197) ---


def xtime(a):
    return ((a << 1) ^ (0x1B if a & 0x80 else 0)) & 0xFF


def make_sbox():
    sbox, p, q = [0x63] * 256, 1, 1
    while True:
        p = p ^ xtime(p)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rotated = [((q << n) | (q >> (8 - n))) & 0xFF for n in range(5)]
        sbox[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            return sbox


SBOX = make_sbox()


def expand_key(key):
    words = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        word = list(words[-1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = xtime(rcon)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def mix(column):
    a, b, c, d = column
    return [xtime(a) ^ xtime(b) ^ b ^ c ^ d, a ^ xtime(b) ^ xtime(c) ^ c ^ d,
            a ^ b ^ xtime(c) ^ xtime(d) ^ d, xtime(a) ^ a ^ b ^ c ^ xtime(d)]


def encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number in range(1, 15):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # SubBytes and ShiftRows
        if number < 14:
            state = sum((mix(state[i:i + 4]) for i in range(0, 16, 4)), [])
        state = [a ^ b for a, b in zip(state, keys[number])]
    return bytes(state)


def cbc(key, iv, padded):
    keys, out = expand_key(key), b""
    for at in range(0, len(padded), 16):
        iv = encrypt_block(keys, bytes(a ^ b for a, b in zip(padded[at:at + 16], iv)))
        out += iv
    return out


# --- A256CBC-HS512 and HKDF ---


def pad(plain):
    missing = 16 - len(plain) % 16
    return plain + bytes([missing]) * missing


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha512).digest()


def seal(key, iv, aad, plain, padded=None, tag_len=32):
    body = iv + cbc(key[32:], iv, pad(plain) if padded is None else padded)
    return body + mac(key[:32], aad, body, (8 * len(aad)).to_bytes(8, "big"))[:tag_len]


def hkdf(key, salt, info, size, digest):
    prk = hmac.new(salt or b"\0" * digest().digest_size, key, digest).digest()
    out, block, number = b"", b"", 0
    while len(out) < size:
        number += 1
        block = hmac.new(prk, block + info + bytes([number]), digest).digest()
        out += block
    return out[:size]


# --- published answers, for the implementation above ---

COUNT = bytes(range(256))
B3_PLAIN = (b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the "
            b"enemy without inconvenience")
B3_IV = bytes.fromhex("1af38c2dc2b96ffdd86694092341bc04")
B3_AAD = b"The second principle of Auguste Kerckhoffs"
B3_END = ("be2638d09dd7a4930930806d0703b1f6"  # the last block, then the tag
          "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5")
RFC_5869 = [  # A.1 to A.3
    (b"\x0b" * 22, COUNT[:13], COUNT[0xF0:0xFA], "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                                                 "34007208d5b887185865"),
    (COUNT[:0x50], COUNT[0x60:0xB0], COUNT[0xB0:], "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
                                                   "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
                                                   "cc30c58179ec3e87c14c01d5c1f3434f1d87"),
    (b"\x0b" * 22, b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]
RFC_4231_5 = ("a3b6167473100ee06e0c796c2955552b", "415fad6271580a531d4179bc891d87a6")  # cut to 128 bits
RFC_4231_2 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def prove():
    block = encrypt_block(expand_key(COUNT[:32]), bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert block.hex() == "8ea2b7ca516745bfeafc49904b496089", "FIPS 197 C.3"
    for number, (key, salt, info, out) in enumerate(RFC_5869, 1):
        assert hkdf(key, salt, info, len(out) // 2, hashlib.sha256).hex() == out, f"RFC 5869 A.{number}"
    for digest, out in zip((hashlib.sha256, hashlib.sha512), RFC_4231_5):
        assert hmac.new(b"\x0c" * 20, b"Test With Truncation", digest).hexdigest()[:32] == out, "RFC 4231 case 5"
    assert hmac.new(b"Jefe", b"what do ya want for nothing?", "sha256").hexdigest() == RFC_4231_2, "RFC 4231 case 2"
    assert seal(COUNT[:64], B3_IV, B3_AAD, B3_PLAIN).hex().endswith(B3_END), "RFC 7518 B.3"


# --- the rows ---

KEY = bytes((7 * i + 3) % 256 for i in range(64))
IV = bytes(range(0xA0, 0xB0))
AAD = b"organization 1, version 7"
PLAIN = b"thirty-three bytes of a plaintext"


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << (bit % 8)
    return bytes(out)


def valid_rows():
    yield "RFC 7518 B.3", COUNT[:64], B3_AAD, B3_PLAIN, seal(COUNT[:64], B3_IV, B3_AAD, B3_PLAIN)
    for size in (0, 1, 2, 8, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 129, 255, 256, 257):
        plain = (KEY * 5)[:size]
        yield f"{size} bytes", KEY, AAD, plain, seal(KEY, IV, AAD, plain)
    for size in (0, 1, 7, 8, 31, 32, 127, 128, 129, 300):
        aad = (COUNT * 2)[:size]
        yield f"{size} bytes of AAD", KEY, aad, PLAIN, seal(KEY, IV, aad, PLAIN)
    for name, iv in (("zeros", b"\0" * 16), ("ones", b"\xff" * 16), ("a counter about to turn", b"\xff" * 15 + b"\xfe"),
                     ("a high bit", b"\x80" + b"\0" * 15), ("the plaintext", PLAIN[:16])):
        yield f"IV: {name}", KEY, AAD, PLAIN, seal(KEY, iv, AAD, PLAIN)
    for name, key in (("zeros", b"\0" * 64), ("ones", b"\xff" * 64), ("two equal halves", KEY[:32] * 2)):
        yield f"key: {name}", key, AAD, PLAIN, seal(key, IV, AAD, PLAIN)
    for name, plain in (("ends like padding", b"v" * 15 + b"\x01"), ("is padding", b"\x10" * 16), ("zeros", b"\0" * 32)):
        yield f"plaintext {name}", KEY, AAD, plain, seal(KEY, IV, AAD, plain)


def bad_tag_rows(good):
    body, tag = good[:-32], good[-32:]
    for bit in (0, 1, 7, 8, 31, 32, 33, 63, 64, 71, 77, 80, 96, 97, 103, 127, 128, 191, 192, 248, 249, 254, 255):
        yield f"tag: bit {bit} flipped", body + flip(tag, bit)
    for bits in ((0, 64), (31, 63), (63, 127), (0, 255)):
        yield f"tag: bits {bits[0]} and {bits[1]} flipped", body + flip(flip(tag, bits[0]), bits[1])
    yield "tag: all bits flipped", body + bytes(b ^ 0xFF for b in tag)
    yield "tag: zeros", body + b"\0" * 32
    yield "tag: ones", body + b"\xff" * 32
    yield "tag: high bits changed", body + bytes(b ^ 0x80 for b in tag)
    yield "tag: low bits changed", body + bytes(b ^ 0x01 for b in tag)
    yield "tag: reversed", body + tag[::-1]
    yield "tag: first half right", body + tag[:16] + b"\0" * 16
    yield "tag: second half right", body + b"\0" * 16 + tag[16:]
    yield "tag: missing", body
    for size in (1, 15, 16, 24, 31):
        yield f"tag: cut to {size} bytes", body + tag[:size]
    for size in (33, 48, 64):
        yield f"tag: {size} bytes of the MAC", seal(KEY, IV, AAD, PLAIN, tag_len=size)
    whole = seal(KEY, IV, AAD, PLAIN, tag_len=64)[len(body):]
    yield "tag: second half of the MAC", body + whole[32:]
    yield "tag: SHA-256's", body + hmac.new(KEY[:32], AAD + body + (8 * len(AAD)).to_bytes(8, "big"), "sha256").digest()
    yield "tag: no key", body + hashlib.sha512(AAD + body + (8 * len(AAD)).to_bytes(8, "big")).digest()[:32]


def bad_body_rows(good):
    for bit in (0, 63, 127):
        yield f"IV: bit {bit} flipped", flip(good, bit)
    for bit in (128, 255, 256, 511):
        yield f"ciphertext: bit {bit} flipped", flip(good, bit)
    yield "IV: zeros", b"\0" * 16 + good[16:]
    yield "IV left out", good[16:]
    yield "blocks swapped", good[:16] + good[32:48] + good[16:32] + good[48:]
    yield "a block doubled", good[:32] + good[16:]
    yield "a block removed", good[:16] + good[32:]
    yield "one byte cut", good[:-1]
    yield "one byte more", good + b"\0"
    yield "a byte more before", b"\0" + good
    yield "nothing", b""
    yield "IV alone", good[:16]
    yield "IV and tag, no ciphertext", good[:16] + mac(KEY[:32], AAD, good[:16], (8 * len(AAD)).to_bytes(8, "big"))[:32]


def forged_rows():
    """What a wrong implementation would make and take."""
    bits = (8 * len(AAD)).to_bytes(8, "big")
    padded = pad(PLAIN)
    body = IV + cbc(KEY[32:], IV, padded)
    swapped = IV + cbc(KEY[:32], IV, padded)
    yield "key halves swapped", swapped + mac(KEY[32:], AAD, swapped, bits)[:32]
    yield "MAC key is the whole key", body + mac(KEY, AAD, body, bits)[:32]
    yield "MAC does not cover the IV", body + mac(KEY[:32], AAD, body[16:], bits)[:32]
    yield "MAC does not cover the AAD", body + mac(KEY[:32], body, bits)[:32]
    yield "MAC does not cover the length of the AAD", body + mac(KEY[:32], AAD, body)[:32]
    yield "length of the AAD in bytes", body + mac(KEY[:32], AAD, body, len(AAD).to_bytes(8, "big"))[:32]
    yield "length of the AAD little-endian", body + mac(KEY[:32], AAD, body, bits[::-1])[:32]
    yield "length of the AAD in 4 bytes", body + mac(KEY[:32], AAD, body, bits[4:])[:32]
    yield "MAC over the plaintext", body + mac(KEY[:32], AAD, IV, PLAIN, bits)[:32]
    for name, end in (("0", b"\0" * 16), ("17", b"\x11" * 16), ("255", b"\xff" * 16), ("2 behind 1", b"\x01" * 15 + b"\x02"),
                      ("16 with one wrong", b"\x10" * 7 + b"\x0f" + b"\x10" * 8), ("none", b"v" * 16), ("0x80 and zeros", b"\x80" + b"\0" * 15)):
        yield f"right MAC, padding {name}", seal(KEY, IV, AAD, b"", padded=b"v" * 16 + end)
        yield f"right MAC, padding {name}, one block", seal(KEY, IV, AAD, b"", padded=end)


def invalid_rows():
    good = seal(KEY, IV, AAD, PLAIN)
    for maker in (bad_tag_rows(good), bad_body_rows(good), forged_rows()):
        for name, sealed in maker:
            yield name, KEY, AAD, sealed
    for name, aad in (("empty", b""), ("a byte less", AAD[:-1]), ("a byte more", AAD + b"\0"), ("a bit flipped", flip(AAD, 0)),
                      ("with the IV in it", AAD + IV), ("case changed", AAD.upper())):
        yield f"AAD: {name}", KEY, aad, good
    yield "AAD taken from the IV", KEY, AAD + IV, good[16:]
    for name, key in (("another MAC half", flip(KEY, 0)), ("halves swapped", KEY[32:] + KEY[:32]), ("zeros", b"\0" * 64)):
        yield f"key: {name}", key, AAD, good


def hkdf_rows():
    for number, (key, salt, info, _) in enumerate(RFC_5869, 1):
        yield f"inputs of RFC 5869 A.{number}", key, salt, info, 82
    for size in (1, 32, 63, 64, 65, 128, 500):
        yield f"{size} bytes", KEY, b"salt", b"krosyn", size
    yield "no salt, no info", KEY, b"", b"", 64
    yield "a salt of more than a block", KEY, COUNT[:200], b"info", 64


def quoted(data):
    text = data.hex()
    return " ".join(f'"{text[i:i + 64]}"' for i in range(0, len(text), 64)) or '""'


def header():
    yield "/* SPDX-License-Identifier: Apache-2.0 */"
    yield "/* vectors_rows.h - made by make_vectors.py, which names the origin of each kind; do not edit. */"
    yield "/* clang-format off */"
    yield "static const sealed_row valid_rows[] = {"
    for name, key, aad, plain, sealed in valid_rows():
        yield f'{{"{name}", {quoted(key)}, {quoted(aad)}, {quoted(plain)}, {quoted(sealed)}}},'
    yield "};"
    yield "static const sealed_row invalid_rows[] = {"
    for name, key, aad, sealed in invalid_rows():
        yield f'{{"{name}", {quoted(key)}, {quoted(aad)}, NULL, {quoted(sealed)}}},'
    yield "};"
    yield "static const hkdf_row hkdf_rows[] = {"
    for name, key, salt, info, size in hkdf_rows():
        out = hkdf(key, salt, info, size, hashlib.sha512)
        yield f'{{"{name}", {quoted(key)}, {quoted(salt)}, {quoted(info)}, {quoted(out)}}},'
    yield "};"
    yield "/* clang-format on */"


def main(arguments):
    prove()
    text = "\n".join(header()) + "\n"
    if arguments[0] != "--check":
        with open(arguments[0], "w", encoding="ascii") as out:
            out.write(text)
        return 0
    with open(arguments[1], encoding="ascii") as file:
        is_same = file.read() == text
    print("1..1\n%s 1 - vectors_rows.h is what an independent implementation makes" % ("ok" if is_same else "not ok"))
    return 0 if is_same else 1


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "--check") != (len(sys.argv) == 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
