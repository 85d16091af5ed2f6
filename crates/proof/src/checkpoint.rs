//! Checkpoints (C2SP tlog-checkpoint): the size and root of a log, signed.
//!
//! ```text
//! <origin>
//! <size>
//! <base64 of the root>
//! <extension lines, not empty>                  (none or more; we write none)
//!                                               (empty line)
//! — <key name> <base64(key id || signature)>    (one or more, see `note`)
//! ```
//!
//! The name of a log's key is its origin. While a key is replaced, a checkpoint has two signature lines, the new key's
//! first.
//!
//! # Invariants
//! What stands in a [`SignedCheckpoint`] means nothing until [`SignedCheckpoint::verify`] has passed, which
//! demands a signature by a key of the origin's own name.

use std::fmt;
use std::str::FromStr;

use crate::decimal;
use crate::log::Origin;
use crate::merkle::Hash;
use crate::note::{NoteError, Signature, SignedNote, SigningKey, VerifierKey};

/// The text of a checkpoint, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, as its first line names it. [`Origin`] reads those of our own logs.
    pub origin: String,
    /// Entries of the log; below 2^53.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Lines that are signed along and mean nothing here.
    pub extensions: Vec<String>,
}

/// Why a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Fewer than three lines, an empty one, or a last one without its end.
    #[error("not a checkpoint: expected lines with the log's origin, its size and its root")]
    Shape,
    /// The second line is no number.
    #[error("the checkpoint's size is not a decimal number below 2^53")]
    Size,
    /// The third line is no hash.
    #[error("the checkpoint's root is not the base64 of 32 bytes")]
    Root,
    /// The note around it is malformed, or its signatures are refused.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed by a key that is known, but is not this log's.
    #[error("signed by the key of another log: the checkpoint is that of {origin}, the key that of {key}")]
    OtherLogsKey {
        /// The checkpoint's first line.
        origin: String,
        /// The name of a known key that signed.
        key: String,
    },
}

impl CheckpointError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Shape => "checkpoint_shape",
            Self::Size => "checkpoint_size",
            Self::Root => "checkpoint_root",
            Self::Note(error) => error.word(),
            Self::OtherLogsKey { .. } => "other_logs_key",
        }
    }
}

