//! What permissions are called where people read them.

use crate::authz::{Permission, PermissionSet};

/// One permission, as the object of "may".
pub(crate) const fn in_words(permission: Permission) -> &'static str {
    match permission {
        Permission::ReadWorkspace => "see the workspace",
        Permission::ReadMembers => "see who belongs to it",
        Permission::ReadInvitations => "see who is invited",
        Permission::ManageMembers => "invite people, change their roles, remove them, hand the workspace over",
        Permission::LeaveWorkspace => "leave",
        Permission::ReadProjects => "see projects",
        Permission::CreateProject => "create projects",
        Permission::ReadKeys => "see keys, never their secrets",
        Permission::CreateKey => "create keys",
        Permission::ReadAudit => "read the audit log and take its proofs",
        Permission::ReadSecrets => "see secrets, without their values",
        Permission::CreateSecret => "entrust secrets",
        Permission::UpdateSecret => "give secrets new values",
        Permission::RevealSecret => "read the values of secrets",
        Permission::DeleteSecret => "delete secrets",
        Permission::ReadErasures => "see erasures",
        Permission::EraseSubject => "erase subjects",
        Permission::ExportAudit => "export the audit log",
        Permission::ShareReceipt => "show receipts to others by a link",
        Permission::ShareFilters => "save filters of the audit log for everybody",
        Permission::StreamAudit => "have the audit log streamed to a bucket",
        Permission::ManageActions => "say which actions programs may record",
        Permission::ReadRetention => "see for how long the audit log is kept",
        Permission::ManageRetention => "say for how long the audit log is kept, and hold it",
        Permission::RecordEvent => "record events in the audit log",
        Permission::RevokeKey => "revoke keys",
        Permission::UpdateKey => "change keys",
        Permission::RotateKey => "give keys successors",
    }
}

/// Several, as a list.
pub(crate) fn all_in_words(permissions: PermissionSet) -> String {
    let words: Vec<&str> = permissions.iter().map(in_words).collect();
    if words.is_empty() { String::from("nothing") } else { words.join("; ") }
}
