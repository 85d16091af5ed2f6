//! Keys, and what they sign.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::jose::{self, Jwk};
use bailiwick_proof::note::{SignedNote, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::case::{File, swap};
use super::log_on_paper::{LogOnPaper, ORIGIN};

const OTHER: &str = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/1";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn known(keys: &[&SigningKey]) -> Vec<String> {
    keys.iter().map(|key| key.verifier().to_string()).collect()
}

fn names(keys: &[&SigningKey]) -> Vec<String> {
    keys.iter().map(|key| format!("{}+{}", key.verifier().name(), key.verifier().id())).collect()
}

pub(super) fn vkey() -> Value {
    let mut file = File::about("Verifier keys of C2SP signed-note, Ed25519 only. `public_key` and `key_id` are hex.");
    for (name, seed) in [(ORIGIN, 1), (ORIGIN, 2), ("example.com/log", 3), ("a", 4)] {
        let key = key(name, seed);
        let public: String = key.verifier().public().iter().map(|byte| format!("{byte:02x}")).collect();
        let expect = json!({ "name": name, "key_id": key.verifier().id().to_string(), "public_key": public });
        file.good(&format!("{name}, seed {seed}"), json!({ "vkey": key.verifier().to_string() }), expect);
    }
    let vkey = key("example.com/log", 1).verifier().to_string();
    let other = key("example.com/log", 2).verifier().to_string();
    let [name, id, public] = vkey.splitn(3, '+').collect::<Vec<_>>().try_into().unwrap();
    for (case, vkey, detail) in [
        ("empty", String::new(), "vkey_shape"),
        ("a name only", name.to_owned(), "vkey_shape"),
        ("no key", format!("{name}+{id}"), "vkey_shape"),
        ("cut", vkey[..vkey.len() - 1].to_owned(), "vkey_shape"),
        ("a line end", format!("{vkey}\n"), "vkey_shape"),
        ("an id in upper case", format!("{name}+{}+{public}", id.to_uppercase()), "vkey_shape"),
        ("an id of seven digits", format!("{name}+{}+{public}", &id[1..]), "vkey_shape"),
        ("31 bytes", format!("{name}+{id}+{}", URL_SAFE_NO_PAD.encode([1; 30])), "vkey_shape"),
        ("33 bytes of key", format!("{name}+{id}+{}AAAA", public), "vkey_shape"),
        ("an id of another key", format!("{}+{public}", other.rsplit_once('+').unwrap().0), "vkey_id"),
        ("the key of another name", swap(&vkey, "example.com", "example.org"), "vkey_id"),
        ("an empty name", format!("+{id}+{public}"), "vkey_name"),
        ("a name with a space", format!("a b+{id}+{public}"), "vkey_name"),
        ("a name with a line end", format!("a\nb+{id}+{public}"), "vkey_name"),
        ("a name with a no-break space", format!("a\u{a0}b+{id}+{public}"), "vkey_name"),
        ("another algorithm", format!("{name}+{id}+B{}", &public[1..]), "vkey_algorithm"),
    ] {
        file.bad(case, json!({ "vkey": vkey }), detail);
    }
    file.done()
}

