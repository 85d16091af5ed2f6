//! What must hold for any bytes at all, one function for each parser: no panic, and what parses prints back byte for byte.
//!
//! Shared by the fuzz targets beside it and by the bounded test in `crates/proof/tests/it/mutations.rs`.

use bailiwick_proof::canonical;
use bailiwick_proof::chain::ChainVerifier;
use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::cosignature::{self, AddCheckpoint, CosigningKey, WitnessKey};
use bailiwick_proof::entry::Entry;
use bailiwick_proof::jose::{self, Jwk, Jwks};
use bailiwick_proof::log::Origin;
use bailiwick_proof::manifest::Manifest;
use bailiwick_proof::manifest::proof::ManifestProof;
use bailiwick_proof::note::{SignedNote, SigningKey, VerifierKey};
use bailiwick_proof::policy::Policy;
use bailiwick_proof::puncturable::PuncturableKey;
use bailiwick_proof::receipt::Receipt;

/// Name of the parser, what is done with the bytes, and the golden file and member that seeds are taken from.
pub struct Parser {
    /// Also the name of the fuzz target.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub feed: fn(&[u8]),
    /// File in `vectors/`, without its ending.
    pub file: &'static str,
    /// Member of each case's `input`.
    pub member: &'static str,
    /// Whether the member is the bytes in hex, and not the bytes themselves.
    pub hex: bool,
}

impl Parser {
    /// The bytes that a golden case stands for.
    #[must_use]
    pub fn bytes(&self, member: &str) -> Vec<u8> {
        if self.hex { unhex(member) } else { member.as_bytes().to_vec() }
    }
}

/// All of them.
pub const ALL: [Parser; 17] = [
    Parser { name: "add_checkpoint", feed: add_checkpoint, file: "add_checkpoint", member: "request", hex: false },
    Parser { name: "canonical", feed: canonical, file: "canonical", member: "json", hex: false },
    Parser { name: "checkpoint", feed: checkpoint, file: "checkpoint", member: "checkpoint", hex: false },
    Parser { name: "cosignature", feed: cosignature, file: "cosignature", member: "checkpoint", hex: false },
    Parser { name: "entry", feed: entry, file: "entry", member: "entry", hex: false },
    Parser { name: "jwks", feed: jwks, file: "jws", member: "jwks", hex: false },
    Parser { name: "jws", feed: jws, file: "jws", member: "jws", hex: false },
    Parser { name: "manifest", feed: manifest, file: "manifest", member: "manifest", hex: false },
    Parser { name: "manifest_proof", feed: manifest_proof, file: "manifest_proof", member: "proof", hex: false },
    Parser { name: "note", feed: note, file: "note", member: "note", hex: false },
    Parser { name: "origin", feed: origin, file: "origin", member: "origin", hex: false },
    Parser { name: "pair", feed: pair, file: "pair", member: "pair", hex: false },
    Parser { name: "policy", feed: policy, file: "policy", member: "policy", hex: false },
    Parser { name: "puncturable", feed: puncturable, file: "puncturable", member: "state", hex: true },
    Parser { name: "receipt", feed: receipt, file: "receipt", member: "receipt", hex: false },
    Parser { name: "vkey", feed: vkey, file: "vkey", member: "vkey", hex: false },
    Parser { name: "witness_key", feed: witness_key, file: "witness_key", member: "vkey", hex: false },
];

/// The key of the golden files' log, so that also what is behind the signatures is reached.
fn known() -> [VerifierKey; 1] {
    static KEY: std::sync::OnceLock<VerifierKey> = std::sync::OnceLock::new();
    let make = || {
        let origin = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/1";
        let key = SigningKey::from_seed(origin, &[1; 32]).unwrap_or_else(|error| panic!("{error}"));
        key.verifier().clone()
    };
    [KEY.get_or_init(make).clone()]
}

/// The bytes of hex digits, which golden files have in pairs.
pub fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or_default(), 16);
    text.as_bytes().chunks(2).map(|pair| byte(pair).unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Canonical JSON.
pub fn canonical(bytes: &[u8]) {
    if let Ok(value) = canonical::parse(bytes) {
        assert_eq!(canonical::to_string(&value).map(String::into_bytes), Ok(bytes.to_vec()));
    }
}

/// Checkpoints with their signatures.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(signed) = text(bytes).parse::<SignedCheckpoint>() {
        assert_eq!(signed.to_string(), text(bytes));
        let _ = signed.verify(&known());
    }
}

/// Entries, and a walk that they begin.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes(), bytes);
        let mut chain = ChainVerifier::new(entry.log, entry.generation);
        assert_eq!(chain.push(bytes).is_ok(), entry.seq == 0);
    }
}

