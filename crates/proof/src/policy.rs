//! Which witnesses must have cosigned (C2SP tlog-policy): a file that is written by hand.
//!
//! ```text
//! # a comment
//! log <vkey of type 1> [<url>]                       none or more; those of which one must have signed
//! witness <name> <vkey of type 4> [<url>]
//! group <name> <number, or any, or all> <name> …     of witnesses and groups that stand above it
//! quorum <name, or none>                             exactly one
//! ```
//!
//! Words are parted by spaces and tabs. A name is a member of one group at most, so that nobody counts twice, and one public
//! key stands for one witness.
//!
//! # Invariants
//! Pure; at most [`MAX_POLICY_BYTES`] of UTF-8, and of each kind of line at most [`MAX_OF_A_KIND`]. The last line must have its end:
//! a file that was cut could ask for less. What [`Policy`] prints, it reads as the same policy.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::cosignature::WitnessKey;
use crate::note::{NoteError, SignedNote, VerifierKey};

pub use parse::{MalformedPolicy, PolicyFault};

/// The longest policy.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;
/// So many logs, witnesses and groups each; the specification wants at least 32.
pub const MAX_OF_A_KIND: usize = 64;

/// Which logs and witnesses one trusts, and how many of these must have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    /// Witnesses and groups in the order of the file, which members name by their place.
    voices: Vec<Voice>,
    /// The place of what must have cosigned; nobody, if `None`.
    quorum: Option<usize>,
}

/// A log of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key, whose name is its origin.
    pub key: VerifierKey,
    /// Where it is, as whoever wrote the policy says.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub key: WitnessKey,
    /// What `/add-checkpoint` is appended to.
    pub url: Option<String>,
}

/// What can have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Voice {
    Witness(PolicyWitness),
    Group { name: String, least: usize, members: Vec<usize> },
}

impl Voice {
    fn name(&self) -> &str {
        match self {
            Self::Witness(PolicyWitness { name, .. }) | Self::Group { name, .. } => name,
        }
    }
}

/// A cosignature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// What the policy calls the witness.
    pub name: String,
    /// When, in seconds since 1970, by the witness's own clock.
    pub time: u64,
}

/// Why a policy is not satisfied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// None of the policy's logs has signed, or one of their signatures is bad.
    #[error("the checkpoint is not one that the policy's logs signed: {0}")]
    Log(CheckpointError),
    /// A line in the name of one of the policy's witnesses is bad.
    #[error("a cosignature is refused: {0}")]
    Cosignature(NoteError),
    /// Too few have cosigned.
    #[error("the quorum {quorum} is not met: cosigned by {}", list(.cosigned))]
    QuorumNotMet {
        /// The quorum's name.
        quorum: String,
        /// Who has, as the policy calls them.
        cosigned: Vec<String>,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none of the policy's witnesses".to_owned() } else { format!("{} alone", names.join(", ")) }
}

impl PolicyError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Log(error) => error.word(),
            Self::Cosignature(error) => error.word(),
            Self::QuorumNotMet { .. } => "quorum_not_met",
        }
    }
}

impl Policy {
    /// The logs, in the order of the file.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    pub fn witnesses(&self) -> impl Iterator<Item = &PolicyWitness> {
        self.voices.iter().filter_map(|voice| match voice {
            Voice::Witness(witness) => Some(witness),
            Voice::Group { .. } => None,
        })
    }

    /// What the file calls the quorum.
    #[must_use]
    pub fn quorum(&self) -> &str {
        self.quorum.and_then(|at| self.voices.get(at)).map_or("none", Voice::name)
    }

    /// Checks that one of the policy's logs signed, if it names any, and that the quorum has cosigned; answers who has.
    ///
    /// # Errors
    /// [`PolicyError`], the first that applies in the order of its variants.
    pub fn check(&self, checkpoint: &SignedCheckpoint) -> Result<Vec<Cosigned>, PolicyError> {
        if !self.logs.is_empty() {
            let known: Vec<VerifierKey> = self.logs.iter().map(|log| log.key.clone()).collect();
            checkpoint.verify(&known).map_err(PolicyError::Log)?;
        }
        let cosigned = self.cosigned(checkpoint.note()).map_err(PolicyError::Cosignature)?;
        if self.is_met(|name| cosigned.iter().any(|one| one.name == name)) {
            return Ok(cosigned);
        }
        let cosigned = cosigned.into_iter().map(|one| one.name).collect();
        Err(PolicyError::QuorumNotMet { quorum: self.quorum().to_owned(), cosigned })
    }

    /// The cosignatures of the policy's witnesses, in the order of the file.
    ///
    /// # Errors
    /// As [`WitnessKey::has_cosigned`].
    pub fn cosigned(&self, note: &SignedNote) -> Result<Vec<Cosigned>, NoteError> {
        let mut cosigned = Vec::new();
        for witness in self.witnesses() {
            if let Some(time) = witness.key.has_cosigned(note)? {
                cosigned.push(Cosigned { name: witness.name.clone(), time });
            }
        }
        Ok(cosigned)
    }

    /// Whether the quorum is met by the witnesses of these names, as the policy calls them.
    pub fn is_met(&self, has_cosigned: impl Fn(&str) -> bool) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut met: Vec<bool> = Vec::with_capacity(self.voices.len());
        for voice in &self.voices {
            // A group stands below its members, so theirs are known.
            met.push(match voice {
                Voice::Witness(witness) => has_cosigned(&witness.name),
                Voice::Group { least, members, .. } => {
                    members.iter().filter(|at| met.get(**at) == Some(&true)).count() >= *least
                }
            });
        }
        met.get(quorum) == Some(&true)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for voice in &self.voices {
            match voice {
                Voice::Witness(PolicyWitness { name, key, url: at }) => writeln!(f, "witness {name} {key}{}", url(at))?,
                Voice::Group { name, least, members } => {
                    let names: Vec<&str> =
                        members.iter().filter_map(|at| self.voices.get(*at)).map(Voice::name).collect();
                    writeln!(f, "group {name} {least} {}", names.join(" "))?;
                }
            }
        }
        writeln!(f, "quorum {}", self.quorum())
    }
}