pub(super) fn note() -> Value {
    let mut file =
        File::about("Signed notes. `known` are the verifier keys that one trusts, `signed_by` those that signed.");
    let (ours, new, stranger) = (key("example.com/log", 1), key("example.com/log", 2), key("witness.example", 3));
    let texts =
        ["text\n", "two\nlines\n", "an\n\nempty line\n", "\n", "— looks like AAAAAAA=\n", "ü\u{2028}\u{1f600}\u{7f}\n"];
    for text in texts {
        let note = SignedNote::sign(text, &[&ours]).unwrap().to_string();
        file.good(
            &format!("{text:?}"),
            json!({ "note": note, "known": known(&[&ours]) }),
            json!({ "text": text, "signed_by": names(&[&ours]) }),
        );
    }
    let all = SignedNote::sign("text\n", &[&stranger, &new, &ours]).unwrap().to_string();
    for (name, keys) in [
        ("one of three is known", &[&ours][..]),
        ("two of three are known, in the order of the lines", &[&new, &ours]),
        ("all are known", &[&stranger, &new, &ours]),
    ] {
        file.good(
            name,
            json!({ "note": all, "known": known(keys) }),
            json!({ "text": "text\n", "signed_by": names(keys) }),
        );
    }
    let strangers: String = (0..63).map(|number| format!("— other.example/{number} AAAAAAA=\n")).collect();
    let note = SignedNote::sign("text\n", &[&ours]).unwrap().to_string();
    let expect = json!({ "text": "text\n", "signed_by": names(&[&ours]) });
    file.good(
        "64 signature lines",
        json!({ "note": format!("{note}{strangers}"), "known": known(&[&ours]) }),
        expect.clone(),
    );
    let same_id = note.lines().last().unwrap().replace("example.com/log", "example.com/lag");
    file.good(
        "the same id under another name",
        json!({ "note": format!("{note}{same_id}\n"), "known": known(&[&ours]) }),
        expect,
    );
    let line = note.split_once("\n\n").unwrap().1;
    let (_, signature) = line.rsplit_once(' ').unwrap();
    let short = format!("{}\n", &signature[..88]);
    for (name, note, detail) in [
        ("empty", String::new(), "note_shape"),
        ("no signatures", "text\n".to_owned(), "note_shape"),
        ("no signature lines", "text\n\n".to_owned(), "note_shape"),
        ("no empty line", swap(&note, "\n\n", "\n"), "note_shape"),
        ("cut at the end", note.trim_end().to_owned(), "note_shape"),
        ("an empty line at the end", format!("{note}\n"), "note_shape"),
        ("a hyphen for the dash", swap(&note, "—", "-"), "note_signature_line"),
        ("two spaces", swap(&note, "— ", "—  "), "note_signature_line"),
        ("no name", swap(&note, "example.com/log ", ""), "note_signature_line"),
        ("a plus in the name", swap(&note, "example.com/log", "a+b"), "note_signature_line"),
        ("a no-break space in the name", swap(&note, "example.com/log", "a\u{a0}b"), "note_signature_line"),
        ("base64 without padding", swap(&note, "=\n", "\n"), "note_signature_line"),
        ("an id without signature", swap(&note, signature, "AAAAAA==\n"), "note_signature_line"),
        ("text after the signatures", format!("{note}more\n"), "note_signature_line"),
        ("carriage returns", note.replace('\n', "\r\n"), "note_control_character"),
        ("a tab in the text", swap(&note, "text", "te\txt"), "note_control_character"),
        ("65 signature lines", format!("{note}{strangers}— other.example AAAAAAA=\n"), "note_too_many_signatures"),
        ("another text", swap(&note, "text", "test"), "bad_signature"),
        ("a line more of text", swap(&note, "text", "text\ntext"), "bad_signature"),
        ("a cut signature", swap(&note, signature, &short), "bad_signature"),
        ("signed twice", format!("{note}{line}"), "signed_twice"),
        ("signed by a stranger", SignedNote::sign("text\n", &[&stranger]).unwrap().to_string(), "no_known_signature"),
        (
            "signed by the key of another name",
            SignedNote::sign("text\n", &[&key("example.com/lag", 1)]).unwrap().to_string(),
            "no_known_signature",
        ),
        (
            "signed by another key of the name",
            SignedNote::sign("text\n", &[&new]).unwrap().to_string(),
            "no_known_signature",
        ),
    ] {
        file.bad(name, json!({ "note": note, "known": known(&[&ours]) }), detail);
    }
    let spoilt = swap(&all, "text", "test");
    file.bad(
        "one good signature and one bad",
        json!({ "note": half_bad(&ours, &new), "known": known(&[&ours, &new]) }),
        "bad_signature",
    );
    file.bad("all bad", json!({ "note": spoilt, "known": known(&[&ours, &new, &stranger]) }), "bad_signature");
    file.done()
}

