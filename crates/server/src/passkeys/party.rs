//! The relying party: what it asks authenticators for, and whether what comes back is an answer to that (`WebAuthn` Level 3, 7.1 and
//! 7.2).
//!
//! `webauthn-rs` reads and verifies; what it leaves open is closed here. It registers by a challenge that discourages a
//! discoverable credential, where we demand one. It takes an origin as an URL, where ours has to stand there by the letter. It
//! looks at `crossOrigin` when a credential is made and not when one is used. And it refuses a counter that went back, or an
//! eligibility for backups that changed, without saying that the signature was good: both are left to [`super::ops`], which
//! compares them under the lock of the row.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use webauthn_rs::prelude::{
    Credential, DiscoverableAuthentication, DiscoverableKey, Passkey as Registered, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::config::PublicUrl;

/// How the party is called where a device asks its person.
const NAME: &str = "Bailiwick";
/// Of authenticator data, the byte of flags, behind the hash of the party's id.
const FLAGS: usize = 32;
/// The flag of a credential that may be on several devices.
const BACKUP_ELIGIBLE: u8 = 0b1000;

/// We, as authenticators know us: by the public URL's host, and its origin by the letter.
#[derive(Clone)]
pub struct RelyingParty(Option<Arc<Party>>);

struct Party {
    webauthn: Webauthn,
    origin: String,
}

/// Somebody who is to make a passkey.
pub(super) struct Newcomer<'a> {
    /// By which their authenticators know them.
    pub(super) user_handle: Uuid,
    /// What their device calls them.
    pub(super) email: &'a str,
    /// The credentials that they have: no authenticator makes a second one for the same person.
    pub(super) own: Vec<Vec<u8>>,
}

/// A credential that was made as it was asked for.
pub(super) struct Made {
    /// As the authenticator names it.
    pub(super) credential_id: Vec<u8>,
    /// To be sealed: the public key and what was said of it.
    pub(super) credential: Vec<u8>,
    pub(super) counter: u32,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
}

/// What an authenticator said when it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) counter: u32,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
}

/// What came back is no answer to what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It was made for somebody else: another origin, from within another's page, of another kind.
    #[error("not made here")]
    Elsewhere,
    /// It is not discoverable.
    #[error("not discoverable")]
    NotDiscoverable,
    /// It does not verify.
    #[error(transparent)]
    Wrong(#[from] WebauthnError),
    /// What we have stored cannot be read, which is a fault of ours.
    #[error(transparent)]
    Stored(#[from] serde_json::Error),
}

/// What the browser says of where it was asked (5.8.1). It goes on growing, so unknown members are passed over.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

impl RelyingParty {
    /// Of the server at this URL. Where its host is an address there is none: no authenticator knows a party by an address.
    #[must_use]
    pub fn of(url: &PublicUrl) -> Self {
        let party = url.domain().and_then(|id| {
            let origin = Url::parse(url.origin()).ok()?;
            let webauthn = WebauthnBuilder::new(id, &origin).ok()?.rp_name(NAME).build().ok()?;
            Some(Arc::new(Party { webauthn, origin: url.origin().to_owned() }))
        });
        Self(party)
    }

    /// Whether there can be passkeys at all.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.0.is_some()
    }

    fn party(&self) -> Result<&Party, WebauthnError> {
        self.0.as_deref().ok_or(WebauthnError::Configuration)
    }

    /// What `navigator.credentials.create` takes, and what the answer is held against.
    pub(super) fn ask_to_make(&self, newcomer: Newcomer<'_>) -> Result<(Value, PasskeyRegistration), NoAnswer> {
        let Newcomer { user_handle, email, own } = newcomer;
        let (options, asked) =
            self.party()?.webauthn.start_passkey_registration(user_handle, email, email, Some(own))?;
        let mut options = serde_json::to_value(options)?;
        let selection = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut);
        if let Some(selection) = selection {
            selection.insert("residentKey".to_owned(), json!("required"));
            selection.insert("requireResidentKey".to_owned(), json!(true));
        }
        Ok((options, asked))
    }

    /// What `navigator.credentials.get` takes, and what the answer is held against. Any credential that knows us, or these alone.
    pub(super) fn ask_to_show(
        &self,
        these: Option<Vec<Vec<u8>>>,
    ) -> Result<(Value, DiscoverableAuthentication), NoAnswer> {
        let (mut options, asked) = self.party()?.webauthn.start_discoverable_authentication()?;
        // Whether the person is asked in a field or by a button is for the page to say.
        options.mediation = None;
        let mut options = serde_json::to_value(options)?;
        if let (Some(these), Some(asked)) = (these, options.pointer_mut("/publicKey/allowCredentials")) {
            let named = these.iter().map(|id| json!({"type": "public-key", "id": base64_url(id)}));
            *asked = Value::Array(named.collect());
        }
        Ok((options, asked))
    }

    /// Looks at a credential that was made.
    pub(super) fn look_at_made(
        &self,
        asked: &PasskeyRegistration,
        answer: &RegisterPublicKeyCredential,
    ) -> Result<Made, NoAnswer> {
        let party = self.party()?;
        party.is_ours(&answer.response.client_data_json, "webauthn.create")?;
        if answer.extensions.cred_props.as_ref().is_some_and(|properties| properties.rk == Some(false)) {
            return Err(NoAnswer::NotDiscoverable);
        }
        let registered = party.webauthn.finish_passkey_registration(answer, asked)?;
        let stored = serde_json::to_vec(&registered)?;
        let credential = Credential::from(registered);
        Ok(Made {
            credential_id: credential.cred_id,
            credential: stored,
            counter: credential.counter,
            backup_eligible: credential.backup_eligible,
            backed_up: credential.backup_state,
        })
    }

    /// Looks at what a credential has signed, by what is stored of it. What it says of itself is signed, and to be compared.
    pub(super) fn look_at_shown(
        &self,
        asked: DiscoverableAuthentication,
        answer: &PublicKeyCredential,
        stored: &[u8],
    ) -> Result<Shown, NoAnswer> {
        let party = self.party()?;
        party.is_ours(&answer.response.client_data_json, "webauthn.get")?;
        let flags = answer.response.authenticator_data.get(FLAGS).copied().unwrap_or_default();
        let mut credential = Credential::from(serde_json::from_slice::<Registered>(stored)?);
        credential.counter = 0;
        credential.backup_eligible = flags & BACKUP_ELIGIBLE != 0;
        let credential = DiscoverableKey::from(Registered::from(credential));
        let shown = party.webauthn.finish_discoverable_authentication_v2(answer, asked, credential)?;
        if !shown.user_verified() {
            return Err(WebauthnError::UserNotVerified.into());
        }
        Ok(Shown {
            counter: shown.counter(),
            backup_eligible: shown.backup_eligible(),
            backed_up: shown.backup_state(),
        })
    }
}

