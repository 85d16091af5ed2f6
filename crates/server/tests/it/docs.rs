//! The documentation, held to what it says.
//!
//! Every fenced block of `README.md` and `docs/` that a reader could type says in its fence how it is held; one that
//! does not is a fault. Nothing is skipped in silence.
//!
//! | fence | held by |
//! |---|---|
//! | `sh run` | running it in bash: all blocks of a page in one shell, from the top, in an empty folder |
//! | `sql run` | the same, by psql as a superuser |
//! | `sh check` | its programs are known, and ours have these subcommands and options |
//! | `sql check` | PostgreSQL plans it on our schema |
//! | `json output`, `text output` | the run block above it printed this; `…` stands for anything |
//!
//! A page with blocks to run begins with `<!-- run on: … -->`:
//!
//! - `dev`: a development server on the default addresses, its data in `.bailiwick/`;
//! - `session`: somebody has signed in there, and the access token is in the file `token`;
//! - `key`: they have a workspace, the command line is signed in, and an API key is in `found.key`;
//! - `postgres`: an empty PostgreSQL on its usual port, and nothing of ours.
//!
//! Blocks are run as they stand, but for the addresses: see `ground`.

mod claims;
mod format;
mod ground;
mod links;
mod page;
mod shape;

use futures_util::{StreamExt as _, stream};

use crate::harness::cluster::TestDatabase;
use crate::harness::process::DevHome;
use ground::Ground;
use page::{Held, Page};

/// Pages that are run at once.
const AT_ONCE: usize = 3;

/// `README.md` and everything under `docs/`.
fn pages() -> Vec<Page> {
    page::all().into_iter().filter(|page| page.path == "README.md" || page.path.starts_with("docs/")).collect()
}

#[test]
fn every_block_says_how_it_is_held() {
    let faults: Vec<String> = pages().iter().flat_map(Page::faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(pages().iter().any(|page| page.path == "docs/guide/first-steps.md" && page.runs()), "the pages are found");
}

#[tokio::test]
async fn what_is_run_does_what_it_says() {
    let pages: Vec<Page> = pages().into_iter().filter(Page::runs).collect();
    let ran = stream::iter(&pages).map(run).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    let faults: Vec<String> = ran.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

async fn run(page: &Page) -> Vec<String> {
    let home = DevHome::temporary();
    let ground = Ground::lay(&home, &page.ground).await;
    let faults = ground.run(page).await;
    ground.clear().await;
    faults
}

#[tokio::test]
async fn what_is_only_shown_exists() {
    let mut faults = Vec::new();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.held == Held::ShCheck) {
            let found = shape::faults(&block.text).await;
            faults.extend(found.into_iter().map(|fault| format!("{}:{}: {fault}", page.path, block.line)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn statements_that_are_only_shown_fit_the_schema() {
    let database = TestDatabase::create().await;
    let mut faults = Vec::new();
    for page in pages() {
        for block in page.blocks.iter().filter(|block| block.held == Held::SqlCheck) {
            let plan = format!("EXPLAIN {}", block.text);
            if let Err(error) = sqlx::raw_sql(sqlx::AssertSqlSafe(plan)).execute(&database.owner).await {
                faults.push(format!("{}:{}: {error}", page.path, block.line));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