/// The first line holds, the second is that of another text.
fn half_bad(first: &SigningKey, second: &SigningKey) -> String {
    let other = SignedNote::sign("another text\n", &[second]).unwrap().to_string();
    format!("{}{}", SignedNote::sign("text\n", &[first]).unwrap(), other.split_once("\n\n").unwrap().1)
}

pub(super) fn checkpoint() -> Value {
    let mut file = File::about("Checkpoints. A known key that signed must have the origin for a name.");
    let log = LogOnPaper::new(ORIGIN, 5, 1);
    let (old, new, other, witness) = (&log.key, key(ORIGIN, 2), key(OTHER, 1), key("witness.example", 3));
    let expect = |size: u64| json!({ "origin": ORIGIN, "size": size, "root": log.root(size).to_hex() });
    for size in [0, 1, 5] {
        let text = log.checkpoint(size).to_string();
        file.good(&format!("size {size}"), json!({ "checkpoint": text, "known": known(&[old]) }), expect(size));
    }
    let both = SignedCheckpoint::sign(log.unsigned(5), &[&new, old]).unwrap().to_string();
    for (name, keys) in [("the old key", &[old][..]), ("the new key", &[&new]), ("both keys", &[old, &new])] {
        file.good(
            &format!("two keys during a rotation, known: {name}"),
            json!({ "checkpoint": both, "known": known(keys) }),
            expect(5),
        );
    }
    let cosigned = SignedNote::sign(&log.unsigned(5).text(), &[old, &witness]).unwrap().to_string();
    file.good("cosigned by an unknown witness", json!({ "checkpoint": cosigned, "known": known(&[old]) }), expect(5));
    file.good(
        "cosigned by a known witness",
        json!({ "checkpoint": cosigned, "known": known(&[&witness, old]) }),
        expect(5),
    );
    let largest = Checkpoint { size: (1 << 53) - 1, ..log.unsigned(5) };
    let text = SignedCheckpoint::sign(largest.clone(), &[old]).unwrap().to_string();
    let found = json!({ "origin": ORIGIN, "size": largest.size, "root": largest.root.to_hex() });
    file.good("size 2^53 - 1", json!({ "checkpoint": text, "known": known(&[old]) }), found);
    let extended =
        Checkpoint { extensions: vec!["an extension line".to_owned(), "another".to_owned()], ..log.unsigned(5) };
    let text = SignedCheckpoint::sign(extended, &[old]).unwrap().to_string();
    file.good("extension lines", json!({ "checkpoint": text, "known": known(&[old]) }), expect(5));

    let text = log.unsigned(5).text();
    let sign = |text: &str| SignedNote::sign(text, &[old]).unwrap().to_string();
    for (name, text, detail) in [
        ("two lines", format!("{ORIGIN}\n5\n"), "checkpoint_shape"),
        ("an empty line among the extensions", format!("{text}a\n\nb\n"), "checkpoint_shape"),
        ("no origin", swap(&text, ORIGIN, ""), "checkpoint_shape"),
        ("a size with a leading zero", swap(&text, "\n5\n", "\n05\n"), "checkpoint_size"),
        ("a size with a sign", swap(&text, "\n5\n", "\n+5\n"), "checkpoint_size"),
        ("a size in hex", swap(&text, "\n5\n", "\n0x5\n"), "checkpoint_size"),
        ("a size in other digits", swap(&text, "\n5\n", "\n٥\n"), "checkpoint_size"),
        ("size 2^53", swap(&text, "\n5\n", "\n9007199254740992\n"), "checkpoint_size"),
        ("size 2^64", swap(&text, "\n5\n", "\n18446744073709551616\n"), "checkpoint_size"),
        ("a root in hex", swap(&text, &log.root(5).to_base64(), &log.root(5).to_hex()), "checkpoint_root"),
        (
            "a root of 31 bytes",
            swap(&text, &log.root(5).to_base64(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
            "checkpoint_root",
        ),
        ("a root without padding", swap(&text, "=\n", "\n"), "checkpoint_root"),
        (
            "a root with stray bits",
            swap(&text, &log.root(5).to_base64(), &stray(&log.root(5).to_base64())),
            "checkpoint_root",
        ),
    ] {
        file.bad(name, json!({ "checkpoint": sign(&text), "known": known(&[old]) }), detail);
    }
    let signed = log.checkpoint(5).to_string();
    for (name, text, keys, detail) in [
        ("another size", swap(&signed, "\n5\n", "\n6\n"), &[old][..], "bad_signature"),
        ("another origin over the same signature", swap(&signed, ORIGIN, OTHER), &[old], "bad_signature"),
        ("another origin and name", signed.replace(ORIGIN, OTHER), &[old], "no_known_signature"),
        ("an unknown key only", sign(&text), &[&new], "no_known_signature"),
        ("no key is known", sign(&text), &[], "no_known_signature"),
        (
            "signed by the test log's key",
            SignedNote::sign(&text, &[&other]).unwrap().to_string(),
            &[old, &other],
            "other_logs_key",
        ),
        (
            "signed by a known witness only",
            SignedNote::sign(&text, &[&witness]).unwrap().to_string(),
            &[old, &witness],
            "other_logs_key",
        ),
        (
            "signed twice by one key",
            format!("{signed}{}", signed.split_once("\n\n").unwrap().1),
            &[old],
            "signed_twice",
        ),
        ("cut before the signature", text.clone(), &[old], "note_shape"),
    ] {
        file.bad(name, json!({ "checkpoint": text, "known": known(keys) }), detail);
    }
    file.done()
}

/// The same 32 bytes to a lenient decoder: the last character's unused bits are not 0.
fn stray(base64: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let last = base64.chars().nth(42).unwrap();
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    format!("{}{next}=", &base64[..42])
}

pub(super) fn jwk() -> Value {
    let mut file = File::about("JSON Web Keys of logs: `jwk` is the text. `kid` is the thumbprint of RFC 7638.");
    for seed in 1..=3 {
        let key = key(ORIGIN, seed);
        let jwk = Jwk::from(key.verifier().clone());
        let expect = json!({ "vkey": key.verifier().to_string(), "kid": jwk.kid() });
        file.good(&format!("seed {seed}"), json!({ "jwk": serde_json::to_string(&jwk).unwrap() }), expect);
    }
    let text = serde_json::to_string(&Jwk::from(key(ORIGIN, 1).verifier().clone())).unwrap();
    let expect = json!({ "vkey": key(ORIGIN, 1).verifier().to_string(), "kid": jose::thumbprint(key(ORIGIN, 1).verifier().public()) });
    file.good("a member that is not known", json!({ "jwk": swap(&text, "{", "{\"key_ops\":[\"verify\"],") }), expect);
    for (name, jwk) in [
        ("another kty", swap(&text, "\"OKP\"", "\"EC\"")),
        ("another crv", swap(&text, "\"crv\":\"Ed25519\"", "\"crv\":\"X25519\"")),
        ("another x", swap(&text, "\"x\":\"i", "\"x\":\"j")),
        ("another alg", swap(&text, "\"EdDSA\"", "\"HS256\"")),
        ("another use", swap(&text, "\"sig\"", "\"enc\"")),
        ("another kid", swap(&text, "\"kid\":\"", "\"kid\":\"A")),
        ("another name in the vkey", swap(&text, "/live/1+", "/live/2+")),
        ("no kid", swap(&text, "\"kid\"", "\"kidd\"")),
        ("a member twice", swap(&text, "{", "{\"kty\":\"OKP\",")),
    ] {
        file.bad(name, json!({ "jwk": jwk }), "jwk");
    }
    file.done()
}

/// A JWS whose signature holds, whatever its header says.
fn signed_jws(key: &SigningKey, header: &str, payload: &str) -> String {
    let signed = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
    // A signature line is name, and base64 of key id and signature.
    let line = key.sign(&signed).to_string();
    let bytes = STANDARD.decode(line.rsplit_once(' ').unwrap().1).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&bytes[4..]))
}