impl Party {
    /// Whether the browser says that it was asked by a page of ours, for this.
    fn is_ours(&self, client_data: &[u8], kind: &str) -> Result<(), NoAnswer> {
        let said: ClientData = serde_json::from_slice(client_data).map_err(|_| NoAnswer::Elsewhere)?;
        let ours = said.kind == kind && said.origin == self.origin && !said.cross_origin && said.top_origin.is_none();
        if ours { Ok(()) } else { Err(NoAnswer::Elsewhere) }
    }
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(url: &str) -> RelyingParty {
        RelyingParty::of(&PublicUrl::parse(url).unwrap())
    }

    #[test]
    fn an_address_is_no_party() {
        for (url, known) in [
            ("https://bailiwick.example", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", false),
            ("https://[::1]", false),
        ] {
            assert_eq!(party(url).is_known(), known, "{url}");
        }
    }

    #[test]
    fn what_is_asked_for_is_discoverable_and_verified() {
        let party = party("https://bailiwick.example");
        let newcomer = Newcomer { user_handle: Uuid::from_u128(7), email: "ada@example.com", own: vec![vec![1; 16]] };
        let (options, _) = party.ask_to_make(newcomer).unwrap();
        let options = &options["publicKey"];
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(options["authenticatorSelection"]["requireResidentKey"], true);
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert_eq!((&options["rp"]["id"], &options["attestation"]), (&json!("bailiwick.example"), &json!("none")));
        assert_eq!(options["excludeCredentials"].as_array().unwrap().len(), 1);
        let (options, _) = party.ask_to_show(None).unwrap();
        assert_eq!(options["publicKey"]["userVerification"], "required");
        assert_eq!((&options["publicKey"]["allowCredentials"], options.get("mediation")), (&json!([]), None));
        let (options, _) = party.ask_to_show(Some(vec![vec![1, 2, 3]])).unwrap();
        assert_eq!(options["publicKey"]["allowCredentials"], json!([{"type": "public-key", "id": "AQID"}]));
    }

    #[test]
    fn the_origin_is_ours_by_the_letter() {
        let party = party("https://bailiwick.example");
        let party = party.party().unwrap();
        let check = |text: &str, ours: bool| {
            assert_eq!(party.is_ours(text.as_bytes(), "webauthn.get").is_ok(), ours, "{text}");
        };
        check(
            r#"{"type":"webauthn.get","challenge":"x","origin":"https://bailiwick.example","crossOrigin":false}"#,
            true,
        );
        check(
            r#"{"type":"webauthn.get","challenge":"x","origin":"https://bailiwick.example","new":{"member":1}}"#,
            true,
        );
        for said in [
            r#"{"type":"webauthn.create","origin":"https://bailiwick.example"}"#,
            r#"{"type":"webauthn.get","origin":"https://bailiwick.example/"}"#,
            r#"{"type":"webauthn.get","origin":"https://bailiwick.example:443"}"#,
            r#"{"type":"webauthn.get","origin":"HTTPS://bailiwick.example"}"#,
            r#"{"type":"webauthn.get","origin":"https://a.bailiwick.example"}"#,
            r#"{"type":"webauthn.get","origin":"http://bailiwick.example"}"#,
            r#"{"type":"webauthn.get","origin":"https://bailiwick.example","crossOrigin":true}"#,
            r#"{"type":"webauthn.get","origin":"https://bailiwick.example","topOrigin":"https://evil.example"}"#,
            r#"{"type":"webauthn.get","origin":"https://evil.example","origin":"https://bailiwick.example"}"#,
            r#"{"type":"webauthn.get"}"#,
            "",
        ] {
            check(said, false);
        }
    }
}
