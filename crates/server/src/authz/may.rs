//! The permissions as types, so that a handler's signature says what it needs: `Granted<may::CreateKey>`.

use super::Permission;

/// A type that stands for a permission.
pub trait Needs: Send + Sync + 'static {
    /// Which one.
    const PERMISSION: Permission;
}

/// See [`Permission::ReadWorkspace`].
pub enum ReadWorkspace {}
/// See [`Permission::ReadMembers`].
pub enum ReadMembers {}
/// See [`Permission::ReadInvitations`].
pub enum ReadInvitations {}
/// See [`Permission::ManageMembers`].
pub enum ManageMembers {}
/// See [`Permission::LeaveWorkspace`].
pub enum LeaveWorkspace {}
/// See [`Permission::ReadProjects`].
pub enum ReadProjects {}
/// See [`Permission::CreateProject`].
pub enum CreateProject {}
/// See [`Permission::ReadKeys`].
pub enum ReadKeys {}
/// See [`Permission::CreateKey`].
pub enum CreateKey {}
/// See [`Permission::RevokeKey`].
pub enum RevokeKey {}
/// See [`Permission::UpdateKey`].
pub enum UpdateKey {}
/// See [`Permission::RotateKey`].
pub enum RotateKey {}
/// See [`Permission::ReadAudit`].
pub enum ReadAudit {}
/// See [`Permission::RecordEvent`].
pub enum RecordEvent {}
/// See [`Permission::ReadSecrets`].
pub enum ReadSecrets {}
/// See [`Permission::CreateSecret`].
pub enum CreateSecret {}
/// See [`Permission::UpdateSecret`].
pub enum UpdateSecret {}
/// See [`Permission::RevealSecret`].
pub enum RevealSecret {}
/// See [`Permission::DeleteSecret`].
pub enum DeleteSecret {}
/// See [`Permission::ReadErasures`].
pub enum ReadErasures {}
/// See [`Permission::EraseSubject`].
pub enum EraseSubject {}
/// See [`Permission::ExportAudit`].
pub enum ExportAudit {}
/// See [`Permission::ShareReceipt`].
pub enum ShareReceipt {}
/// See [`Permission::StreamAudit`].
pub enum StreamAudit {}
/// See [`Permission::ManageActions`].
pub enum ManageActions {}
/// See [`Permission::ReadRetention`].
pub enum ReadRetention {}
/// See [`Permission::ManageRetention`].
pub enum ManageRetention {}

impl Needs for ReadWorkspace {
    const PERMISSION: Permission = Permission::ReadWorkspace;
}
impl Needs for ReadMembers {
    const PERMISSION: Permission = Permission::ReadMembers;
}
impl Needs for ReadInvitations {
    const PERMISSION: Permission = Permission::ReadInvitations;
}
impl Needs for ManageMembers {
    const PERMISSION: Permission = Permission::ManageMembers;
}
impl Needs for LeaveWorkspace {
    const PERMISSION: Permission = Permission::LeaveWorkspace;
}
impl Needs for ReadProjects {
    const PERMISSION: Permission = Permission::ReadProjects;
}
impl Needs for CreateProject {
    const PERMISSION: Permission = Permission::CreateProject;
}
impl Needs for ReadKeys {
    const PERMISSION: Permission = Permission::ReadKeys;
}
impl Needs for CreateKey {
    const PERMISSION: Permission = Permission::CreateKey;
}
impl Needs for UpdateKey {
    const PERMISSION: Permission = Permission::UpdateKey;
}
impl Needs for RotateKey {
    const PERMISSION: Permission = Permission::RotateKey;
}
impl Needs for RevokeKey {
    const PERMISSION: Permission = Permission::RevokeKey;
}
impl Needs for ReadAudit {
    const PERMISSION: Permission = Permission::ReadAudit;
}
impl Needs for RecordEvent {
    const PERMISSION: Permission = Permission::RecordEvent;
}
impl Needs for ReadSecrets {
    const PERMISSION: Permission = Permission::ReadSecrets;
}
impl Needs for CreateSecret {
    const PERMISSION: Permission = Permission::CreateSecret;
}
impl Needs for UpdateSecret {
    const PERMISSION: Permission = Permission::UpdateSecret;
}
impl Needs for RevealSecret {
    const PERMISSION: Permission = Permission::RevealSecret;
}
impl Needs for DeleteSecret {
    const PERMISSION: Permission = Permission::DeleteSecret;
}
impl Needs for ReadErasures {
    const PERMISSION: Permission = Permission::ReadErasures;
}
impl Needs for EraseSubject {
    const PERMISSION: Permission = Permission::EraseSubject;
}
impl Needs for ExportAudit {
    const PERMISSION: Permission = Permission::ExportAudit;
}
impl Needs for ShareReceipt {
    const PERMISSION: Permission = Permission::ShareReceipt;
}
impl Needs for StreamAudit {
    const PERMISSION: Permission = Permission::StreamAudit;
}
impl Needs for ManageActions {
    const PERMISSION: Permission = Permission::ManageActions;
}
impl Needs for ReadRetention {
    const PERMISSION: Permission = Permission::ReadRetention;
}
impl Needs for ManageRetention {
    const PERMISSION: Permission = Permission::ManageRetention;
}