pub(super) fn jws() -> Value {
    let mut file =
        File::about("Daily roots: checkpoints as compact JWS. `jwks` is the text of the key set that one trusts.");
    let log = LogOnPaper::new(ORIGIN, 5, 1);
    let (ours, new, other) = (&log.key, key(ORIGIN, 2), key(OTHER, 1));
    let set = |keys: &[&SigningKey]| {
        let keys = keys.iter().map(|key| Jwk::from(key.verifier().clone())).collect();
        serde_json::to_string(&jose::Jwks { keys }).unwrap()
    };
    let jws = jose::sign_checkpoint(ours, &log.unsigned(5)).unwrap();
    let expect = json!({ "origin": ORIGIN, "size": 5, "root": log.root(5).to_hex() });
    for (name, keys) in [
        ("one key", set(&[ours])),
        ("several keys", set(&[&new, ours, &key(OTHER, 4)])),
        ("one key under two names", set(&[&other, ours])),
        (
            "keys of another kind beside it",
            swap(&set(&[ours]), "[", "[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"x\"},"),
        ),
    ] {
        file.good(name, json!({ "jws": jws, "jwks": keys }), expect.clone());
    }
    let [head, payload, signature] = jws.split('.').collect::<Vec<_>>().try_into().unwrap();
    let kid = jose::thumbprint(ours.verifier().public());
    let header = format!("{{\"alg\":\"EdDSA\",\"kid\":\"{kid}\",\"typ\":\"tlog-checkpoint+jws\"}}");
    let with = |header: &str| signed_jws(ours, header, payload);
    let larger = URL_SAFE_NO_PAD.encode(log.unsigned(5).text().replace("\n5\n", "\n6\n"));
    for (name, jws, keys, detail) in [
        ("empty", String::new(), set(&[ours]), "jws_shape"),
        ("two parts", format!("{head}.{payload}"), set(&[ours]), "jws_shape"),
        ("four parts", format!("{jws}."), set(&[ours]), "jws_shape"),
        ("padding", format!("{jws}=="), set(&[ours]), "jws_shape"),
        ("no algorithm", with(&swap(&header, "EdDSA", "none")), set(&[ours]), "jws_header"),
        ("a symmetric algorithm", with(&swap(&header, "EdDSA", "HS256")), set(&[ours]), "jws_header"),
        ("another type", with(&swap(&header, "tlog-checkpoint+jws", "JWT")), set(&[ours]), "jws_header"),
        ("a header with a space", with(&swap(&header, ",", ", ")), set(&[ours]), "jws_header"),
        ("a header with a key of its own", with(&swap(&header, "}", ",\"jwk\":{}}")), set(&[ours]), "jws_header"),
        ("an unknown key", jws.clone(), set(&[&new]), "no_known_signature"),
        ("no keys", jws.clone(), set(&[]), "no_known_signature"),
        ("no checkpoint", signed_jws(ours, &header, &URL_SAFE_NO_PAD.encode("{}")), set(&[ours]), "checkpoint_shape"),
        ("another payload", format!("{head}.{larger}.{signature}"), set(&[ours]), "bad_signature"),
        ("no signature", format!("{head}.{payload}."), set(&[ours]), "bad_signature"),
        ("another log's key of the same bytes", jws.clone(), set(&[&other]), "other_logs_key"),
    ] {
        file.bad(name, json!({ "jws": jws, "jwks": keys }), detail);
    }
    file.done()
}
