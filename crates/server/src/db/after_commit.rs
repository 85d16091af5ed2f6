//! What is told to others once a transaction has been committed, and never otherwise.

/// Kept by a transaction; dropped with it when it is rolled back.
#[derive(Default)]
pub(super) struct AfterCommit(Vec<Box<dyn FnOnce() + Send + Sync>>);

impl AfterCommit {
    pub(super) fn push(&mut self, tell: impl FnOnce() + Send + Sync + 'static) {
        self.0.push(Box::new(tell));
    }

    pub(super) fn tell(self) {
        for tell in self.0 {
            tell();
        }
    }
}
