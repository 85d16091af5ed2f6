use proptest::prelude::*;

use super::*;
use crate::merkle::leaf_hash;

const ORIGIN: &str = "example.com/cell/1";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn jwk(key: &SigningKey) -> Jwk {
    Jwk::from(key.verifier().clone())
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(&ORIGIN.parse().unwrap(), 3, leaf_hash(b"x"))
}

fn word(jws: &str, known: &[Jwk]) -> Result<Checkpoint, &'static str> {
    verify_checkpoint(jws, known).map_err(|error| error.word())
}

/// RFC 8037 appendix A.3.
#[test]
fn the_specification_s_thumbprint() {
    let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    assert_eq!(thumbprint(&x.try_into().unwrap()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_jwk_has_its_members_in_order_and_comes_back() {
    let jwk = jwk(&key(ORIGIN, 1));
    let text = serde_json::to_string(&jwk).unwrap();
    assert_eq!(
        text,
        format!(
            "{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w\",\"alg\":\"EdDSA\",\
             \"use\":\"sig\",\"kid\":\"{}\",\"vkey\":\"{}\"}}",
            jwk.kid(),
            jwk.verifier()
        )
    );
    assert_eq!(serde_json::from_str::<Jwk>(&text).unwrap(), jwk);
    for (from, to) in [
        ("\"OKP\"", "\"EC\""),
        ("\"Ed25519\"", "\"Ed448\""),
        ("\"iojj", "\"jojj"),
        ("\"EdDSA\"", "\"none\""),
        ("\"sig\"", "\"enc\""),
        ("\"kid\":\"", "\"kid\":\"x"),
        ("+AYqI", "+AYqJ"),
        ("\"use\":\"sig\",", ""),
    ] {
        assert!(serde_json::from_str::<Jwk>(&text.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
}

#[test]
fn a_set_may_hold_keys_of_others() {
    let ours = jwk(&key(ORIGIN, 1));
    let text = serde_json::to_string(&Jwks { keys: vec![ours.clone()] }).unwrap();
    let more = text.replace("[{", "[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{");
    assert_eq!(Jwks::parse(&text).unwrap().keys, std::slice::from_ref(&ours));
    assert_eq!(Jwks::parse(&more).unwrap().keys, [ours]);
    for text in ["", "{}", "[]", &text.replace("OKP", "EC"), &format!("{text}x")] {
        assert_eq!(Jwks::parse(text).map_err(|error| error.word()), Err("jwks"), "{text}");
    }
}

#[test]
fn daily_roots() {
    let (ours, other) = (key(ORIGIN, 1), key(ORIGIN, 2));
    let elsewhere = key("example.com/cell/2", 1);
    let jws = sign_checkpoint(&ours, &checkpoint()).unwrap();
    assert_eq!(word(&jws, &[jwk(&ours)]), Ok(checkpoint()));
    assert_eq!(word(&jws, &[jwk(&other), jwk(&elsewhere), jwk(&ours)]), Ok(checkpoint()), "one key under two names");
    assert_eq!(word(&jws, &[jwk(&other)]), Err("no_known_signature"));
    assert_eq!(word(&jws, &[]), Err("no_known_signature"));
    assert_eq!(word(&jws, &[jwk(&elsewhere)]), Err("other_logs_key"));
    let [head, payload, signature] = jws.split('.').collect::<Vec<_>>().try_into().unwrap();
    let with_header = |header: &str| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header));
    let kid = jwk(&ours).kid();
    let larger = URL_SAFE_NO_PAD.encode(checkpoint().text().replace("\n3\n", "\n4\n"));
    for (changed, expected) in [
        (String::new(), "jws_shape"),
        (format!("{head}.{payload}"), "jws_shape"),
        (format!("{jws}."), "jws_shape"),
        (format!("{jws}="), "jws_shape"),
        (format!("{jws}\n"), "jws_shape"),
        (format!("{head}.{}{signature}", ".".repeat(MAX_JWS_BYTES)), "jws_shape"),
        (with_header(&header(&kid).replace("EdDSA", "none")), "jws_header"),
        (with_header(&header(&kid).replace("EdDSA", "HS256")), "jws_header"),
        (with_header(&header(&kid).replace("\",\"", "\", \"")), "jws_header"),
        (with_header(&header(&kid).replace("tlog-checkpoint+jws", "JWT")), "jws_header"),
        (with_header(&header(&kid).replace('}', ",\"crit\":[]}")), "jws_header"),
        (with_header(&header("a\\u0062c")), "jws_header"),
        (with_header(&header("abc")), "no_known_signature"),
        (format!("{head}.{larger}.{signature}"), "bad_signature"),
        (format!("{head}.{payload}."), "bad_signature"),
        (format!("{head}.{payload}.{}", &signature[..80]), "bad_signature"),
    ] {
        assert_eq!(word(&changed, &[jwk(&ours)]), Err(expected), "{changed:.300}");
    }
}

#[test]
fn nothing_unreadable_is_signed() {
    let sign = |name: &str, checkpoint: &Checkpoint| sign_checkpoint(&key(name, 1), checkpoint).map_err(|e| e.word());
    assert_eq!(sign("example.com/cell/2", &checkpoint()), Err("other_logs_key"));
    assert_eq!(sign(ORIGIN, &Checkpoint { size: u64::MAX, ..checkpoint() }), Err("checkpoint_size"));
    let extended = Checkpoint { extensions: vec!["a\nb".to_owned()], ..checkpoint() };
    assert_eq!(sign(ORIGIN, &extended), Err("checkpoint_shape"));
}

proptest! {
    #[test]
    fn text_and_back(size in 0u64..1 << 53, root: [u8; 32], seed: u8) {
        let key = key(ORIGIN, seed);
        let checkpoint = Checkpoint { size, root: Hash::new(root), ..checkpoint() };
        let jws = sign_checkpoint(&key, &checkpoint).unwrap();
        prop_assert_eq!(word(&jws, &[jwk(&key)]), Ok(checkpoint));
    }

    #[test]
    fn a_changed_daily_root_fails(at: prop::sample::Index, bit in 0u8..7) {
        let ours = key(ORIGIN, 1);
        let mut bytes = sign_checkpoint(&ours, &checkpoint()).unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(word(&String::from_utf8(bytes).unwrap(), &[jwk(&ours)]).is_err());
    }
}
