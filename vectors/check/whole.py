"""Whole logs, daily roots and manifests, by docs/reference/ledger-format.md alone, like verify.py."""

import base64
import hashlib
import hmac
import json
import re

from cryptography.exceptions import InvalidSignature

from verify import EMPTY_ROOT, Checkpoint, Key, Refused, check_entry, leaf_hash, node, origin_of

LINE = re.compile(r"[0-9a-f]{64} [0-9a-f]{64}")


def root_of(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def walk(entries, origin):
    """The size and root of a log, from all its entries."""
    log = origin_of(origin)
    leaves = []
    for data in entries:
        seq = len(leaves)
        try:
            value = check_entry(data)
        except Refused as refused:
            refused.seq = seq
            raise
        if (value["ws"], value["env"], value["gen"]) != log:
            raise Refused("other_log", f"entry {seq} is not of {origin}", seq)
        if value["seq"] != seq:
            raise Refused("other_seq", f"entry {value['seq']} in place of {seq}", seq)
        if leaves and value["prev"] != leaves[-1].hex():
            raise Refused("unlinked", f"entry {seq} was linked to another one before it", seq - 1)
        leaves.append(leaf_hash(data))
    return len(leaves), root_of(leaves)


def to_base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text):
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused("malformed", "not base64url") from None
    if to_base64url(data) != text:
        raise Refused("malformed", "not canonical base64url")
    return data


def thumbprint(public):
    required = f'{{"crv":"Ed25519","kty":"OKP","x":"{to_base64url(public)}"}}'
    return to_base64url(hashlib.sha256(required.encode()).digest())


def members(pairs):
    """An object in which no name stands twice."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


def key_of_jwk(text):
    try:
        jwk = json.loads(text, object_pairs_hook=members)
        key = Key(jwk["vkey"])
    except (ValueError, TypeError, KeyError) as error:
        raise Refused("malformed", f"no JWK with a vkey: {error}") from None
    kid, x = thumbprint(key.public_bytes), to_base64url(key.public_bytes)
    wanted = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": kid}
    wrong = [name for name, value in wanted.items() if jwk.get(name) != value]
    if wrong:
        raise Refused("malformed", f"a JWK whose {', '.join(wrong)} is not that of its vkey")
    return key


def keys_of_jwks(text):
    keys = json.loads(text, object_pairs_hook=members)["keys"]
    return [key_of_jwk(json.dumps(jwk)) for jwk in keys if "vkey" in jwk]


def verify_daily_root(jws, keys):
    """The checkpoint that a compact JWS carries."""
    parts = jws.split(".")
    if len(parts) != 3:
        raise Refused("malformed", "not three parts")
    header, text, signature = map(from_base64url, parts)
    try:
        kid = json.loads(header)["kid"]
    except (ValueError, TypeError, KeyError):
        raise Refused("malformed", "the header is not JSON, or has no kid") from None
    if header != f'{{"alg":"EdDSA","kid":"{kid}","typ":"tlog-checkpoint+jws"}}'.encode():
        raise Refused("malformed", "another header")
    known = [key for key in keys if thumbprint(key.public_bytes) == kid]
    if not known:
        raise Refused("no_known_signature", kid)
    try:
        known[0].public.verify(signature, jws.rpartition(".")[0].encode())
    except InvalidSignature:
        raise Refused("bad_signature", kid) from None
    checkpoint = Checkpoint.of_text(text)
    if checkpoint.origin not in (key.name for key in known):
        raise Refused("other_logs_key", f"signed for {checkpoint.origin} by {known[0].name}")
    return checkpoint


def manifest_line(salt, origin, text):
    name = hmac.new(salt, b"audit-manifest/v1\x00" + origin.encode(), hashlib.sha256).hexdigest()
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()}"


def manifest_root(lines):
    return root_of([leaf_hash(line.encode()) for line in lines])


def check_manifest(text):
    """The lines of a manifest."""
    if text and not text.endswith("\n"):
        raise Refused("malformed", "cut")
    lines = text.split("\n")[:-1]
    if not all(map(LINE.fullmatch, lines)):
        raise Refused("malformed", "a line that is none")
    names = [line[:64] for line in lines]
    if lines != sorted(lines) or len(set(names)) != len(names):
        raise Refused("malformed", "not in order, or one log twice")
    return lines