/// Key sets.
pub fn jwks(bytes: &[u8]) {
    if let Ok(jwks) = Jwks::parse(text(bytes)) {
        for jwk in jwks.keys {
            let text = serde_json::to_string(&jwk).unwrap_or_default();
            assert_eq!(serde_json::from_str::<Jwk>(&text).ok(), Some(jwk));
        }
    }
}

/// Daily roots.
pub fn jws(bytes: &[u8]) {
    let known = known().map(Jwk::from);
    let _ = jose::verify_checkpoint(text(bytes), &known);
}

/// Manifests.
pub fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = text(bytes).parse::<Manifest>() {
        assert_eq!(manifest.to_string(), text(bytes));
    }
}

/// Lines of manifests with their proofs.
pub fn manifest_proof(bytes: &[u8]) {
    if let Ok(proof) = text(bytes).parse::<ManifestProof>() {
        assert_eq!(proof.to_string(), text(bytes));
        let _ = proof.verify(&known());
    }
}

/// Signed notes.
pub fn note(bytes: &[u8]) {
    if let Ok(note) = text(bytes).parse::<SignedNote>() {
        assert_eq!(note.to_string(), text(bytes));
        let _ = note.verify(&known());
    }
}

/// Origins.
pub fn origin(bytes: &[u8]) {
    if let Ok(origin) = text(bytes).parse::<Origin>() {
        assert_eq!(origin.to_string(), text(bytes));
    }
}

/// Pairs of checkpoints.
pub fn pair(bytes: &[u8]) {
    if let Ok(pair) = text(bytes).parse::<Pair>() {
        assert_eq!(pair.to_string(), text(bytes));
        let _ = pair.verify(&known());
        let (older, newer) = (pair.older.unverified(), pair.newer.unverified());
        let _ =
            bailiwick_proof::merkle::verify_consistency(older.size, &older.root, newer.size, &newer.root, &pair.path);
    }
}

/// States of puncturable keys, and what comes of them when they are punctured once more.
pub fn puncturable(bytes: &[u8]) {
    if let Ok(mut state) = PuncturableKey::decode(bytes) {
        assert_eq!(&**state.encode(), bytes);
        let punctured = state.punctured();
        for subject in [0, 0x8000_0000, u32::MAX] {
            let had = state.derive(subject).is_some();
            assert_eq!(state.puncture(subject), had);
            assert!(state.derive(subject).is_none());
        }
        assert!(state.punctured() - punctured <= 3);
        assert!(PuncturableKey::decode(&state.encode()).is_ok());
    }
}

/// Receipts.
pub fn receipt(bytes: &[u8]) {
    if let Ok(receipt) = text(bytes).parse::<Receipt>() {
        assert_eq!(receipt.to_string(), text(bytes));
        let _ = receipt.verify(&known());
        let (leaf, checkpoint) = (bailiwick_proof::merkle::Hash::ZERO, receipt.checkpoint.unverified());
        let _ = bailiwick_proof::merkle::verify_inclusion(
            receipt.index,
            checkpoint.size,
            &leaf,
            &receipt.path,
            &checkpoint.root,
        );
    }
}

/// Verifier keys.
pub fn vkey(bytes: &[u8]) {
    if let Ok(key) = text(bytes).parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text(bytes));
    }
}

/// Requests to a witness.
pub fn add_checkpoint(bytes: &[u8]) {
    if let Ok(request) = text(bytes).parse::<AddCheckpoint>() {
        assert_eq!(request.to_string(), text(bytes));
        let _ = request.checkpoint.verify(&known());
    }
}

/// Cosigned checkpoints, and the lines behind them as a witness answers them.
pub fn cosignature(bytes: &[u8]) {
    let Ok(witness) = CosigningKey::from_seed("witness.example/one", &[11; 32]) else { return };
    if let Ok(note) = text(bytes).parse::<SignedNote>() {
        let _ = witness.witness().has_cosigned(&note);
    }
    let lines = text(bytes).split_once("\n\n").map_or(text(bytes), |(_, lines)| lines);
    if let Ok(lines) = cosignature::parse_lines(lines) {
        for line in lines {
            assert_eq!(cosignature::parse_lines(&format!("{line}\n")), Ok(vec![line]));
        }
    }
}

/// Policies: what is printed is read as the same.
pub fn policy(bytes: &[u8]) {
    if let Ok(policy) = text(bytes).parse::<Policy>() {
        assert_eq!(policy.to_string().parse().as_ref(), Ok(&policy));
        assert!(policy.is_met(|_| true), "all together are always enough");
    }
}

/// Verifier keys of witnesses.
pub fn witness_key(bytes: &[u8]) {
    if let Ok(key) = text(bytes).parse::<WitnessKey>() {
        assert_eq!(key.to_string(), text(bytes));
    }
}
