//! Every kind of job that this process can do, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::claimed::{Claimed, Done};
use super::kind::{Failure, Job, Place as _, Policy};
use super::sql::Row;
use crate::context::RequestContext;
use crate::vault::Plaintext;

type Run = dyn Fn(Row, Plaintext, RequestContext) -> BoxFuture<'static, Result<Done, Failure>> + Send + Sync;

/// The kinds of a process.
#[derive(Default)]
pub struct Registry(BTreeMap<&'static str, Kind>);

/// A kind, its type forgotten.
pub(super) struct Kind {
    pub(super) policy: Policy,
    run: Box<Run>,
}

impl Registry {
    /// With this kind too.
    #[must_use]
    pub fn with<J: Job>(mut self, job: J) -> Self {
        let job = Arc::new(job);
        let run = move |row: Row, content: Plaintext, context: RequestContext| {
            let job = job.clone();
            let run: BoxFuture<'static, _> = Box::pin(async move {
                if row.workspace_id.is_nil() != J::Place::IS_CELL {
                    return Err(Failure::for_good("wrong_lane"));
                }
                let claimed = Claimed::<J>::of(&row, context).ok_or(Failure::for_good("wrong_lane"))?;
                // A newer version may have written it: another node may be able to read it.
                let payload = serde_json::from_slice(&content).map_err(|_| Failure::again("payload_malformed"))?;
                drop(content);
                job.run(claimed, payload).await
            });
            run
        };
        self.0.insert(J::KIND, Kind { policy: J::POLICY, run: Box::new(run) });
        self
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// The name as this process holds it, of a kind that it knows.
    #[must_use]
    pub fn name(&self, kind: &str) -> Option<&'static str> {
        self.0.get_key_value(kind).map(|(name, _)| *name)
    }

    pub(super) fn kind(&self, kind: &str) -> Option<&Kind> {
        self.0.get(kind)
    }
}

impl Kind {
    pub(super) fn run(
        &self,
        row: Row,
        content: Plaintext,
        context: RequestContext,
    ) -> BoxFuture<'static, Result<Done, Failure>> {
        (self.run)(row, content, context)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::kind::InWorkspace;
    use super::*;
    use crate::authz::PermissionSet;

    pub(in crate::jobs) struct Nothing;

    impl Job for Nothing {
        const KIND: &'static str = "test.nothing";
        const POLICY: Policy = Policy::QUICK;
        const PERMISSIONS: PermissionSet = PermissionSet::NONE;
        type Place = InWorkspace;
        type Payload = ();

        async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
            Ok(claimed.done())
        }
    }

    /// That waits for somebody else's machine.
    pub(in crate::jobs) struct Patient;

    impl Job for Patient {
        const KIND: &'static str = "test.patient";
        const POLICY: Policy = Policy { per_lane: 2, per_node: 3, ..Policy::QUICK };
        const PERMISSIONS: PermissionSet = PermissionSet::NONE;
        type Place = InWorkspace;
        type Payload = ();

        async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
            Ok(claimed.done())
        }
    }

    #[test]
    fn a_kind_is_found_by_its_name_alone() {
        let registry = Registry::default().with(Nothing);
        assert_eq!(registry.name("test.nothing"), Some("test.nothing"));
        assert_eq!(registry.name("test"), None);
        assert_eq!(registry.names().collect::<Vec<_>>(), ["test.nothing"]);
    }
}
