//! What the policies say, word by word.
//!
//! A wall of a tenant's is a comparison with a setting of the transaction. PostgreSQL prints a policy's expression in one
//! form, so the comparison is of texts: whatever reads otherwise is a fault until somebody has looked at it.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_server::db::OperationalPath;
use sqlx::PgConnection;

use super::exceptions::{OPENINGS, Opening};

const OWNER: &str = "bailiwick_owner";
const RUNTIME: &str = "bailiwick_runtime";
const SYSTEM: &str = "bailiwick_system";

const WORKSPACE: &str = r#"(workspace_id = ( SELECT (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid AS "nullif"))"#;
const ENVIRONMENT: &str =
    r#"(environment = ( SELECT NULLIF(current_setting('app.environment'::text, true), ''::text) AS "nullif"))"#;
const UNCONFINED: &str = "(( SELECT current_setting('app.project_id'::text, true) AS current_setting) = '*'::text)";
const PATH: &str = "( SELECT current_setting('app.operational_path'::text, true) AS current_setting)";

#[derive(sqlx::FromRow)]
struct Policy {
    tab: String,
    name: String,
    /// `r`, `a`, `w`, `d` or `*`.
    command: String,
    permissive: bool,
    /// Empty for PUBLIC.
    roles: Vec<String>,
    lets_see: Option<String>,
    lets_write: Option<String>,
    is_partition: bool,
    has_workspace: bool,
    has_environment: bool,
    /// The column that names the project.
    project: Option<String>,
}

/// Every breach of the rules on policies.
pub(super) async fn faults(connection: &mut PgConnection) -> Vec<String> {
    let policies = read(connection).await;
    let mut faults: Vec<String> = policies.iter().flat_map(faults_of).collect();
    faults.extend(tables(connection).await.into_iter().filter_map(|table| {
        let owners = policies.iter().filter(|policy| policy.tab == table && policy.roles == [OWNER]).count();
        (owners != 1).then(|| format!("{table}: has {owners} policies for its owner, of 1"))
    }));
    faults.extend(differences(&policies));
    faults.extend(spread(&policies));
    faults
}

