//! Keys in the console: the list, the making of one, the one showing of its secret, the end of it.

use askama::Template;
use time::Date;

use crate::authz::{Scope, ScopeSet};
use crate::console::{Choice, CodeLine, Desk, Field, IdChip, Listing, Moment, all_in_words};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStatus { Active, Expired, Revoked }
impl KeyStatus { fn is_active(self) -> bool { self == Self::Active } fn as_str(self) -> &'static str { match self { Self::Active => "active", Self::Expired => "expired", Self::Revoked => "revoked" } } }

/// `/w/{workspace}/{environment}/keys`.
#[derive(Template)]
#[template(path = "api_keys/index.html")]
struct IndexPage {
    desk: Desk,
    keys: Vec<KeyView>,
    /// Keys of this status alone.
    filter: Option<KeyStatus>,
    list: Listing,
    cli: String,
}

struct KeyView {
    name: String,
    /// `bw_live_AbCdEfGh…`
    lookup: String,
    href: String,
    scopes: String,
    project: Option<String>,
    status: KeyStatus,
    created: Moment,
    created_by: String,
    last_used: Option<Moment>,
    expires: Option<Moment>,
}

struct FilterLink {
    label: &'static str,
    href: String,
    current: bool,
}

impl IndexPage {
    fn filters(&self) -> Vec<FilterLink> {
        let link = |label, status: Option<KeyStatus>| FilterLink {
            label,
            href: match status {
                None => self.desk.path("/keys"),
                Some(status) => self.desk.path(&format!("/keys?status={}", status.as_str())),
            },
            current: self.filter == status,
        };
        vec![
            link("All", None),
            link("Active", Some(KeyStatus::Active)),
            link("Expired", Some(KeyStatus::Expired)),
            link("Revoked", Some(KeyStatus::Revoked)),
        ]
    }

    /// No key was ever made here.
    fn is_untouched(&self) -> bool {
        self.keys.is_empty() && self.filter.is_none() && self.list.first_href().is_none()
    }

    fn filter_word(&self) -> &'static str {
        self.filter.map_or("further", KeyStatus::as_str)
    }
}

/// `…/keys/new`.
#[derive(Template)]
#[template(path = "api_keys/new.html")]
struct NewPage {
    desk: Desk,
    form: KeyForm,
}

struct KeyForm {
    idempotency_key: String,
    fault: Option<String>,
    name: Field,
    scopes: Vec<ScopeChoice>,
    scopes_fault: Option<String>,
    projects: Vec<ProjectChoice>,
    project_fault: Option<String>,
    /// A number of days, `date`, or empty for never.
    expiry: String,
    expires_on: Field,
    /// Tomorrow: the first day that may be chosen.
    earliest: Date,
}

struct ScopeChoice {
    word: &'static str,
    allows: String,
    chosen: bool,
}

struct ProjectChoice {
    id: String,
    name: String,
    chosen: bool,
}

impl KeyForm {
    fn has_faults(&self) -> bool {
        let fields = [&self.fault, &self.name.fault, &self.scopes_fault, &self.project_fault, &self.expires_on.fault];
        fields.into_iter().any(Option::is_some)
    }

    fn expiries(&self) -> [Choice; 6] {
        [
            ("7", "In 7 days"),
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In 365 days"),
            ("date", "After a day that I choose"),
            ("", "Never"),
        ]
        .map(|(value, label)| Choice { value: value.into(), label: label.into(), chosen: value == self.expiry })
    }
}

impl ScopeChoice {
    fn all(chosen: ScopeSet) -> Vec<Self> {
        let choice = |scope: Scope| Self {
            word: scope.as_str(),
            allows: all_in_words(scope.permissions()),
            chosen: chosen.contains(scope),
        };
        Scope::ALL.map(choice).into()
    }
}

/// `…/keys/{id}/created`.
#[derive(Template)]
#[template(path = "api_keys/created.html")]
struct CreatedPage {
    desk: Desk,
    name: String,
    id: IdChip,
    secret: String,
    stored_action: String,
    call: CodeLine,
}

/// `…/keys/{id}`.
#[derive(Template)]
#[template(path = "api_keys/show.html")]
struct ShowPage {
    desk: Desk,
    id: IdChip,
    key: KeyView,
    scopes: Vec<&'static str>,
    allows: String,
    revoked: Option<Moment>,
    call: CodeLine,
    /// Present for who may revoke a key that is not revoked yet.
    revoke: Option<RevokeForm>,
}

/// `…/keys/{id}/revoke`.
#[derive(Template)]
#[template(path = "api_keys/revoke.html")]
struct RevokePage {
    desk: Desk,
    form: RevokeForm,
}

struct RevokeForm {
    action: String,
    back: String,
    idempotency_key: String,
    name: String,
    /// The name, typed once more.
    confirm: Field,
}
