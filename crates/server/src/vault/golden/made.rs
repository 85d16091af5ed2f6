//! The cases, made out of fixed keys: each draw of randomness is the same byte over and over.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::*;
use crate::vault::anchored::Anchored;
use crate::vault::column::{ANCHORED, JOB_PAYLOAD, LEDGER_KEY, OPENING_ACTOR, OPENING_TARGET, SUBJECT_NAME};

const CELL: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_00ce);
const WORKSPACE: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_00aa);
const OTHER: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_00bb);
const CELLS_DEK: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
const DEK: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
/// Bytes of an envelope before its nonce, and before its ciphertext.
const HEADER: usize = 25;
const NONCE: usize = 12;

/// A file under construction.
struct File {
    about: &'static str,
    good: Vec<Value>,
    bad: Vec<Value>,
}

impl File {
    const fn about(about: &'static str) -> Self {
        Self { about, good: Vec::new(), bad: Vec::new() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the cases are made where they are told")]
    fn good(&mut self, name: &str, input: Value, expect: Value) {
        self.good.push(json!({ "name": name, "input": input, "expect": expect }));
    }

    #[expect(clippy::needless_pass_by_value, reason = "the cases are made where they are told")]
    fn bad(&mut self, name: &str, input: Value, reason: &str) {
        self.bad.push(json!({ "name": name, "input": input, "reason": reason, "detail": reason }));
    }

    fn done(self) -> Value {
        json!({ "about": self.about, "good": self.good, "bad": self.bad })
    }
}

/// The same input with members in another way; `null` takes one away.
fn with(input: &Value, changes: &[(&str, Value)]) -> Value {
    let mut input: Map<String, Value> = input.as_object().unwrap().clone();
    for (member, value) in changes {
        match value {
            Value::Null => input.remove(*member),
            value => input.insert((*member).to_owned(), value.clone()),
        };
    }
    Value::Object(input)
}

/// The hex with one byte changed.
fn flipped(sealed: &Value, at: usize) -> Value {
    let mut bytes = hex(sealed);
    bytes[at] ^= 1;
    json!(to_hex(&bytes))
}

/// The hex with one byte put in the place of another.
fn put(sealed: &Value, at: usize, byte: u8) -> Value {
    let mut bytes = hex(sealed);
    bytes[at] = byte;
    json!(to_hex(&bytes))
}

fn cut(sealed: &Value, length: usize) -> Value {
    json!(to_hex(&hex(sealed)[..length]))
}

/// Name and content of each file.
pub(super) async fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("envelope.json", envelopes()),
        ("wrapped.json", wraps().await),
        ("blind_index.json", blind_indexes()),
        ("row_mac.json", row_macs()),
    ]
}

/// An input without its envelope.
fn to_seal(owner: Uuid, label: &Column, row: &[&str]) -> Value {
    json!({
        "owner": owner, "dek": DEK, "data_keys": { "1": to_hex(&[7; 32]), "258": to_hex(&[8; 32]) },
        "label": label.label, "row": row,
    })
}

fn sealed(input: &Value, plaintext: &[u8]) -> Value {
    let id = row(&input["row"]);
    let place =
        Place { column: column(&input["label"]), row: id.as_bytes(), subject: input.get("subject").map(number) };
    with(input, &[("envelope", json!(to_hex(&keys(input).seal(&place, plaintext).unwrap())))])
}

fn envelopes() -> Value {
    let mut file = File::about(
        "Envelopes. `data_keys` are an owner's, by version; `row` is its primary key; with a `subject`, `state` is that of the owner's puncturable keys. What is found is the plaintext, the version of the data key, and the associated data.",
    );
    let state = json!(to_hex(&PuncturableKey::from_seed(&[9; 32]).encode()));
    let job = [&WORKSPACE.to_string(), "01900000-0000-7000-8000-00000000000b"];
    let entry = [&WORKSPACE.to_string(), "live", "1", "41"];
    let plain = to_seal(WORKSPACE, &JOB_PAYLOAD, &job);
    let of_subject = with(&to_seal(WORKSPACE, &OPENING_ACTOR, &entry), &[("subject", json!(3)), ("state", state)]);
    let older = with(&plain, &[("data_keys", json!({ "1": to_hex(&[7; 32]) }))]);
    let opened_later = with(&sealed(&older, b"before it was renewed"), &[("data_keys", plain["data_keys"].clone())]);
    let ledger_row = [&Uuid::nil().to_string(), "live", "kid-1"];
    for (name, input) in [
        ("some bytes", sealed(&plain, b"{\"to\":\"ada@example.com\"}")),
        ("no bytes", sealed(&plain, b"")),
        ("a kilobyte", sealed(&plain, &[0x5a; 1024])),
        ("by an older version", opened_later),
        ("the cell's", sealed(&to_seal(Uuid::nil(), &LEDGER_KEY, &ledger_row), &[1; 32])),
        ("a subject's", sealed(&of_subject, b"usr_01jdtp9xk8e6ts1zq2v3w4x5y6")),
        ("the last subject's", sealed(&with(&of_subject, &[("subject", json!(u32::MAX))]), b"the last")),
    ] {
        let expect = envelope(&input).unwrap();
        file.good(name, input, expect);
    }
    bad_envelopes(&mut file, &sealed(&plain, b"secret"), &sealed(&of_subject, b"secret"));
    file.done()
}