async fn read(connection: &mut PgConnection) -> Vec<Policy> {
    let has = |column: &str| {
        format!(
            "EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = '{column}' AND NOT attisdropped)"
        )
    };
    let sql = format!(
        "SELECT c.oid::regclass::text AS tab, polname::text AS name, polcmd::text AS command, polpermissive AS permissive,
             ARRAY(SELECT pg_get_userbyid(role)::text FROM unnest(polroles) AS role WHERE role <> 0) AS roles,
             regexp_replace(pg_get_expr(polqual, polrelid), '\\s+', ' ', 'g') AS lets_see,
             regexp_replace(pg_get_expr(polwithcheck, polrelid), '\\s+', ' ', 'g') AS lets_write,
             relispartition AS is_partition, {} AS has_workspace, {} AS has_environment,
             CASE WHEN relname = 'projects' THEN 'id' WHEN {} THEN 'project_id' END AS project
         FROM pg_policy JOIN pg_class c ON c.oid = polrelid ORDER BY tab, name",
        has("workspace_id"),
        has("environment"),
        has("project_id"),
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await.unwrap()
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND relname <> '_sqlx_migrations' AND nspname <> 'information_schema' AND nspname !~ '^pg_'";
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

fn faults_of(policy: &Policy) -> Vec<String> {
    let of = |what: &str| format!("{}: policy {} {what}", policy.tab, policy.name);
    let mut faults = Vec::new();
    if !policy.permissive {
        faults.push(of("is restrictive, which nobody here expects"));
    }
    match policy.roles.as_slice() {
        [role] if role == OWNER => faults.extend(owner(policy).map(of)),
        [role] if policy.is_partition => faults.push(of(&format!("lets {role} into a partition"))),
        [role] if role == RUNTIME => faults.extend(runtime(policy).iter().map(|what| of(what))),
        [role] if role == SYSTEM => faults.extend(paths(policy).err().map(|what| of(&what))),
        [] => faults.push(of("serves PUBLIC")),
        roles => faults.push(of(&format!("serves {}", roles.join(", ")))),
    }
    faults
}

/// The owner migrates, validates and dumps under FORCE.
fn owner(policy: &Policy) -> Option<&'static str> {
    let all = Some("true");
    let opens_all = policy.command == "*" && policy.lets_see.as_deref() == all && policy.lets_write.as_deref() == all;
    (!opens_all).then_some("does not show the owner all rows")
}

fn runtime(policy: &Policy) -> Vec<String> {
    if let Some(opening) = OPENINGS.iter().find(|known| (known.table, known.policy) == (&policy.tab, &policy.name)) {
        return if is_as_known(policy, opening) { vec![] } else { vec!["is not the known opening".to_owned()] };
    }
    if !policy.has_workspace {
        return vec!["lets bailiwick_runtime into a table of the cell".to_owned()];
    }
    let sees = policy.command != "a";
    let writes = matches!(policy.command.as_str(), "*" | "a" | "w");
    let mut faults = Vec::new();
    if sees {
        faults.extend(
            missing_walls(policy, policy.lets_see.as_deref()).map(|wall| format!("has no {wall} wall in USING")),
        );
    }
    if writes {
        let missing = missing_walls(policy, policy.lets_write.as_deref());
        faults.extend(missing.map(|wall| format!("has no {wall} wall in WITH CHECK")));
    }
    faults
}

fn is_as_known(policy: &Policy, opening: &Opening) -> bool {
    let writable = (opening.command == '*').then_some(opening.lets_through);
    policy.command == opening.command.to_string()
        && policy.lets_see.as_deref() == Some(opening.lets_through)
        && policy.lets_write.as_deref() == writable
}

/// The walls that the table's columns ask for and that are no condition of the expression.
fn missing_walls(policy: &Policy, expression: Option<&str>) -> impl Iterator<Item = &'static str> {
    let conditions = conditions(expression.unwrap_or("true"));
    let stands = |wall: &str| conditions.contains(&wall);
    let project = policy.project.as_deref().is_none_or(|column| {
        let within = r#"( SELECT (NULLIF(NULLIF(current_setting('app.project_id'::text, true), ''::text), '*'::text))::uuid AS "nullif")"#;
        stands(UNCONFINED) || stands(&format!("({UNCONFINED} OR ({column} = {within}))"))
    });
    [
        ("workspace", stands(WORKSPACE)),
        ("environment", !policy.has_environment || stands(ENVIRONMENT)),
        ("project", project),
    ]
    .into_iter()
    .filter_map(|(wall, stands)| (!stands).then_some(wall))
}

/// The conditions of which all must hold: `(a AND b)` falls into `a` and `b`, anything else is one.
fn conditions(expression: &str) -> Vec<&str> {
    let Some(inner) = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return vec![expression];
    };
    let (mut depth, mut quoted, mut start, mut found) = (0_i32, false, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ' ' if !quoted && depth == 0 && inner[at..].starts_with(" AND ") => {
                found.push(&inner[start..at]);
                start = at + " AND ".len();
            }
            ' ' if !quoted && depth == 0 && inner[at..].starts_with(" OR ") => return vec![expression],
            _ => {}
        }
    }
    if found.is_empty() {
        return vec![expression];
    }
    found.push(&inner[start..]);
    found
}

/// The operational paths that a policy of `bailiwick_system` names: the same for what it sees and what it writes.
fn paths(policy: &Policy) -> Result<BTreeSet<&'static str>, String> {
    let (sees, writes) = match policy.command.as_str() {
        "r" | "d" => (true, false),
        "a" => (false, true),
        "w" => (true, true),
        _ => return Err("names no command".to_owned()),
    };
    let mut named = Vec::new();
    for (expression, wanted) in [(&policy.lets_see, sees), (&policy.lets_write, writes)] {
        match (expression, wanted) {
            (Some(expression), true) => named.push(named_within_walls(policy, expression)?),
            (None, false) => {}
            _ => return Err("lacks USING or WITH CHECK".to_owned()),
        }
    }
    match named.as_slice() {
        [one] => Ok(one.clone()),
        [sees, writes] if sees == writes => Ok(sees.clone()),
        _ => Err("sees and writes by different paths".to_owned()),
    }
}

