//! Why a pin does not move: it could not be asked, or what came does not fit, and is kept as evidence.

use bailiwick_proof::consistency::Pair;

use crate::failure::Failure;
use crate::pins::Pins;
use crate::refusal::Refusal;

const PAIR: &str = "tlog-consistency";
const CHECKPOINT: &str = "checkpoint";

/// What stops a pin.
pub(super) enum Halt {
    /// Something else than the log failed: the network, the disk, the token.
    Failed(Failure),
    /// What the server shows does not fit what is pinned.
    Misfit(Box<Misfit>),
}

/// What does not fit, and what shows it.
pub(super) struct Misfit {
    refusal: Refusal,
    hint: Option<&'static str>,
    /// A document and its file extension; without one, the newest checkpoint is evidence enough.
    evidence: Option<(String, &'static str)>,
}

impl Misfit {
    /// What does not fit by itself.
    pub(super) fn new(refusal: impl Into<Refusal>) -> Self {
        Self { refusal: refusal.into(), hint: None, evidence: None }
    }

    /// What does not fit, as this pair shows to anybody.
    pub(super) fn shown_by(refusal: impl Into<Refusal>, pair: &Pair) -> Self {
        Self { evidence: Some((pair.to_string(), PAIR)), ..Self::new(refusal) }
    }

    /// What does not fit, as the server's own text shows, which is no pair.
    pub(super) fn shown_by_text(refusal: impl Into<Refusal>, text: String) -> Self {
        Self { evidence: Some((text, PAIR)), ..Self::new(refusal) }
    }

    /// Adds what to do next.
    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl Halt {
    /// Keeps the evidence of a misfit and makes a failure of it.
    pub(super) fn settle(self, pins: &Pins, newest: &str) -> Failure {
        let misfit = match self {
            Self::Failed(failure) => return failure,
            Self::Misfit(misfit) => misfit,
        };
        let (text, kind) = misfit.evidence.unwrap_or_else(|| (newest.to_owned(), CHECKPOINT));
        let evidence = match pins.keep_evidence(&text, kind) {
            Ok(path) => path.display().to_string(),
            Err(failure) => format!("not kept: {}", failure.summary()),
        };
        let failure = Failure::from(misfit.refusal.with("evidence", evidence));
        match misfit.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Misfit> for Halt {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(Box::new(misfit))
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Misfit::new(refusal).into()
    }
}
