//! What went well, told once on the page after a redirect.
//!
//! The cookie carries a word from a closed list, so nobody can put a sentence of theirs on our page.

/// What just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flash {
    SignedIn,
    SignedOut,
    WorkspaceCreated,
    ProjectCreated,
    KeyStored,
    KeyRevoked,
}

impl Flash {
    const ALL: [Self; 6] = [
        Self::SignedIn,
        Self::SignedOut,
        Self::WorkspaceCreated,
        Self::ProjectCreated,
        Self::KeyStored,
        Self::KeyRevoked,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
            Self::WorkspaceCreated => "workspace-created",
            Self::ProjectCreated => "project-created",
            Self::KeyStored => "key-stored",
            Self::KeyRevoked => "key-revoked",
        }
    }

    /// The sentence.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::SignedIn => "You are signed in.",
            Self::SignedOut => "You are signed out. This browser holds no session any more.",
            Self::WorkspaceCreated => "The workspace is made, and you are its owner.",
            Self::ProjectCreated => "The project is made.",
            Self::KeyStored => "The key is active. It is not shown again.",
            Self::KeyRevoked => "The key is revoked. It no longer works.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_differ() {
        for (index, flash) in Flash::ALL.iter().enumerate() {
            assert_eq!(Flash::ALL.iter().position(|other| other.word() == flash.word()), Some(index));
        }
    }
}
