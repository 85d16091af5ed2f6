//! What work costs in the house, beside the same work done barely: the ratios that `cargo xtask bench` prints.
//!
//! Each comparison stands in a file of its own and in [`ALL`]. This program only measures: it writes every sample to
//! stdout, one tab-separated line each (see `harness::Comparison`), and `cargo xtask bench` makes medians, ratios and
//! `target/bench.json` of them. A figure that misses its target is no failure; a comparison that could not be made is.

mod bare_insert_with_entry;
mod change_with_entry;
mod commit_to_receipt;
mod harness;
mod ingest;
mod jobs_against_graphile;
mod read_at_a_million;
mod refresh_session;
mod seal_and_open;
mod verify_a_million;
mod verify_in_process;
mod verify_over_http;
mod verify_token;
mod with_entry;

use std::process::ExitCode;

use harness::Options;

/// A comparison's name, which the filter is looked for in, and how it is made.
type Named = (&'static str, fn(&Options) -> anyhow::Result<()>);

const ALL: [Named; 25] = [
    (change_with_entry::NAME, change_with_entry::run),
    (bare_insert_with_entry::NAME, bare_insert_with_entry::run),
    (verify_over_http::NAME, verify_over_http::run),
    (verify_in_process::THOUSAND, verify_in_process::thousand),
    (verify_in_process::HUNDRED_THOUSAND, verify_in_process::hundred_thousand),
    (verify_in_process::MILLION, verify_in_process::million),
    (seal_and_open::SMALL, seal_and_open::small),
    (seal_and_open::MIDDLE, seal_and_open::middle),
    (seal_and_open::LARGE, seal_and_open::large),
    (seal_and_open::WARM, seal_and_open::warm),
    (seal_and_open::COLD, seal_and_open::cold),
    (jobs_against_graphile::NAME, jobs_against_graphile::run),
    (jobs_against_graphile::WAITING, jobs_against_graphile::waiting),
    (jobs_against_graphile::HELD, jobs_against_graphile::held),
    (jobs_against_graphile::PLAIN, jobs_against_graphile::plain),
    (jobs_against_graphile::CLAIMS, jobs_against_graphile::claims),
    (read_at_a_million::PAGES, read_at_a_million::pages),
    (read_at_a_million::SEARCH, read_at_a_million::search),
    (read_at_a_million::PROOF, read_at_a_million::proof),
    (commit_to_receipt::NAME, commit_to_receipt::run),
    (verify_a_million::NAME, verify_a_million::run),
    (refresh_session::NAME, refresh_session::run),
    (verify_token::NAME, verify_token::run),
    (ingest::ONE, ingest::one),
    (ingest::MANY, ingest::many),
];

fn main() -> ExitCode {
    if let Some(served) = verify_over_http::serve_if_asked().or_else(jobs_against_graphile::serve_if_asked) {
        return if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let options = match Options::read() {
        Ok(Some(options)) => options,
        // `cargo test --all-targets` runs benchmarks too, without saying `--bench`: there is nothing to test.
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    let wanted: Vec<Named> = ALL.into_iter().filter(|(name, _)| options.wants(name)).collect();
    if wanted.is_empty() {
        eprintln!("no such comparison; there are:");
        ALL.iter().for_each(|(name, _)| eprintln!("  {name}"));
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for (name, compare) in wanted {
        if let Err(error) = compare(&options) {
            eprintln!("{name}: could not be measured: {error:#}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
