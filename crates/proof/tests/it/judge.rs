//! What this crate says of a golden case: what it finds in the input, or the word for which it refuses it.

use bailiwick_proof::canonical;
use bailiwick_proof::chain::ChainVerifier;
use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::commitment::Opening;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::cosignature::{AddCheckpoint, MalformedRequest, WitnessKey};
use bailiwick_proof::entry::Entry;
use bailiwick_proof::jose::{self, Jwk, Jwks};
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::manifest::proof::{MalformedManifestProof, ManifestProof};
use bailiwick_proof::manifest::{self, Manifest};
use bailiwick_proof::merkle::{self, Hash, leaf_hash, verify_consistency, verify_inclusion};
use bailiwick_proof::note::{SignedNote, VerifierKey};
use bailiwick_proof::policy::{MalformedPolicy, Policy};
use bailiwick_proof::puncturable::{MalformedState, PuncturableKey};
use bailiwick_proof::receipt::Receipt;
use bailiwick_proof::tile;
use serde_json::{Map, Value, json};

use crate::parsers::unhex;

/// Why a case is refused, and at which place of the log.
pub(crate) struct Refusal {
    pub(crate) word: String,
    pub(crate) seq: Option<u64>,
}

impl From<&str> for Refusal {
    fn from(word: &str) -> Self {
        Self { word: word.to_owned(), seq: None }
    }
}

type Judgement = Result<Value, Refusal>;

/// The judge of a file's cases; `None` for formats that this crate does not read.
pub(crate) fn of(file: &str) -> Option<fn(&Value) -> Judgement> {
    Some(match file {
        "canonical.json" => canonical,
        "origin.json" => origin,
        "entry.json" => entry,
        "chain.json" => chain,
        "commitment.json" => commitment,
        "tree.json" => tree,
        "inclusion.json" => inclusion,
        "consistency.json" => consistency,
        "tile.json" => tile_path,
        "manifest.json" => manifest,
        "manifest_proof.json" => manifest_proof,
        "vkey.json" => vkey,
        "note.json" => note,
        "checkpoint.json" => checkpoint,
        "jwk.json" => jwk,
        "jws.json" => jws,
        "puncturable.json" => puncturable,
        "receipt.json" => receipt,
        "pair.json" => pair,
        "witness_key.json" => witness_key,
        "cosignature.json" => cosignature,
        "add_checkpoint.json" => add_checkpoint,
        "policy.json" => policy,
        _ => return None,
    })
}

fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap()
}

fn number(input: &Value, member: &str) -> u64 {
    input[member].as_u64().unwrap()
}