/// The paths, if those that serve a request stand within its walls and the others stand alone.
fn named_within_walls(policy: &Policy, expression: &str) -> Result<BTreeSet<&'static str>, String> {
    let conditions = conditions(expression);
    let (named, walls): (Vec<&str>, Vec<&str>) = conditions.into_iter().partition(|condition| condition.contains(PATH));
    let [named] = named.as_slice() else { return Err("does not compare app.operational_path".to_owned()) };
    let named = named_paths(named)?;
    let is_within =
        |path: &&str| OperationalPath::ALL.iter().any(|known| known.as_str() == *path && known.is_within_a_workspace());
    let wanted: &[&str] = match (named.iter().any(is_within), named.iter().all(is_within), policy.has_environment) {
        (false, ..) => &[],
        (true, false, _) => return Err("names paths within a workspace and others".to_owned()),
        (true, true, false) => &[WORKSPACE],
        (true, true, true) => &[WORKSPACE, ENVIRONMENT],
    };
    if walls == wanted { Ok(named) } else { Err("does not stand within the walls of its path".to_owned()) }
}

fn named_paths(expression: &str) -> Result<BTreeSet<&'static str>, String> {
    let list = expression.strip_prefix(&format!("({PATH} = ")).and_then(|rest| rest.strip_suffix(')'));
    let list = list.ok_or("does not compare app.operational_path")?;
    let list = list.strip_prefix("ANY (ARRAY[").and_then(|rest| rest.strip_suffix("])")).unwrap_or(list);
    list.split(", ")
        .map(|word| {
            let word = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix("'::text")).unwrap_or(word);
            let path = OperationalPath::ALL.into_iter().find(|path| path.as_str() == word);
            path.map(OperationalPath::as_str).ok_or_else(|| format!("names the unknown path {word}"))
        })
        .collect()
}

/// What the policies let each path reach against what [`OperationalPath::reaches`] says: both ways.
fn differences(policies: &[Policy]) -> Vec<String> {
    let mut in_catalog = BTreeSet::new();
    for policy in policies.iter().filter(|policy| policy.roles == [SYSTEM]) {
        let command = match policy.command.as_str() {
            "r" => "SELECT",
            "a" => "INSERT",
            "w" => "UPDATE",
            _ => "DELETE",
        };
        in_catalog
            .extend(paths(policy).unwrap_or_default().into_iter().map(|path| (path, policy.tab.as_str(), command)));
    }
    let documented: BTreeSet<_> = OperationalPath::ALL
        .into_iter()
        .flat_map(|path| path.reaches().iter().map(move |(table, commands)| (path.as_str(), *table, *commands)))
        .flat_map(|(path, table, commands)| commands.iter().map(move |command| (path, table, *command)))
        .collect();
    let line = |why: &'static str| {
        move |(path, table, command): &(&str, &str, &str)| format!("{table}: operational path {path} {why} {command}")
    };
    let undocumented = in_catalog.difference(&documented).map(line("is let to, and not documented to,"));
    undocumented.chain(documented.difference(&in_catalog).map(line("is documented, and not let, to"))).collect()
}

/// PostgreSQL sets each policy up for each statement, so one names all the paths that stand alone.
fn spread(policies: &[Policy]) -> impl Iterator<Item = String> {
    let mut alone = BTreeMap::<_, usize>::new();
    for policy in policies.iter().filter(|policy| policy.roles == [SYSTEM]) {
        let expression = policy.lets_see.as_ref().or(policy.lets_write.as_ref());
        if expression.is_some_and(|expression| conditions(expression).len() == 1) {
            *alone.entry((policy.tab.clone(), policy.command.clone())).or_default() += 1;
        }
    }
    let spread = alone.into_iter().filter(|(_, count)| *count > 1);
    spread.map(|((table, command), count)| format!("{table}: has {count} policies of paths alone for {command}, of 1"))
}

#[test]
fn conditions_fall_apart_at_their_own_and_alone() {
    let cases: [(&str, &[&str]); 5] = [
        ("true", &["true"]),
        ("(a = b)", &["(a = b)"]),
        ("((a = 1) AND (b = 2))", &["(a = 1)", "(b = 2)"]),
        ("((a = ' AND ') AND ((b = 2) OR (c = 3)))", &["(a = ' AND ')", "((b = 2) OR (c = 3))"]),
        ("((a = 1) OR (b = 2))", &["((a = 1) OR (b = 2))"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(conditions(expression), expected, "{expression}");
    }
}
