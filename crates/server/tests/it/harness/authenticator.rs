//! An authenticator in software, with its browser: it makes credentials and signs with them as `WebAuthn` says (6.1, 6.5), and says
//! otherwise where a test has it lie. It was written from the specification, so that it agrees with the server for no other reason.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use bailiwick_server::entropy::Entropy;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED_CREDENTIAL: u8 = 1 << 6;

/// Holds one credential. A clone is a copy of the device.
#[derive(Clone)]
pub struct Authenticator {
    origin: String,
    key: std::sync::Arc<EcdsaKeyPair>,
    /// As it names its credential.
    pub id: Vec<u8>,
    /// How it knows its person.
    pub user_handle: Vec<u8>,
    /// Goes on with each signature, if it is one that counts.
    pub counter: u32,
    /// Whether it counts.
    pub counts: bool,
    /// Whether its credential may be on several devices.
    pub synced: bool,
}

/// What is said otherwise than it is.
#[derive(Clone, Default)]
pub struct Lie {
    pub origin: Option<&'static str>,
    pub rp_id: Option<&'static str>,
    pub kind: Option<&'static str>,
    pub challenge: Option<String>,
    pub cross_origin: bool,
    pub unverified: bool,
    pub not_discoverable: bool,
    pub user_handle: Option<Vec<u8>>,
    pub signed_by: Option<Authenticator>,
}

impl Authenticator {
    /// A new device, whose browser is at this origin.
    pub fn new(origin: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = Entropy::system().bytes::<32>().to_vec();
        let key = std::sync::Arc::new(key);
        Self { origin: origin.to_owned(), key, id, user_handle: Vec::new(), counter: 0, counts: false, synced: false }
    }

    /// Makes its credential, as `navigator.credentials.create` is asked to.
    pub fn make(&mut self, options: &Value, lie: &Lie) -> Value {
        let options = &options["publicKey"];
        self.user_handle = bytes(&options["user"]["id"]);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), ATTESTED_CREDENTIAL, lie);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        json!({
            "id": text(&self.id), "rawId": text(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": text(&self.client_data("webauthn.create", options, lie)),
                "attestationObject": text(&object),
                "transports": ["internal"],
            },
            "clientExtensionResults": {"credProps": {"rk": !lie.not_discoverable}},
        })
    }

    /// Signs, as `navigator.credentials.get` is asked to.
    pub fn show(&mut self, options: &Value, lie: &Lie) -> Value {
        let options = &options["publicKey"];
        self.counter += u32::from(self.counts);
        let data = self.data(options["rpId"].as_str().unwrap(), 0, lie);
        let client_data = self.client_data("webauthn.get", options, lie);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let signer = lie.signed_by.as_ref().unwrap_or(self);
        let signature = signer.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": text(&self.id), "rawId": text(&self.id), "type": "public-key",
            "response": {
                "clientDataJSON": text(&client_data),
                "authenticatorData": text(&data),
                "signature": text(signature.as_ref()),
                "userHandle": text(lie.user_handle.as_ref().unwrap_or(&self.user_handle)),
            },
            "clientExtensionResults": {},
        })
    }

    fn data(&self, rp_id: &str, more: u8, lie: &Lie) -> Vec<u8> {
        let mut flags = USER_PRESENT | more;
        flags |= if lie.unverified { 0 } else { USER_VERIFIED };
        flags |= if self.synced { BACKUP_ELIGIBLE | BACKED_UP } else { 0 };
        let mut data = digest(&SHA256, lie.rp_id.unwrap_or(rp_id).as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value, lie: &Lie) -> Vec<u8> {
        let said = json!({
            "type": lie.kind.unwrap_or(kind),
            "challenge": lie.challenge.as_deref().or(options["challenge"].as_str()),
            "origin": lie.origin.unwrap_or(&self.origin),
            "crossOrigin": lie.cross_origin,
        });
        said.to_string().into_bytes()
    }

    /// A COSE key (RFC 9053, 7.1): EC2, ES256, P-256, x, y.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", &point[1..33], b"\x22\x58\x20", &point[33..65]].concat()
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
