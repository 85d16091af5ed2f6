//! What operations take in their query, as the contract tells it.

pub(super) const PAGING: &[(&str, &str)] =
    &[("limit", "1 to 100; 50 if nothing is said."), ("cursor", "The next_cursor of the page before.")];
pub(super) const KEY_PAGING: &[(&str, &str)] = &[
    ("limit", "1 to 100; 50 if nothing is said."),
    ("cursor", "The next_cursor of the page before."),
    ("status", "active, expired or revoked."),
    ("label", "name:value; keys with this label alone. Several times: with all of them."),
];
pub(super) const SECRET_FILTERS: &[(&str, &str)] = &[
    ("limit", "1 to 100; 50 if nothing is said."),
    ("cursor", "The next_cursor of the page before."),
    ("kind", "Secrets of this kind alone."),
    ("name", "The secret of this name alone."),
];
pub(super) const FORWARD_AUTH: &[(&str, &str)] = &[
    ("audience", "The service that is asked for; the credential's own if it has one alone."),
    ("scope", "A scope that the key must have."),
    ("permission", "A permission that the key must have."),
    ("environment", "live or test: where the key must belong."),
];
pub(super) const EVENT_FILTERS: &[(&str, &str)] = &[
    ("limit", "1 to 100; 50 if nothing is said."),
    ("cursor", "The next_cursor of the page before."),
    ("action", "Events of this action alone."),
    ("actor", "Events of this actor alone."),
    ("target", "Events about this target alone."),
    ("from", "Recorded at this moment or later."),
    ("to", "Recorded before this moment."),
];

pub(super) const SHARE_FILTERS: &[(&str, &str)] = &[
    ("limit", "1 to 100; 50 if nothing is said."),
    ("cursor", "The next_cursor of the page before."),
    ("event", "Links to this event alone."),
];

pub(super) const MANIFEST: &[(&str, &str)] = &[
    ("hour", "The full hour of the manifest, as in 2026-01-31T13:00:00Z; the newest if nothing is said."),
    ("event", "An event whose receipt is to be in the file, in place of the log's checkpoint."),
    ("open", "The fields that the receipt opens: actor, ip, meta, target; none if nothing is said."),
];
