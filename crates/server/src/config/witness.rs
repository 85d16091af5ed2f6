//! Which witnesses cosign the cell's checkpoints: a policy file, the same that customers verify with.

use std::fs::File;
use std::io::Read as _;

use bailiwick_proof::policy::{MAX_POLICY_BYTES, Policy};

use super::Parser;

const KEY: &str = "witness.policy_file";

impl Parser<'_> {
    /// The policy; `None` when there is none, or none that serves, which is a fault.
    pub(super) fn witness_policy(&mut self) -> Option<Policy> {
        let path = self.settings.text(KEY)?;
        let limit = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(limit).read_to_string(&mut text));
        let policy = match read.map_err(|error| error.to_string()) {
            Ok(_) => text.parse::<Policy>().map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        let without_url = |policy: &Policy| {
            let away = policy.witnesses().find(|witness| !witness.url.as_deref().is_some_and(is_url));
            away.map(|witness| format!("witness {} has no URL like https://witness.example", witness.name))
        };
        let fault = match policy {
            Ok(policy) => match without_url(&policy) {
                None => return Some(policy),
                Some(fault) => fault,
            },
            Err(fault) => fault,
        };
        self.fault("config.value", KEY, &format!("does not serve: {fault}"), "Correct the file");
        None
    }
}

/// What is sent is public and what comes back is signed, so plain http takes nothing away.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bailiwick_proof::cosignature::CosigningKey;

    use super::super::{Draft, Mode, Settings};

    fn parse(text: Option<&str>) -> (bool, Vec<String>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.unwrap_or_default().as_bytes()).unwrap();
        let path = text.map_or_else(|| "/nowhere".to_owned(), |_| file.path().display().to_string());
        let settings = Settings::defaults().flags([(super::KEY.to_owned(), path)]);
        let mut faults = Vec::new();
        let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
        (draft.witness_policy.is_some(), faults.into_iter().map(|fault| fault.what).collect())
    }

    #[test]
    fn a_policy_is_read_and_its_faults_name_the_line() {
        let key = CosigningKey::from_seed("witness.example", &[1; 32]).unwrap().witness().to_string();
        let with = |url: &str| format!("witness W {key} {url}\nquorum W\n");
        for url in ["https://witness.example", "http://127.0.0.1:8090/one"] {
            assert_eq!(parse(Some(&with(url))), (true, Vec::new()), "{url}");
        }
        assert_eq!(parse(Some("quorum none\n")), (true, Vec::new()));
        for (text, expected) in [
            (with(""), "witness W has no URL"),
            (with("ftp://witness.example"), "witness W has no URL"),
            (with("https://user@witness.example"), "witness W has no URL"),
            (format!("witness W {key} https://w.example\n"), "line 2 of the policy: a policy has exactly one quorum"),
            ("quorum W\n".to_owned(), "line 1 of the policy: \"W\" is no witness"),
        ] {
            let (parsed, faults) = parse(Some(&text));
            assert!(!parsed && faults.len() == 1 && faults[0].contains(expected), "{text}: {faults:?}");
        }
        let (parsed, faults) = parse(None);
        assert!(!parsed && faults[0].contains("No such file"), "{faults:?}");
    }
}