fn bad_envelopes(file: &mut File, plain: &Value, of_subject: &Value) {
    let whole = &plain["envelope"];
    let length = hex(whole).len();
    for (name, envelope) in [
        ("empty", cut(whole, 0)),
        ("a header alone", cut(whole, HEADER)),
        ("a cut nonce", cut(whole, HEADER + NONCE - 1)),
        ("a cut tag", cut(whole, HEADER + NONCE + 15)),
        ("another beginning", put(whole, 0, b'b')),
        ("version 0", put(whole, 2, 0)),
        ("version 2", put(whole, 2, 2)),
        ("suite 0", put(whole, 3, 0)),
        ("suite 2", put(whole, 3, 2)),
        ("a flag that is not known", put(whole, 24, 2)),
        ("all flags", put(whole, 24, 255)),
    ] {
        file.bad(name, with(plain, &[("envelope", envelope)]), "malformed");
    }
    for (name, envelope) in
        [("another line of data keys", flipped(whole, 4)), ("a version not there", flipped(whole, 23))]
    {
        file.bad(name, with(plain, &[("envelope", envelope)]), "unknown_key");
    }
    let mut longer = hex(whole);
    longer.push(0);
    for (name, changes) in [
        ("the nonce changed", ("envelope", flipped(whole, HEADER))),
        ("the ciphertext changed", ("envelope", flipped(whole, HEADER + NONCE))),
        ("the tag changed", ("envelope", flipped(whole, length - 1))),
        ("a byte too few", ("envelope", cut(whole, length - 1))),
        ("a byte too many", ("envelope", json!(to_hex(&longer)))),
        ("flagged for a subject", ("envelope", put(whole, 24, 1))),
        ("in another workspace", ("owner", json!(OTHER))),
        ("under another label", ("label", json!(SUBJECT_NAME.label))),
        ("in another row", ("row", json!([WORKSPACE, "01900000-0000-7000-8000-00000000000c"]))),
        ("in a row of more parts", ("row", json!([WORKSPACE, "01900000-0000-7000-8000-00000000000b", ""]))),
        ("said to be a subject's", ("subject", json!(3))),
        ("under another data key", ("data_keys", json!({ "258": to_hex(&[6; 32]) }))),
    ] {
        file.bad(name, with(plain, &[changes]), "does_not_open");
    }
    let other = json!(to_hex(&PuncturableKey::from_seed(&[10; 32]).encode()));
    for (name, change) in [
        ("another subject's", ("subject", json!(4))),
        ("nobody's", ("subject", Value::Null)),
        ("under another state", ("state", other)),
    ] {
        file.bad(name, with(of_subject, &[change]), "does_not_open");
    }
    let mut punctured = PuncturableKey::from_seed(&[9; 32]);
    punctured.puncture(3);
    file.bad(
        "of a subject who was erased",
        with(of_subject, &[("state", json!(to_hex(&punctured.encode())))]),
        "erased",
    );
}

/// A row of `vault_deks`.
async fn wrapped_row(kek: &Kek, about: &[u8], (dek, version): (Uuid, u32), key: &[u8]) -> Value {
    let Wrapped { kek, version: kek_version, bytes } = kek.wrap(about, key).await.unwrap();
    json!({ "dek": dek, "version": version, "kek": kek, "kek_version": kek_version, "wrapped": to_hex(&bytes) })
}