fn texts(input: &Value, member: &str) -> Vec<String> {
    input[member].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn hash(input: &Value, member: &str) -> Hash {
    Hash::from_hex(text(input, member)).unwrap()
}

fn path(input: &Value) -> Vec<Hash> {
    texts(input, "path").iter().map(|hash| Hash::from_hex(hash).unwrap()).collect()
}

fn known(input: &Value) -> Vec<VerifierKey> {
    texts(input, "known").iter().map(|vkey| vkey.parse().unwrap()).collect()
}

fn canonical(input: &Value) -> Judgement {
    match input.get("json") {
        Some(json) => canonical::parse(json.as_str().unwrap().as_bytes()).map_err(|error| error.word().into()),
        None => {
            let written = canonical::to_string(&input["value"]).unwrap();
            assert_eq!(canonical::parse(written.as_bytes()).as_ref(), Ok(&input["value"]));
            Ok(json!({ "canonical": written }))
        }
    }
}

fn origin(input: &Value) -> Judgement {
    let origin: Origin = text(input, "origin").parse().map_err(|_| "origin")?;
    assert_eq!(origin.to_string(), text(input, "origin"));
    let (ws, env) = match origin.log() {
        Log::Workspace { workspace, environment } => (workspace.to_string(), environment.as_str()),
        Log::Cell => ("cell".to_owned(), "live"),
    };
    Ok(json!({ "log_name": origin.name().as_str(), "ws": ws, "env": env, "gen": origin.generation() }))
}

fn entry(input: &Value) -> Judgement {
    let bytes = text(input, "entry").as_bytes();
    let entry = Entry::parse(bytes).map_err(|error| error.word())?;
    assert_eq!(entry.to_bytes(), bytes);
    Ok(json!({
        "leaf_hash": leaf_hash(bytes).to_hex(),
        "seq": entry.seq,
        "gen": entry.generation,
        "prev": entry.prev.to_hex(),
    }))
}

fn chain(input: &Value) -> Judgement {
    let origin: Origin = text(input, "origin").parse().unwrap();
    let mut verifier = ChainVerifier::new(origin.log(), origin.generation());
    for entry in texts(input, "entries") {
        verifier
            .push(entry.as_bytes())
            .map_err(|bad| Refusal { word: bad.reason.word().to_owned(), seq: Some(bad.seq) })?;
    }
    Ok(json!({ "size": verifier.seq(), "root": verifier.frontier().root().to_hex() }))
}

fn commitment(input: &Value) -> Judgement {
    let r = *Hash::from_base64(text(input, "r")).unwrap().as_bytes();
    let opening = Opening { r, value: text(input, "value").to_owned() };
    let found = opening.commitment(text(input, "field").parse().unwrap());
    if found == hash(input, "commitment") { Ok(json!({})) } else { Err("wrong_opening".into()) }
}

fn tree(input: &Value) -> Judgement {
    let leaves: Vec<Hash> = texts(input, "entries").iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
    Ok(json!({ "root": merkle::root(&leaves).to_hex() }))
}

fn inclusion(input: &Value) -> Judgement {
    let (index, size) = (number(input, "index"), number(input, "size"));
    verify_inclusion(index, size, &hash(input, "leaf"), &path(input), &hash(input, "root"))
        .map(|()| json!({}))
        .map_err(|error| error.word().into())
}

fn consistency(input: &Value) -> Judgement {
    let (old, new) = (number(input, "old_size"), number(input, "new_size"));
    verify_consistency(old, &hash(input, "old_root"), new, &hash(input, "new_root"), &path(input))
        .map(|()| json!({}))
        .map_err(|error| error.word().into())
}

fn tile_path(input: &Value) -> Judgement {
    let level = u8::try_from(number(input, "level")).unwrap();
    let width = input["width"].as_u64().map(|width| u16::try_from(width).unwrap());
    Ok(json!({ "path": tile::path(level, number(input, "index"), width) }))
}

fn manifest(input: &Value) -> Judgement {
    if let Some(text) = input.get("manifest") {
        let manifest: Manifest =
            text.as_str().unwrap().parse().map_err(|error: manifest::ManifestError| error.word())?;
        return Ok(json!({ "manifest": manifest.to_string() }));
    }
    let salt = *Hash::from_base64(text(input, "salt")).unwrap().as_bytes();
    let lines = input["logs"].as_array().unwrap().iter().map(|log| {
        let checkpoint = Checkpoint::parse(text(log, "checkpoint")).unwrap();
        manifest::line(&salt, &text(log, "origin").parse().unwrap(), &checkpoint)
    });
    let manifest = Manifest::new(lines.collect()).unwrap();
    assert_eq!(manifest.to_string().parse().as_ref(), Ok(&manifest));
    Ok(json!({ "manifest": manifest.to_string(), "root": manifest.root().to_hex() }))
}

fn vkey(input: &Value) -> Judgement {
    let key: VerifierKey =
        text(input, "vkey").parse().map_err(|error: bailiwick_proof::note::VkeyError| error.word())?;
    assert_eq!(key.to_string(), text(input, "vkey"));
    let public: String = key.public().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({ "name": key.name(), "key_id": key.id().to_string(), "public_key": public }))
}

fn note(input: &Value) -> Judgement {
    let note: SignedNote =
        text(input, "note").parse().map_err(|error: bailiwick_proof::note::NoteError| error.word())?;
    assert_eq!(note.to_string(), text(input, "note"));
    let known = known(input);
    let signed_by = note.verify(&known).map_err(|error| error.word())?;
    let mut names: Vec<String> = signed_by.iter().map(|key| format!("{}+{}", key.name(), key.id())).collect();
    names.sort_by_key(|name| {
        note.signatures().iter().position(|line| *name == format!("{}+{}", line.name(), line.id()))
    });
    Ok(json!({ "text": note.text(), "signed_by": names }))
}

