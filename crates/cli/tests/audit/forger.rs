//! A log in the hands of somebody who has its key and says what they like, and a socket that says it.
//!
//! A real server cannot be made to sign two histories; whoever owns its machine can.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::commitment::{Commitments, Field, Opening};
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{self, Hash, Node};
use bailiwick_proof::note::SigningKey;
use bailiwick_proof::receipt::Receipt;
use bailiwick_proof::tile::{self, Kind, Tile};
use serde_json::{Value, json};

/// The workspace of all logs here.
pub const WORKSPACE: &str = "ws_01jdtp9xk8e6ts1zq2v3w4x5y6";
/// The event that every receipt's meta names.
pub const EVENT: &str = "evt_01jdtp9xk8e6ts1zq2v3w4x5z2";

/// A log whose keeper can change what it holds.
pub struct Forger {
    /// The origin, and so the name of every key.
    pub origin: String,
    entries: Vec<Vec<u8>>,
}

impl Forger {
    /// A log of the live environment with so many entries.
    pub fn new(generation: u32, size: u64) -> Self {
        let mut log = Self { origin: format!("log.example/w/{WORKSPACE}/live/{generation}"), entries: Vec::new() };
        (0..size).for_each(|seq| log.append(generation, seq, 0));
        log
    }

    /// The same log up to `seq`, and other entries from there on.
    pub fn rewritten_from(&self, seq: u64, size: u64) -> Self {
        let kept = usize::try_from(seq).unwrap();
        let mut log = Self { origin: self.origin.clone(), entries: self.entries[..kept].to_vec() };
        (seq..size).for_each(|seq| log.append(1, seq, 1));
        log
    }

    /// The same log, some entries later.
    pub fn grown_to(&self, size: u64) -> Self {
        let mut log = Self { origin: self.origin.clone(), entries: self.entries.clone() };
        (log.size()..size).for_each(|seq| log.append(1, seq, 0));
        log
    }

    fn append(&mut self, generation: u32, seq: u64, ts: u64) {
        let prev = self.entries.last().map_or(Hash::ZERO, |entry| merkle::leaf_hash(entry));
        let of = |field| opening(seq, field).commitment(field);
        let entry = Entry {
            log: Log::Workspace { workspace: WORKSPACE.parse().unwrap(), environment: Environment::Live },
            generation,
            seq,
            prev,
            recorded_at_ms: 1_763_782_979_123 + ts,
            action: "api_key.created".parse().unwrap(),
            trace: "c44474038d459e40e4714afefa7bf8da".parse().unwrap(),
            commitments: Commitments {
                actor: of(Field::Actor),
                ip: of(Field::Ip),
                meta: of(Field::Meta),
                target: of(Field::Target),
            },
        };
        self.entries.push(entry.to_bytes());
    }

