//! What a workspace has to say to somebody by mail leaves outside the request, by a job of the workspace.

use std::time::Duration;

use crate::authz::PermissionSet;
use crate::jobs::{Claimed, Done, Failure, InWorkspace, Job, Policy};
use crate::mail::{Mailer, Message};

/// The job `member.mail`: to a member, or to whoever is invited.
pub struct MailMember(pub Mailer);

impl Job for MailMember {
    const KIND: &'static str = "member.mail";
    /// As for any mail; a lane of its own for each workspace, so that one that writes to many holds nobody's sign-in up.
    const POLICY: Policy = Policy { longest_pause: Duration::from_secs(600), per_lane: 2, ..<Mailer as Job>::POLICY };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    type Payload = Message;

    async fn run(&self, claimed: Claimed<Self>, message: Message) -> Result<Done, Failure> {
        self.0.deliver(message).await?;
        Ok(claimed.done())
    }
}