impl Checkpoint {
    /// The checkpoint of a log without extension lines.
    #[must_use]
    pub fn new(origin: &Origin, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_string(), size, root, extensions: Vec::new() }
    }

    /// The lines that are signed, each with its end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads [`Self::text`].
    ///
    /// # Errors
    /// [`CheckpointError::Shape`], [`CheckpointError::Size`] or [`CheckpointError::Root`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Shape)?.split('\n');
        if lines.clone().any(str::is_empty) {
            return Err(CheckpointError::Shape);
        }
        let mut next = || lines.next().ok_or(CheckpointError::Shape);
        let (origin, size, root) = (next()?, next()?, next()?);
        Ok(Self {
            origin: origin.to_owned(),
            size: decimal::parse(size).filter(|size| *size < decimal::BOUND).ok_or(CheckpointError::Size)?,
            root: Hash::from_base64(root).map_err(|_| CheckpointError::Root)?,
            extensions: lines.map(str::to_owned).collect(),
        })
    }
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl SignedCheckpoint {
    /// Signs with each of the keys, in this order: the newest first.
    ///
    /// # Errors
    /// [`CheckpointError`] for a checkpoint that could not be read again, for a key of another name than the origin, and for
    /// no keys.
    pub fn sign(checkpoint: Checkpoint, keys: &[&SigningKey]) -> Result<Self, CheckpointError> {
        if let Some(key) = keys.iter().find(|key| key.verifier().name() != checkpoint.origin) {
            let key = key.verifier().name().to_owned();
            return Err(CheckpointError::OtherLogsKey { origin: checkpoint.origin, key });
        }
        let text = checkpoint.text();
        if Checkpoint::parse(&text)? != checkpoint {
            return Err(CheckpointError::Shape);
        }
        let note = SignedNote::sign(&text, keys)?;
        Ok(Self { checkpoint, note })
    }

    /// With further signature lines, such as those of witnesses.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] when there are too many.
    pub fn with(&self, lines: &[Signature]) -> Result<Self, CheckpointError> {
        Ok(Self { checkpoint: self.checkpoint.clone(), note: self.note.with(lines)? })
    }

    /// What it says, verified or not.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note around it.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Checks the signatures of all known keys, and that one of them is of the origin's own name.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] with [`NoteError::BadSignature`], [`NoteError::RepeatedSignature`],
    /// [`NoteError::AmbiguousKey`] or [`NoteError::UnknownKeys`]; [`CheckpointError::OtherLogsKey`].
    pub fn verify(&self, known: &[VerifierKey]) -> Result<&Checkpoint, CheckpointError> {
        let signed_by = self.note.verify(known)?;
        if signed_by.iter().any(|key| key.name() == self.checkpoint.origin) {
            return Ok(&self.checkpoint);
        }
        let key = signed_by.first().map(|key| key.name().to_owned()).unwrap_or_default();
        Err(CheckpointError::OtherLogsKey { origin: self.checkpoint.origin.clone(), key })
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = CheckpointError;

    /// # Errors
    /// [`CheckpointError`] for whatever is not a checkpoint in a well-formed note. Nothing is verified.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let note: SignedNote = text.parse()?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::leaf_hash;

    const ORIGIN: &str = "example.com/cell/1";

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(name, &[seed; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::new(&ORIGIN.parse().unwrap(), 3, leaf_hash(b"x"))
    }

    fn word(text: &str, known: &[&SigningKey]) -> Result<Checkpoint, &'static str> {
        let known: Vec<VerifierKey> = known.iter().map(|key| key.verifier().clone()).collect();
        let signed: SignedCheckpoint = text.parse().map_err(|error: CheckpointError| error.word())?;
        signed.verify(&known).cloned().map_err(|error| error.word())
    }

    #[test]
    fn texts() {
        let text = checkpoint().text();
        assert_eq!(Checkpoint::parse(&text), Ok(checkpoint()));
        let extended = Checkpoint { extensions: vec!["a".to_owned(), "b c".to_owned()], ..checkpoint() };
        assert_eq!(Checkpoint::parse(&format!("{text}a\nb c\n")), Ok(extended));
        let root = checkpoint().root.to_base64();
        for (changed, word) in [
            (String::new(), "checkpoint_shape"),
            ("\n".to_owned(), "checkpoint_shape"),
            (text.trim_end().to_owned(), "checkpoint_shape"),
            (text.replace(ORIGIN, ""), "checkpoint_shape"),
            (format!("{ORIGIN}\n3\n"), "checkpoint_shape"),
            (format!("{text}\n"), "checkpoint_shape"),
            (format!("{text}\na\n"), "checkpoint_shape"),
            (text.replace("\n3\n", "\n03\n"), "checkpoint_size"),
            (text.replace("\n3\n", "\n+3\n"), "checkpoint_size"),
            (text.replace("\n3\n", "\n9007199254740992\n"), "checkpoint_size"),
            (text.replace("\n3\n", "\n99999999999999999999999\n"), "checkpoint_size"),
            (text.replace(&root, "AAAA"), "checkpoint_root"),
            (text.replace('=', ""), "checkpoint_root"),
        ] {
            assert_eq!(Checkpoint::parse(&changed).map_err(|error| error.word()), Err(word), "{changed}");
        }
        assert!(Checkpoint::parse(&text.replace("\n3\n", "\n9007199254740991\n")).is_ok());
    }

    #[test]
    fn a_key_of_the_origin_s_name_must_sign() {
        let (ours, new, witness) = (key(ORIGIN, 1), key(ORIGIN, 2), key("witness.example", 3));
        let signed = SignedCheckpoint::sign(checkpoint(), &[&new, &ours]).unwrap().to_string();
        for known in [&[&ours][..], &[&new], &[&ours, &new], &[&witness, &new]] {
            assert_eq!(word(&signed, known), Ok(checkpoint()));
        }
        assert_eq!(word(&signed, &[&witness]), Err("no_known_signature"));
        let borrowed = SignedNote::sign(&checkpoint().text(), &[&witness]).unwrap().to_string();
        assert_eq!(word(&borrowed, &[&ours]), Err("no_known_signature"));
        assert_eq!(word(&borrowed, &[&witness, &ours]), Err("other_logs_key"));
        let cosigned = SignedNote::sign(&checkpoint().text(), &[&ours, &witness]).unwrap().to_string();
        assert_eq!(word(&cosigned, &[&witness, &ours]), Ok(checkpoint()));
    }

    #[test]
    fn nothing_unreadable_is_signed() {
        let ours = key(ORIGIN, 1);
        let sign = |checkpoint: Checkpoint| SignedCheckpoint::sign(checkpoint, &[&ours]).map_err(|error| error.word());
        assert!(sign(checkpoint()).is_ok());
        assert_eq!(sign(Checkpoint { origin: "example.com/cell/2".to_owned(), ..checkpoint() }), Err("other_logs_key"));
        assert_eq!(sign(Checkpoint { size: 1 << 53, ..checkpoint() }), Err("checkpoint_size"));
        assert_eq!(sign(Checkpoint { extensions: vec![String::new()], ..checkpoint() }), Err("checkpoint_shape"));
        assert_eq!(sign(Checkpoint { extensions: vec!["a\nb".to_owned()], ..checkpoint() }), Err("checkpoint_shape"));
        assert_eq!(
            sign(Checkpoint { extensions: vec!["a\tb".to_owned()], ..checkpoint() }),
            Err("note_control_character")
        );
        assert!(SignedCheckpoint::sign(checkpoint(), &[]).is_err());
    }

    proptest! {
        #[test]
        fn text_and_back(size in 0u64..1 << 53, root: [u8; 32], extensions in prop::collection::vec("[a-z ]{1,9}", 0..3)) {
            let unsigned = Checkpoint { size, root: Hash::new(root), extensions, ..checkpoint() };
            prop_assert_eq!(Checkpoint::parse(&unsigned.text()), Ok(unsigned.clone()));
            let signed = SignedCheckpoint::sign(unsigned.clone(), &[&key(ORIGIN, 1)]).unwrap();
            prop_assert_eq!(signed.to_string().parse(), Ok(signed.clone()));
            prop_assert_eq!(signed.verify(&[key(ORIGIN, 1).verifier().clone()]), Ok(&unsigned));
        }
    }
}