fn found(checkpoint: &Checkpoint) -> Value {
    json!({ "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_hex() })
}

fn checkpoint(input: &Value) -> Judgement {
    let signed: SignedCheckpoint = text(input, "checkpoint")
        .parse()
        .map_err(|error: bailiwick_proof::checkpoint::CheckpointError| error.word())?;
    assert_eq!(signed.to_string(), text(input, "checkpoint"));
    signed.verify(&known(input)).map(found).map_err(|error| error.word().into())
}

fn jwk(input: &Value) -> Judgement {
    let jwk: Jwk = serde_json::from_str(text(input, "jwk")).map_err(|_| "jwk")?;
    Ok(json!({ "vkey": jwk.verifier().to_string(), "kid": jwk.kid() }))
}

fn jws(input: &Value) -> Judgement {
    let known = Jwks::parse(text(input, "jwks")).unwrap();
    jose::verify_checkpoint(text(input, "jws"), &known.keys)
        .map(|found_in| found(&found_in))
        .map_err(|error| error.word().into())
}

fn puncturable(input: &Value) -> Judgement {
    let numbers = |member: &str| -> Vec<u32> {
        input[member].as_array().unwrap().iter().map(|number| number.as_u64().unwrap().try_into().unwrap()).collect()
    };
    let keys = |state: &PuncturableKey| -> Value {
        let key = |subject: u32| state.derive(subject).map(|key| Hash::new(*key.reveal()).to_hex());
        numbers("subjects").into_iter().map(key).collect()
    };
    if let Some(state) = input.get("state") {
        let state =
            PuncturableKey::decode(&unhex(state.as_str().unwrap())).map_err(|error: MalformedState| error.word())?;
        return Ok(json!({ "punctured": state.punctured(), "keys": keys(&state) }));
    }
    let mut state = PuncturableKey::from_seed(hash(input, "seed").as_bytes());
    for subject in numbers("puncture") {
        state.puncture(subject);
    }
    let encoded: String = state.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({ "state": encoded, "punctured": state.punctured(), "keys": keys(&state) }))
}

fn receipt(input: &Value) -> Judgement {
    let receipt: Receipt =
        text(input, "receipt").parse().map_err(|error: bailiwick_proof::receipt::MalformedReceipt| error.word())?;
    assert_eq!(receipt.to_string(), text(input, "receipt"));
    let verified =
        receipt.verify(&known(input)).map_err(|error| Refusal { word: error.word().to_owned(), seq: error.seq() })?;
    let opened: Map<String, Value> =
        receipt.openings.iter().map(|(field, opening)| (field.to_string(), json!(opening.value))).collect();
    Ok(json!({
        "origin": verified.origin.to_string(),
        "seq": verified.entry.seq,
        "size": verified.checkpoint.size,
        "leaf_hash": verified.leaf.to_hex(),
        "opened": opened,
    }))
}

fn manifest_proof(input: &Value) -> Judgement {
    let proof: ManifestProof = text(input, "proof").parse().map_err(|error: MalformedManifestProof| error.word())?;
    assert_eq!(proof.to_string(), text(input, "proof"));
    let verified =
        proof.verify(&known(input)).map_err(|error| Refusal { word: error.word().to_owned(), seq: error.seq() })?;
    Ok(json!({
        "origin": verified.origin.to_string(),
        "size": verified.checkpoint.size,
        "hour": verified.hour,
        "logs": verified.logs,
        "cell_size": verified.cell.checkpoint.size,
        "seq": verified.entry.map(|entry| entry.entry.seq),
    }))
}

fn pair(input: &Value) -> Judgement {
    let pair: Pair =
        text(input, "pair").parse().map_err(|error: bailiwick_proof::consistency::MalformedPair| error.word())?;
    assert_eq!(pair.to_string(), text(input, "pair"));
    let extends = pair
        .verify(&known(input))
        .map_err(|error| Refusal { word: error.word().to_owned(), seq: error.first_bad_seq() })?;
    Ok(json!({
        "origin": extends.older.origin,
        "older_size": extends.older.size,
        "newer_size": extends.newer.size,
    }))
}

fn witness_key(input: &Value) -> Judgement {
    let key: WitnessKey =
        text(input, "vkey").parse().map_err(|error: bailiwick_proof::note::VkeyError| error.word())?;
    assert_eq!(key.to_string(), text(input, "vkey"));
    let public: String = key.public().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({ "name": key.name(), "key_id": key.id().to_string(), "public_key": public }))
}

fn read_checkpoint(input: &Value) -> Result<SignedCheckpoint, Refusal> {
    let parsed: Result<SignedCheckpoint, _> = text(input, "checkpoint").parse();
    parsed.map_err(|error: bailiwick_proof::checkpoint::CheckpointError| error.word().into())
}

fn cosignature(input: &Value) -> Judgement {
    let signed = read_checkpoint(input)?;
    let witness: WitnessKey = text(input, "witness").parse().unwrap();
    let time = witness.has_cosigned(signed.note()).map_err(|error| error.word())?;
    Ok(json!({ "time": time.ok_or("no_known_signature")? }))
}

fn add_checkpoint(input: &Value) -> Judgement {
    let request: AddCheckpoint = text(input, "request").parse().map_err(|error: MalformedRequest| error.word())?;
    assert_eq!(request.to_string(), text(input, "request"));
    let path: Vec<String> = request.path.iter().map(Hash::to_hex).collect();
    let checkpoint = request.checkpoint.unverified();
    Ok(json!({ "old": request.old, "path": path, "origin": checkpoint.origin, "size": checkpoint.size }))
}

fn policy(input: &Value) -> Judgement {
    let policy: Policy = text(input, "policy").parse().map_err(|error: MalformedPolicy| error.word())?;
    assert_eq!(policy.to_string().parse().as_ref(), Ok(&policy));
    let cosigned = policy.check(&read_checkpoint(input)?).map_err(|error| error.word())?;
    Ok(json!({ "cosigned": cosigned.into_iter().map(|one| one.name).collect::<Vec<_>>() }))
}
