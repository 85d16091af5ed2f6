//! The closed list of what may be done in a workspace.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// One thing that may be done. The discriminant is its bit in a [`PermissionSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See the workspace itself.
    ReadWorkspace,
    /// See who belongs to it, with which role.
    ReadMembers,
    /// See who is invited.
    ReadInvitations,
    /// Invite people, change their roles, remove them, hand the workspace over.
    ManageMembers,
    /// End one's own membership.
    LeaveWorkspace,
    /// See projects.
    ReadProjects,
    /// Make projects.
    CreateProject,
    /// See API keys (never their secrets).
    ReadKeys,
    /// Make API keys, none beyond oneself.
    CreateKey,
    /// Revoke API keys.
    RevokeKey,
    /// Change what is told of API keys, where they may be used from and how long.
    UpdateKey,
    /// Give API keys successors.
    RotateKey,
    /// Read the audit log, and take its proofs.
    ReadAudit,
    /// Record events of one's own in the audit log.
    RecordEvent,
    /// See secrets, without their values.
    ReadSecrets,
    /// Entrust secrets.
    CreateSecret,
    /// Give secrets new versions, and rotate them.
    UpdateSecret,
    /// Read the value of a secret, which leaves an entry.
    RevealSecret,
    /// Delete secrets with all their versions.
    DeleteSecret,
    /// See what was erased, when and by whom; not about whom.
    ReadErasures,
    /// Make unreadable for good what the audit log says of somebody.
    EraseSubject,
    /// Take whole stretches of the audit log out, which leaves an entry.
    ExportAudit,
    /// Make links that show a receipt to whoever has one, and revoke them.
    ShareReceipt,
    /// Save filters of the audit log for everybody who reads it, and delete them.
    ShareFilters,
    /// Have the audit log streamed to a bucket of one's own, and see how far that is.
    StreamAudit,
    /// Say which actions programs may record.
    ManageActions,
    /// See for how long the audit log is kept, and what holds it.
    ReadRetention,
    /// Say for how long the audit log is kept, and hold it.
    ManageRetention,
}

impl Permission {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 28] = [
        Self::ReadWorkspace,
        Self::ReadMembers,
        Self::ReadInvitations,
        Self::ManageMembers,
        Self::LeaveWorkspace,
        Self::ReadProjects,
        Self::CreateProject,
        Self::ReadKeys,
        Self::CreateKey,
        Self::RevokeKey,
        Self::UpdateKey,
        Self::RotateKey,
        Self::ReadAudit,
        Self::RecordEvent,
        Self::ReadSecrets,
        Self::CreateSecret,
        Self::UpdateSecret,
        Self::RevealSecret,
        Self::DeleteSecret,
        Self::ReadErasures,
        Self::EraseSubject,
        Self::ExportAudit,
        Self::ShareReceipt,
        Self::ShareFilters,
        Self::StreamAudit,
        Self::ManageActions,
        Self::ReadRetention,
        Self::ManageRetention,
    ];

    /// The name in answers and in the documentation: `noun.verb`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadWorkspace => "workspace.read",
            Self::ReadMembers => "members.read",
            Self::ReadInvitations => "invitations.read",
            Self::ManageMembers => "members.manage",
            Self::LeaveWorkspace => "workspace.leave",
            Self::ReadProjects => "projects.read",
            Self::CreateProject => "projects.create",
            Self::ReadKeys => "keys.read",
            Self::CreateKey => "keys.create",
            Self::RevokeKey => "keys.revoke",
            Self::UpdateKey => "keys.update",
            Self::RotateKey => "keys.rotate",
            Self::ReadAudit => "audit.read",
            Self::RecordEvent => "audit.record",
            Self::ReadSecrets => "secrets.read",
            Self::CreateSecret => "secrets.create",
            Self::UpdateSecret => "secrets.update",
            Self::RevealSecret => "secrets.reveal",
            Self::DeleteSecret => "secrets.delete",
            Self::ReadErasures => "erasures.read",
            Self::EraseSubject => "subjects.erase",
            Self::ExportAudit => "audit.export",
            Self::ShareReceipt => "audit.share",
            Self::ShareFilters => "filters.share",
            Self::StreamAudit => "audit.stream",
            Self::ManageActions => "actions.manage",
            Self::ReadRetention => "retention.read",
            Self::ManageRetention => "retention.manage",
        }
    }

    const fn bit(self) -> u64 {
        1 << (self as u32)
    }
}

/// The word names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a permission")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|permission| permission.name() == word).ok_or(UnknownPermission)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything there is.
    pub const ALL: Self = Self::of(&Permission::ALL);
    /// What takes no way back, or gives somebody else's place away, and a person therefore: an owner, who signed in a moment
    /// ago. No key has it, and no other role.
    pub const OWNERS_ALONE: Self =
        Self::of(&[Permission::EraseSubject, Permission::ManageRetention, Permission::ManageMembers]);
    /// What a person does for themselves: every role has it, and no key.
    pub const PEOPLES_ALONE: Self = Self::of(&[Permission::LeaveWorkspace]);
    /// What is left to a key that is confined to a project: its project, that project's trail and secrets, and nothing of
    /// the workspace.
    pub const WITHIN_PROJECT: Self = Self::of(&[
        Permission::ReadProjects,
        Permission::ReadAudit,
        Permission::RecordEvent,
        Permission::ReadSecrets,
        Permission::RevealSecret,
    ]);

    /// The set of these.
    #[must_use]
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut rest = permissions;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Is it in?
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Is every permission of the other in this one?
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// In either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In this one and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The permissions in it, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}
