//! Rows for every table, at every place where one can stand.

use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::table::Table;

/// A tenant.
pub const ADA: Uuid = Uuid::from_u128(0xA);
/// Another.
pub const BOB: Uuid = Uuid::from_u128(0xB);
/// One who has nothing yet.
pub const NEW: Uuid = Uuid::from_u128(0xC);

/// Where a row stands. What a table does not have does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub workspace: Uuid,
    /// live or test.
    pub environment: &'static str,
    /// The project, or none.
    pub project: Option<Uuid>,
}

/// A row: its columns and what stands in them, as SQL.
pub type Row = Vec<(&'static str, String)>;

/// The projects of an environment are its first and its second.
pub fn project(workspace: Uuid, environment: &str, nth: u128) -> Uuid {
    Uuid::from_u128(workspace.as_u128() << 16 | u128::from(environment == "test") << 8 | nth)
}

/// The person who is a member of this workspace and of no other.
pub fn person(workspace: Uuid) -> Uuid {
    Uuid::from_u128(workspace.as_u128() << 64)
}

/// Every place where the table holds a row, of both tenants.
pub fn places(table: &Table) -> Vec<Place> {
    let environments: &[&'static str] = if table.has_environment { &["live", "test"] } else { &["live"] };
    let mut places = Vec::new();
    for workspace in [ADA, BOB] {
        for environment in environments {
            let own = |nth| Some(project(workspace, environment, nth));
            let mut projects = if table.project.is_some() { vec![own(1), own(2)] } else { vec![] };
            if table.project.is_none() || table.project_is_optional {
                projects.push(None);
            }
            places.extend(projects.into_iter().map(|project| Place { workspace, environment, project }));
        }
    }
    places
}

/// Which row it is: the one that stands there from the beginning, or one that somebody tries to add.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// There is one at each place.
    Seeded,
    /// There is none yet.
    Fresh,
}

/// The id of a row, different for each place.
pub fn id(place: Place, which: Which) -> Uuid {
    let project = place.project.map_or(0, |project| project.as_u128() & 0xFF);
    let place = place.workspace.as_u128() << 32 | u128::from(place.environment == "test") << 16 | project;
    Uuid::from_u128(place << 8 | u128::from(which == Which::Fresh))
}

/// A row that satisfies the table's constraints: columns and values. A table that is missing here fails the test, so
/// that none is forgotten.
///
/// `:person` is the workspace's own, `:member` who is or becomes one of its, `:user` a person as a row of their own;
/// `:number` is one that a place has alone in its log, `:self` is the id of a row that is its own place, `:seeded` that of the row that stands there from the beginning.
const MAKERS: [(&str, &str); 58] = [
    ("workspaces", "workspace_id :workspace; name 'Name'; slug 'slug'; created_at now()"),
    ("memberships", "workspace_id :workspace; user_id :member; role 'owner'; created_at now()"),
    (
        "invitations",
        "workspace_id :workspace; id :id; email 'a@b'; email_key :id; role 'viewer'; token_digest sha256(:id); invited_by :person;
         created_at now(); sent_at now(); expires_at now()",
    ),
    ("projects", "workspace_id :workspace; environment :environment; id :self; name :self; created_at now()"),
    (
        "api_keys",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; name 'Key'; lookup 'AAAAAAAA';
         digest sha256(:id); scopes ARRAY['read']; created_by_user :person; created_at now()",
    ),
    (
        "ledger_staged",
        "workspace_id :workspace; environment :environment; project_id :project; event_id :id; action 'test.done';
         actor 'a'; target ''; recorded_by 'a'; meta '{}'; trace_id repeat('0', 32); request_id :id; staged_at now()",
    ),
    (
        "ledger_heads",
        "workspace_id :workspace; environment :environment; generation 1; size 0; last_leaf sha256('');
         frontier ''",
    ),
    (
        "ledger_generations",
        "workspace_id :workspace; environment :environment; generation :number + 1; size 0; last_leaf sha256('');
         frontier ''; closed_at now()",
    ),
    (
        "ledger_entries",
        "workspace_id :workspace; environment :environment; project_id :project; generation 1; seq :number;
         event_id :id; action 'test.done'; recorded_at now(); entry ''",
    ),
    (
        "ledger_openings",
        "workspace_id :workspace; environment :environment; project_id :project; generation 1; seq :number;
         actor_sealed 'sealed'; recorded_at now()",
    ),
    (
        "audit_actions",
        "workspace_id :workspace; environment :environment; action :id; description ''; registered_by 'system'; registered_at now()",
    ),
    (
        "ledger_hashes",
        "workspace_id :workspace; environment :environment; generation 1; tile_level 0; start :number; hashes sha256('')",
    ),
    (
        "ledger_keys",
        "workspace_id :workspace; environment :environment; kid :id; generation 1; public_key sha256('');
         seed_sealed 'sealed'; created_at now(); retired_at now()",
    ),
    (
        "ledger_checkpoints",
        "workspace_id :workspace; environment :environment; generation 1; size :number; signed_at now(); note ''",
    ),
    (
        "ledger_daily_roots",
        "workspace_id :workspace; id :id; environment :environment; generation 1; day current_date; size 1; kid :id; jws '';
         made_at now()",
    ),
    (
        "ledger_manifest_lines",
        "workspace_id :workspace; environment :environment; hour now() + :number * interval '1 hour'; generation 1; size 1;
         salt sha256(''); position :number",
    ),
    (
        "secrets",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; name :id; kind 'generic';
         newest_version 1; created_by_user :person; created_at now()",
    ),
    (
        "secret_versions",
        "workspace_id :workspace; environment :environment; project_id :project; secret_id :seeded; version :number + 1;
         value_sealed 'sealed'; created_by_user :person; created_at now()",
    ),
    (
        "secret_rotations",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; secret_id :seeded;
         reason 'scheduled'; new_version 2; watch_seconds 0; opened_at now(); ready_at now(); revoked_at now();
         finished_at now(); refused_uses 0; receipt_event :id",
    ),
    (
        "audit_streams",
        "workspace_id :workspace; environment :environment; settings_sealed 'sealed'; set_by 'nobody'; set_at now()",
    ),
    (
        "alerts",
        "workspace_id :workspace; id :id; what 'row_unvouched'; of_what 'api_keys'; row_name :id; first_seen_at now();
         last_seen_at now(); seen 1",
    ),
    ("cell_facts", "name :id; value ''"),
    (
        "vault_deks",
        "workspace_id :workspace; version :number + 1; dek_id :id; wrapped 'wrapped'; kek 'local/0'; kek_version 1; uses 0;
         created_at now()",
    ),
    (
        "erasures",
        "workspace_id :workspace; environment :environment; id :id; subject_number :number; commitment sha256('');
         requested_by 'operator'; requested_at now(); fields_found 1; finished_at now(); certificate_event :id",
    ),
    (
        "ledger_retention",
        "workspace_id :workspace; environment :environment; version 1; days 90; changed_at now()",
    ),
    (
        "audit_filters",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; name :id; actor_sealed 'sealed'; saved_by 'somebody'; saved_at now()",
    ),
    (
        "receipt_shares",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; event_id :id; digest sha256(:id);
         open '{}'; created_by 'somebody'; created_at now(); expires_at now()",
    ),
    (
        "legal_holds",
        "workspace_id :workspace; environment :environment; id :id; reason 'a matter'; opened_by 'somebody'; opened_at now()",
    ),
    (
        "ledger_cuts",
        "workspace_id :workspace; environment :environment; generation 1; pruned_to (:number + 1) * 256; root sha256('');
         kept sha256(''); newest_ms 0; event_id :id; cut_at now(); mac ''",
    ),
    ("vault_subjects", "workspace_id :workspace; number :number; name_sealed 'sealed'; name_index sha256(:id)"),
    ("feed_changes", "workspace_id :workspace; entity 'api_key'; entity_id :id"),
    ("feed_nodes", "node_id :id; applied '1:1:'"),
    (
        "api_key_uses",
        "workspace_id :workspace; environment :environment; project_id :project; key_id :id; last_used_at now()",
    ),
    (
        "jobs_ready",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; kind 'test.job'; due_at now()",
    ),
    (
        "job_payloads",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; payload_sealed 'sealed'",
    ),
    (
        "jobs_dead",
        "workspace_id :workspace; environment :environment; project_id :project; id :id; kind 'test.job'; attempts 1; fence 1;
         error 'failed'; is_scrubbed false; died_at now()",
    ),
    ("job_schedules", "kind :id; next_run_at now()"),
    (
        "idempotency_records",
        "workspace_id :workspace; environment :environment; principal_id :person; key_digest sha256(:id);
         request_digest sha256(:id); reply_sealed 'sealed'; created_at now()",
    ),
    ("ledger_manifests", "hour now() + ('x' || left(md5(:id), 6))::bit(24)::integer * interval '1 second'; logs 1; root sha256(''); event_id :id; made_at now()"),
    ("ledger_manifest_hashes", "hour now() + ('x' || left(md5(:id), 6))::bit(24)::integer * interval '1 second'; tile_level 0; start 0; hashes sha256('')"),
    ("ledger_cosignatures", "generation 1; size 1; witness :id; line 'line'; cosigned_at now(); stored_at now()"),
    ("ledger_witnesses", "witness :id; asked_at now(); busy_until now()"),
    ("users", "id :user; email :user; email_key :user; created_at now()"),
    ("server_secrets", "purpose 'mail'; version 1 + ('x' || left(md5(:id), 6))::bit(24)::integer; value_sealed 'sealed'; created_at now()"),
    ("internal_credentials", "id :id; service 'gateway'; digest sha256(:id); audiences '{billing}'; created_at now()"),
    ("sessions", "id :id; user_id :person; created_at now(); expires_at now()"),
    ("refresh_tokens", "digest sha256(:id); session_id :seeded; issued_at now(); expires_at now()"),
    (
        "sign_in_challenges",
        "id :id; email 'a@b.c'; email_key 'a@b.c'; challenge_digest sha256(:id); token_digest sha256(:id);
         code_digest sha256(:id); created_at now(); expires_at now()",
    ),
    (
        "device_logins",
        "id :id; device_digest sha256(:id); code_digest decode('00000001', 'hex') || sha256(:id); device ''; created_at now();
         expires_at now(); interval_seconds 2",
    ),
    (
        "address_changes",
        "id :id; user_id :person; old_email_key 'a@b'; new_email 'c@d'; new_email_key 'c@d';
         old_code_digest decode('00000001', 'hex') || sha256(:id); new_code_digest decode('00000001', 'hex') || sha256(:id);
         created_at now(); expires_at now()",
    ),
    ("sign_in_mail_budgets", "email_key :id; full_at now(); newest :id"),
    (
        "passkeys",
        "id :id; user_id :person; name 'Key'; credential_id sha256(:id); user_handle :id; credential_sealed 'sealed'; counter 0;
         backup_eligible false; backed_up false; created_at now()",
    ),
    ("authenticators", "id :id; user_id :person; name 'Telephone'; secret_sealed 'sealed'; created_at now()"),
    ("factor_holders", "user_id :user"),
    (
        "second_steps",
        "id :id; user_id :person; token_digest sha256(:id); signed_in_by 'mail_code'; created_at now(); expires_at now()",
    ),
    ("passkey_ceremonies", "id :id; state_sealed 'sealed'; expires_at now()"),
    (
        "cell_ledger_staged",
        "event_id :id; action 'test.done'; actor 'a'; target ''; recorded_by 'a'; meta '{}'; trace_id repeat('0', 32);
         request_id :id; staged_at now()",
    ),
    (
        "account_idempotency_records",
        "user_id :person; key_digest sha256(:id); request_digest sha256(:id); reply_sealed 'sealed'; created_at now()",
    ),
];

/// Whether [`row`] can make rows for a table of this name.
pub fn knows(table: &str) -> bool {
    MAKERS.iter().any(|(known, _)| *known == table)
}

/// A row at this place.
pub fn row(table: &str, place: Place, which: Which) -> Row {
    let (_, columns) = MAKERS.iter().find(|(known, _)| *known == table).unwrap_or_else(|| panic!("no row for {table}"));
    let quoted = |id: Uuid| format!("'{id}'");
    let (own, seeded) = (id(place, which), which == Which::Seeded);
    let values = [
        (":workspace", quoted(place.workspace)),
        (":environment", format!("'{}'", place.environment)),
        (":project", place.project.map_or("NULL".to_owned(), quoted)),
        (":person", quoted(person(place.workspace))),
        (":member", quoted(person(if seeded { place.workspace } else { NEW }))),
        (":user", quoted(if seeded { person(place.workspace) } else { own })),
        (":self", quoted(place.project.filter(|_| seeded).unwrap_or(own))),
        (":seeded", quoted(id(place, Which::Seeded))),
        (":number", (own.as_u128() & 0xFFFF).to_string()),
        (":id", quoted(own)),
    ];
    let fill = |value: &str| values.iter().fold(value.to_owned(), |value, (name, with)| value.replace(name, with));
    let pairs = columns.split(';').map(|column| column.trim().split_once(' ').unwrap());
    pairs.map(|(column, value)| (column, fill(value))).collect()
}

/// `INSERT` of this row.
pub fn insert(table: &str, row: &Row) -> String {
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    let values: Vec<&str> = row.iter().map(|(_, value)| value.as_str()).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// One row at each place of each table.
pub async fn seed(owner: &PgPool, tables: &[Table]) {
    for table in tables.iter().filter(|table| !table.is_partition) {
        let mut places = places(table);
        if table.name == "users" {
            places.push(Place { workspace: NEW, environment: "live", project: None });
        }
        for place in places {
            let sql = insert(&table.name, &row(&table.name, place, Which::Seeded));
            sqlx::query(AssertSqlSafe(sql.clone()))
                .execute(owner)
                .await
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    }
}