    fn size(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    fn node(&self, node: Node) -> Result<Hash, ()> {
        let from = usize::try_from(node.index << node.level).unwrap();
        let leaves: Vec<Hash> =
            self.entries[from..from + (1 << node.level)].iter().map(|e| merkle::leaf_hash(e)).collect();
        Ok(merkle::root(&leaves))
    }

    /// The checkpoint over the first `size` entries, signed by these keys.
    pub fn checkpoint_of(&self, size: u64, keys: &[&SigningKey]) -> SignedCheckpoint {
        let root = merkle::root_from(size, |node| self.node(node)).unwrap();
        let checkpoint = Checkpoint { origin: self.origin.clone(), size, root, extensions: Vec::new() };
        SignedCheckpoint::sign(checkpoint, keys).unwrap()
    }

    /// The checkpoint over all entries.
    pub fn checkpoint(&self, keys: &[&SigningKey]) -> SignedCheckpoint {
        self.checkpoint_of(self.size(), keys)
    }

    /// What the server says when it is asked whether all entries extend the first `old`.
    pub fn pair(&self, old: u64, keys: &[&SigningKey]) -> Pair {
        let path = merkle::consistency_proof(old, self.size(), |node| self.node(node)).unwrap().unwrap();
        Pair { path, older: self.checkpoint_of(old, keys), newer: self.checkpoint(keys) }
    }

    /// A copy of it in a folder, as it goes out to a bucket; a log of less than a tile.
    pub fn copy_to(&self, folder: &Path, keys: &[&SigningKey]) {
        let leaves: Vec<u8> =
            self.entries.iter().flat_map(|entry| merkle::leaf_hash(entry).as_bytes().to_vec()).collect();
        let bundle = tile::bundle(self.entries.iter().map(Vec::as_slice)).unwrap();
        let vkeys: Vec<Value> = keys.iter().map(|key| json!({"vkey": key.verifier().to_string()})).collect();
        let of = |kind| Tile { kind, index: 0, width: self.size() }.to_string();
        for (name, bytes) in [
            ("checkpoint".to_owned(), self.checkpoint(keys).to_string().into_bytes()),
            ("keys.json".to_owned(), json!({"keys": vkeys}).to_string().into_bytes()),
            (of(Kind::Hashes(0)), leaves),
            (of(Kind::Entries), bundle),
        ] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// The receipt of an entry, with these fields open.
    pub fn receipt(&self, seq: u64, open: &[Field], keys: &[&SigningKey]) -> Receipt {
        Receipt {
            entry: String::from_utf8(self.entries[usize::try_from(seq).unwrap()].clone()).unwrap(),
            openings: open.iter().map(|field| (*field, opening(seq, *field))).collect(),
            index: seq,
            path: merkle::inclusion_proof(seq, self.size(), |node| self.node(node)).unwrap().unwrap(),
            checkpoint: self.checkpoint(keys),
        }
    }
}

fn opening(seq: u64, field: Field) -> Opening {
    let value = match field {
        Field::Actor => "usr_01jdtp9xk8e6ts1zq2v3w4x5y7".to_owned(),
        Field::Meta => json!({ "by": "system", "data": {}, "event": EVENT, "request": "req_1" }).to_string(),
        Field::Ip | Field::Target => String::new(),
    };
    Opening { r: [u8::try_from(seq).unwrap(); 32], value }
}

/// Key number `n` of a log.
pub fn key(origin: &str, n: u8) -> SigningKey {
    SigningKey::from_seed(origin, &[n; 32]).unwrap()
}

type Answers = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

/// A socket that answers what it was told to, and 404 to everything else.
pub struct Socket {
    /// Its address.
    pub url: String,
    answers: Answers,
}

impl Socket {
    /// Answers who the key is, and nothing else yet.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers::default();
        let socket = Self { url, answers: Arc::clone(&answers) };
        std::thread::spawn(move || serve(&listener, &answers));
        let key = json!({ "id": "key_1", "workspace_id": WORKSPACE, "environment": "live" });
        socket.answer("/v1/key", 200, &key);
        socket
    }

    fn answer(&self, path: &str, status: u16, body: &impl ToString) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_string()));
    }

    /// Answers a path of the log.
    pub fn log(&self, path: &str, body: &impl ToString) {
        self.answer(&format!("/v1/workspaces/{WORKSPACE}/audit/{path}"), 200, body);
    }

    /// Refuses a path of the log with this problem.
    pub fn refuse(&self, path: &str, problem: &Value) {
        let status = u16::try_from(problem["status"].as_u64().unwrap()).unwrap();
        self.answer(&format!("/v1/workspaces/{WORKSPACE}/audit/{path}"), status, problem);
    }

    /// Hands out these keys as the log's, newest first.
    pub fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| json!({ "vkey": key.verifier().to_string() })).collect();
        self.answer(&format!("/w/{WORKSPACE}/.well-known/jwks.json"), 200, &json!({ "keys": keys }));
    }
}

fn serve(listener: &TcpListener, answers: &Answers) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while reader.read_line(&mut head).unwrap() > 2 {}
        let path = head.split(' ').nth(1).unwrap();
        let not_found = (404, r#"{"title":"Not found","status":404,"code":"not_found"}"#.to_owned());
        let (status, body) = answers.lock().unwrap().get(path).cloned().unwrap_or(not_found);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        // A client that has seen enough hangs up.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }
}
