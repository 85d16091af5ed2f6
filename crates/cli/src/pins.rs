//! Pins: the checkpoints that this user has seen of a log, and the key that the next one must be signed by.
//!
//! ```text
//! pins/<workspace id>/<environment>/pin.toml                       the key, and which checkpoint is the newest
//! pins/<workspace id>/<environment>/<generation>-<size>.checkpoint each one as it came; the size has 20 digits
//! pins/<workspace id>/<environment>/evidence/<hash>.<kind>         what did not fit
//! ```
//!
//! # Invariants
//! A checkpoint is written before `pin.toml` names it, and each file is replaced as a whole, so that a
//! crash leaves the old pin or the new one. No checkpoint is ever removed. A pin that was damaged, or
//! whose `pin.toml` is gone while checkpoints are there, is refused and never begun anew in silence.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bailiwick_proof::checkpoint::{CheckpointError, SignedCheckpoint};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::merkle;
use bailiwick_proof::note::VerifierKey;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::private_folder::PrivateFolder;
use crate::refusal::Refusal;

const PIN_FILE: &str = "pin.toml";
const ENDING: &str = ".checkpoint";

/// What this user believes of a log.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    /// The log and generation that the checkpoint is of.
    pub(crate) origin: Origin,
    /// The key that the next checkpoint must be signed by.
    pub(crate) key: VerifierKey,
    /// The newest checkpoint, verified with that key.
    pub(crate) checkpoint: SignedCheckpoint,
    /// The keys before that one.
    pub(crate) retired: Vec<VerifierKey>,
}

/// `pin.toml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    vkey: String,
    checkpoint: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<String>,
}

/// The pins of one log.
#[derive(Debug)]
pub(crate) struct Pins {
    folder: PrivateFolder,
    log: Log,
}

impl Pins {
    /// Finds the folder; it need not exist yet.
    ///
    /// # Errors
    /// When this user has no home directory.
    pub(crate) fn of(workspace: WorkspaceId, environment: Environment) -> Result<Self, Failure> {
        let pins = PrivateFolder::of_this_user()?.inner("pins");
        let folder = pins.inner(&workspace.to_string()).inner(environment.as_str());
        Ok(Self { folder, log: Log::Workspace { workspace, environment } })
    }

    /// Waits for another run that pins the same log.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn lock(&self) -> Result<File, Failure> {
        self.folder.lock("pin.lock").map_err(|err| self.refused("write", &err))
    }

    /// Reads the pin; `None` when this log was never pinned.
    ///
    /// # Errors
    /// When it cannot be read, others can reach it, or it is not as this module left it.
    pub(crate) fn load(&self) -> Result<Option<Pin>, Failure> {
        let Some(text) = self.folder.read(PIN_FILE)? else {
            return match self.folder.names(ENDING).map_err(|err| self.refused("read", &err))?.as_slice() {
                [] => Ok(None),
                [.., newest] => Err(self.damaged(format!("{PIN_FILE} is gone, and {newest} is still there"))),
            };
        };
        let file: PinFile = toml::from_str(&text).map_err(|err| self.damaged(err.message()))?;
        let plain = !file.checkpoint.contains(['/', '\\']) && file.checkpoint.ends_with(ENDING);
        let checkpoint = if plain { self.folder.read(&file.checkpoint)? } else { None };
        let checkpoint = checkpoint.ok_or_else(|| self.damaged(format!("there is no {}", file.checkpoint)))?;
        self.read(&file, &checkpoint).map(Some)
    }

    fn read(&self, file: &PinFile, text: &str) -> Result<Pin, Failure> {
        let of_key = |text: &String| text.parse::<VerifierKey>().map_err(|err| self.damaged(err.to_string()));
        let of_checkpoint = |err: CheckpointError| self.damaged(format!("{}: {err}", file.checkpoint));
        let key = of_key(&file.vkey)?;
        let checkpoint: SignedCheckpoint = text.parse().map_err(of_checkpoint)?;
        let verified = checkpoint.verify(std::slice::from_ref(&key)).map_err(of_checkpoint)?;
        let origin = self.own(&verified.origin).map_err(|how| self.damaged(how))?;
        let retired = file.retired.iter().map(of_key).collect::<Result<_, _>>()?;
        Ok(Pin { origin, key, checkpoint, retired })
    }

    /// The origin, if it is this log's.
    fn own(&self, origin: &str) -> Result<Origin, String> {
        let own = origin.parse::<Origin>().ok().filter(|origin| origin.log() == self.log);
        own.ok_or_else(|| format!("{origin} is another log"))
    }

    /// Writes the pin in the place of the former; answers where its checkpoint is.
    ///
    /// # Errors
    /// When the disk does not take it; the former pin stays then.
    pub(crate) fn store(&self, pin: &Pin) -> Result<PathBuf, Failure> {
        let name = format!("{}-{:020}{ENDING}", pin.origin.generation(), pin.checkpoint.unverified().size);
        let file = PinFile {
            vkey: pin.key.to_string(),
            checkpoint: name.clone(),
            retired: pin.retired.iter().map(ToString::to_string).collect(),
        };
        let text = toml::to_string(&file).map_err(|err| Failure::local("could not write the pin as TOML", &err))?;
        let written = self.folder.replace(&name, &pin.checkpoint.to_string());
        written.and_then(|()| self.folder.replace(PIN_FILE, &text)).map_err(|err| self.refused("write", &err))?;
        Ok(self.folder.file(&name))
    }

    /// Keeps what did not fit, once: the same evidence has the same name.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn keep_evidence(&self, text: &str, kind: &str) -> Result<PathBuf, Failure> {
        let evidence = self.folder.inner("evidence");
        let hash = merkle::leaf_hash(text.as_bytes()).to_hex();
        let name = format!("{}.{kind}", hash.get(..16).unwrap_or(&hash));
        evidence.replace(&name, text).map_err(|err| self.refused("write", &err))?;
        Ok(evidence.file(&name))
    }

    fn refused(&self, verb: &str, err: &io::Error) -> Failure {
        Failure::local(format!("could not {verb} the pins in {}", self.folder.file("").display()), err)
    }

    fn damaged(&self, how: impl Into<String>) -> Failure {
        let folder = self.folder.file("");
        let refusal =
            Refusal::new("pin_damaged", format!("the pin in {} was damaged: {}", folder.display(), how.into()));
        Failure::from(refusal)
            .hint("put it back from a backup; only if you give up what it proves, move the folder away and pin anew")
    }
}