async fn wraps() -> Value {
    let mut file = File::about(
        "From a KEK in a file to data keys. `row` is one of `vault_deks`. The cell's own (`owner` nil) is unwrapped by the KEK; a workspace's also takes its `object` of the anchor store, which opens with the cell's own, of `cell_row`. What is found is the data key, and the state of the subjects' keys.",
    );
    let dir = tempfile::tempdir().unwrap();
    let (path, entropy) = (dir.path().join("kek.json"), Entropy::counted());
    let kek = Kek::Local(LocalFile::make(&path, &entropy, false).unwrap());
    let about = |owner, dek, version| kek::about(CELL, owner, dek, version);
    let of_cell = wrapped_row(&kek, &about(Uuid::nil(), CELLS_DEK, 1), (CELLS_DEK, 1), &[7; 32]).await;
    kek.rotate().await.unwrap();
    let cell =
        json!({ "kek_file": fs::read_to_string(&path).unwrap(), "cell": CELL, "owner": Uuid::nil(), "row": of_cell });
    let renewed = wrapped_row(&kek, &about(Uuid::nil(), CELLS_DEK, 2), (CELLS_DEK, 2), &[8; 32]).await;
    let (deks, anchored) = (vec![Dek::new(1, Zeroizing::new([7; 32]))], Anchored::make(&entropy));
    let cell_keys = Keys::new(Uuid::nil(), CELLS_DEK, deks, None, entropy.clone());
    let object = |owner| {
        let id = RowId::new().uuid(owner);
        let place = Place { column: &ANCHORED, row: id.as_bytes(), subject: None };
        json!(to_hex(&cell_keys.seal(&place, &anchored.encode()).unwrap()))
    };
    let bound = anchored.bind(&entropy, &about(WORKSPACE, DEK, 1), &[9; 32]).unwrap();
    let workspace = json!({
        "kek_file": cell["kek_file"], "cell": CELL, "cell_row": of_cell, "owner": WORKSPACE, "object": object(WORKSPACE),
        "row": wrapped_row(&kek, &about(WORKSPACE, DEK, 1), (DEK, 1), &bound).await,
    });
    for (name, input) in [
        ("the cell's", cell.clone()),
        ("the cell's next", with(&cell, &[("row", renewed)])),
        ("a workspace's", workspace.clone()),
    ] {
        let expect = wrapped(&input).await.unwrap();
        file.good(name, input, expect);
    }
    let unbound = wrapped_row(&kek, &about(WORKSPACE, DEK, 1), (DEK, 1), &[9; 32]).await;
    file.bad("not bound to the anchor store", with(&workspace, &[("row", unbound)]), "wrap_refused");
    bad_rows(&mut file, &cell, "wrap_refused");
    bad_rows(&mut file, &workspace, "wrap_refused");
    let stone = to_hex(br#"{"v":1,"shredded_at_ms":1763782979123}"#);
    file.bad("shredded", with(&workspace, &[("object", json!(stone))]), "shredded");
    file.bad("another's object", with(&workspace, &[("object", object(OTHER))]), "does_not_open");
    let changed = flipped(&workspace["object"], HEADER + NONCE + 1);
    file.bad("a changed object", with(&workspace, &[("object", changed)]), "does_not_open");
    file.bad("a cut object", with(&workspace, &[("object", cut(&workspace["object"], HEADER))]), "malformed");
    file.done()
}

fn bad_rows(file: &mut File, input: &Value, refused: &str) {
    let (whose, row) = (if uuid(&input["owner"]).is_nil() { "the cell's" } else { "a workspace's" }, &input["row"]);
    let last = hex(&row["wrapped"]).len() - 1;
    for (name, member, value) in [
        ("under another line of keys", "dek", json!(OTHER)),
        ("under another version", "version", json!(9)),
        ("said to be by the other version of the KEK", "kek_version", json!(3 - number(&row["kek_version"]))),
        ("with a changed nonce", "wrapped", flipped(&row["wrapped"], 0)),
        ("with a changed ciphertext", "wrapped", flipped(&row["wrapped"], NONCE)),
        ("with a changed tag", "wrapped", flipped(&row["wrapped"], last)),
        ("cut", "wrapped", cut(&row["wrapped"], last)),
        ("cut in the nonce", "wrapped", cut(&row["wrapped"], NONCE - 1)),
    ] {
        file.bad(&format!("{whose}, {name}"), with(input, &[("row", with(row, &[(member, value)]))]), refused);
    }
    file.bad(&format!("{whose}, in another cell"), with(input, &[("cell", json!(OTHER))]), refused);
    let missing = with(input, &[("row", with(row, &[("kek_version", json!(3))]))]);
    file.bad(&format!("{whose}, by a version that the file lacks"), missing, "kek_missing");
}

fn blind_indexes() -> Value {
    let mut file = File::about(
        "Blind indexes. `index` is that of `value` under one of `data_keys` (by version); what is found is the one under the newest, by which it will be stored.",
    );
    let data_keys = json!({ "1": to_hex(&[7; 32]), "2": to_hex(&[8; 32]) });
    let base = json!({ "data_keys": data_keys, "label": OPENING_ACTOR.label, "value": to_hex(b"usr_01jdtp9xk8e6ts1zq2v3w4x5y6") });
    let under = |input: &Value, at: usize| {
        let all = keys(input).blind_indexes(column(&input["label"]), &hex(&input["value"])).unwrap();
        json!(to_hex(&all[at]))
    };
    let empty = with(&base, &[("value", json!(""))]);
    for (name, input, at) in
        [("under the newest", &base, 0), ("under an older one", &base, 1), ("of nothing", &empty, 0)]
    {
        let input = with(input, &[("index", under(input, at))]);
        let expect = blind_index(&input).unwrap();
        file.good(name, input, expect);
    }
    let good = with(&base, &[("index", under(&base, 0))]);
    for (name, change) in [
        ("of another value", ("value", json!(to_hex(b"usr_01jdtp9xk8e6ts1zq2v3w4x5y7")))),
        ("of another label", ("label", json!(OPENING_TARGET.label))),
        ("of another workspace", ("data_keys", json!({ "1": to_hex(&[6; 32]) }))),
        ("changed", ("index", flipped(&good["index"], 31))),
        ("cut", ("index", cut(&good["index"], 31))),
    ] {
        file.bad(name, with(&good, &[change]), "not_found");
    }
    file.done()
}

fn row_macs() -> Value {
    let mut file = File::about(
        "MACs over rows. `data_keys` are the cell's, by version; `meaning` is what the row grants, part by part. What is found is whether the newest key vouches.",
    );
    let parts = json!([
        { "text": "admin" }, { "uuid": WORKSPACE }, { "bytes": "00ff" }, { "maybe": null }, { "maybe": "" },
        { "moment_us": 1_763_782_979_123_456_i64 }, { "moment_us": null }, { "moment_us": -1 }, { "list": ["keys:read", ""] }, { "list": [] },
    ]);
    let both = json!({ "1": to_hex(&[7; 32]), "2": to_hex(&[8; 32]) });
    let base = json!({ "data_keys": { "1": to_hex(&[7; 32]) }, "label": "row/v1", "meaning": parts });
    let signed = |input: &Value| {
        let keys = RowKeys::of(keys(input).mac_keys(input["label"].as_str().unwrap()).unwrap()).unwrap();
        with(input, &[("mac", json!(to_hex(&keys.sign(&meaning(&input["meaning"])))))])
    };
    let (old, new) = (signed(&base), signed(&with(&base, &[("data_keys", both.clone())])));
    for (name, input) in [
        ("by the newest", new.clone()),
        ("by an older one", with(&old, &[("data_keys", both)])),
        ("of nothing", signed(&with(&base, &[("meaning", json!([]))]))),
    ] {
        let expect = row_mac(&input).unwrap();
        file.good(name, input, expect);
    }
    for (name, change) in [
        ("another meaning", ("meaning", json!([{ "text": "owner" }]))),
        ("another label", ("label", json!("other/v1"))),
        ("another cell's key", ("data_keys", json!({ "1": to_hex(&[6; 32]) }))),
        ("changed", ("mac", flipped(&old["mac"], 35))),
        ("cut", ("mac", cut(&old["mac"], 35))),
        ("cut in the version", ("mac", cut(&old["mac"], 3))),
        ("empty", ("mac", json!(""))),
    ] {
        file.bad(name, with(&old, &[change]), "not_vouched");
    }
    for (name, one, other) in [
        (
            "parts that run together",
            json!([{ "text": "ab" }, { "text": "c" }]),
            json!([{ "text": "a" }, { "text": "bc" }]),
        ),
        ("missing, not empty", json!([{ "maybe": null }]), json!([{ "maybe": "" }])),
        ("a list, not its parts", json!([{ "list": ["a"] }]), json!([{ "text": "a" }])),
    ] {
        let signed = signed(&with(&base, &[("meaning", one)]));
        file.bad(name, with(&signed, &[("meaning", other)]), "not_vouched");
    }
    file.bad("by a version not there", with(&new, &[("data_keys", base["data_keys"].clone())]), "unknown_key");
    file.done()
}
