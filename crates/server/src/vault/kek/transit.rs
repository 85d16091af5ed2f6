//! A KEK in the transit engine of `HashiCorp` Vault or `OpenBao`: the key never leaves it.
//!
//! `POST /v1/<mount>/encrypt/<key>` and `…/decrypt/<key>`, with what is wrapped as associated data, which the key's type
//! must take: `aes256-gcm96`. The server's token needs `update` on both and `read` on `…/keys/<key>`; only whoever rotates
//! needs `update` on `…/keys/<key>/rotate`. The engine's own rewrap fails with associated data: we decrypt and encrypt.
//!
//! A service that did not answer is asked by one caller at a time until it does; the others are told so at once. Behind
//! a service that hangs, each would wait its whole patience, and hold what requests hold.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Wrapped;
use crate::config::Transit as Settings;
use crate::vault::error::VaultError;

/// A service that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(3);
/// It is asked again so long after.
const PAUSE: Duration = Duration::from_secs(1);
/// Its answers are a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The engine's key.
pub struct Transit {
    client: Client,
    settings: Settings,
    name: String,
    /// When it may be asked again, if it did not answer.
    silent_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for Transit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transit({})", self.name)
    }
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

#[derive(Deserialize)]
struct Described {
    latest_version: u32,
}

impl Transit {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`VaultError::KekUnavailable`] when no client can be made.
    pub fn new(settings: Settings) -> Result<Self, VaultError> {
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| VaultError::KekUnavailable(error.to_string()))?;
        let name = format!("transit/{}/{}", settings.mount, settings.key);
        Ok(Self { client, settings, name, silent_until: Mutex::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn newest(&self) -> Result<u32, VaultError> {
        let described: Described = self.ask(Method::GET, "keys", "", None).await?;
        Ok(described.latest_version)
    }

    pub(super) async fn rotate(&self) -> Result<u32, VaultError> {
        // Vault answers nothing, OpenBao the key.
        self.send(Method::POST, "keys", "/rotate", Some(&json!({}))).await?;
        self.newest().await
    }

    pub(super) async fn wrap(&self, about: &[u8], key: &[u8]) -> Result<(u32, Vec<u8>), VaultError> {
        let plaintext = Zeroizing::new(STANDARD.encode(key));
        let body = json!({"plaintext": plaintext.as_str(), "associated_data": STANDARD.encode(about)});
        let Encrypted { ciphertext } = self.ask(Method::POST, "encrypt", "", Some(&body)).await?;
        let version = version_of(&ciphertext).ok_or_else(|| unreadable("a ciphertext without a version"))?;
        Ok((version, ciphertext.into_bytes()))
    }

    pub(super) async fn unwrap(&self, about: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let ciphertext = std::str::from_utf8(&wrapped.bytes).map_err(|_| VaultError::WrapRefused)?;
        // The version is part of what is bound; the one beside it is for people, and must say the same.
        if version_of(ciphertext) != Some(wrapped.version) {
            return Err(VaultError::WrapRefused);
        }
        let body = json!({"ciphertext": ciphertext, "associated_data": STANDARD.encode(about)});
        let Decrypted { plaintext } = self.ask(Method::POST, "decrypt", "", Some(&body)).await?;
        let plaintext = Zeroizing::new(plaintext);
        STANDARD
            .decode(plaintext.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| unreadable("a plaintext that is no base64"))
    }

    /// Whether it did not answer when it was last asked.
    pub(super) fn is_silent(&self) -> bool {
        self.silent_until.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Lets one caller through in a while, as long as it is silent.
    fn admit(&self) -> Result<(), VaultError> {
        let mut silent_until = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if silent_until.is_some_and(|until| now < until) {
            return Err(VaultError::KekUnavailable("it has not answered lately".to_owned()));
        }
        if silent_until.is_some() {
            *silent_until = Some(now + PATIENCE + PAUSE);
        }
        Ok(())
    }

    fn learn(&self, answered: bool) {
        let until = (!answered).then(|| Instant::now() + PAUSE);
        *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        what: &str,
        suffix: &str,
        body: Option<&Value>,
    ) -> Result<T, VaultError> {
        #[derive(Deserialize)]
        struct Answer<T> {
            data: T,
        }
        let answer = self.send(method, what, suffix, body).await?;
        serde_json::from_slice::<Answer<T>>(&answer).map(|answer| answer.data).map_err(|_| unreadable("another answer"))
    }

    async fn send(
        &self,
        method: Method,
        what: &str,
        suffix: &str,
        body: Option<&Value>,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.admit()?;
        let answer = self.exchange(method, what, suffix, body).await;
        self.learn(!matches!(answer, Err(VaultError::KekUnavailable(_))));
        answer
    }

    async fn exchange(
        &self,
        method: Method,
        what: &str,
        suffix: &str,
        body: Option<&Value>,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let Settings { url, mount, key, token } = &self.settings;
        let url = format!("{}/v1/{mount}/{what}/{key}{suffix}", url);
        let mut request = self.client.request(method, url).header("X-Vault-Token", token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let unavailable = |error: reqwest::Error| VaultError::KekUnavailable(error.without_url().to_string());
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let mut answer = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            if answer.len() + chunk.len() > MAX_ANSWER {
                return Err(unreadable("too long an answer"));
            }
            answer.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(answer);
        }
        Err(refusal(status, what == "decrypt"))
    }
}

/// What an error means. The answer's own text stays out: it may quote what was sent.
fn refusal(status: StatusCode, decrypting: bool) -> VaultError {
    match status.as_u16() {
        // A ciphertext that does not fit is the one thing that a well-formed request for a decryption can be blamed for.
        400 if decrypting => VaultError::WrapRefused,
        400 | 401 | 403 | 404 => VaultError::KekRefused(status.to_string()),
        _ => VaultError::KekUnavailable(status.to_string()),
    }
}

fn unreadable(what: &str) -> VaultError {
    VaultError::KekUnavailable(format!("answered with {what}"))
}

/// `vault:v3:…`
fn version_of(ciphertext: &str) -> Option<u32> {
    let (version, _) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    version.parse().ok().filter(|version| *version >= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_ciphertext() {
        assert_eq!(version_of("vault:v12:AAAA"), Some(12));
        for text in ["vault:v0:AAAA", "vault:v:AAAA", "vault:v1", "v1:AAAA", ""] {
            assert_eq!(version_of(text), None, "{text}");
        }
    }
}
