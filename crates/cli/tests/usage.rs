//! The program as it is run: what it says and how it ends when there is no server to ask.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const KEY: &str = "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K";

/// Runs the program as a user without any setting but the folder of profiles.
fn bailiwick(config: &Path, args: &[&str]) -> Output {
    command(config, args).output().unwrap()
}

fn command(config: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
    command.args(args).env_clear().env("XDG_CONFIG_HOME", config).stdin(Stdio::null());
    command
}

fn with_input(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that ends without reading closes the pipe, which is its right.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A profile file as `login` leaves it, for a server where nobody answers.
fn signed_in(config: &Path) {
    let folder = config.join("bailiwick");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("current = \"p\"\n[profiles.p]\nserver = \"http://localhost:1\"\ntoken = \"{KEY}\"\n");
    std::fs::write(folder.join("config.toml"), text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(folder.join("config.toml"), owner_only).unwrap();
    }
}

#[test]
fn a_command_that_is_not_understood_is_a_usage_error() {
    let config = tempfile::tempdir().unwrap();
    let check = |args: &[&str]| {
        let output = bailiwick(config.path(), args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    };
    check(&[]);
    check(&["frobnicate"]);
    check(&["keys"]);
    check(&["login"]);
    check(&["login", "--token-stdin", KEY]);
    check(&["keys", "list", "--limit", "0"]);
    check(&["keys", "list", "-o", "xml"]);
    check(&["keys", "list", "--environment", "staging"]);
    check(&["keys", "list", "--workspace", "../admin"]);
    check(&["keys", "list", "--server", "https://user:password@example.com"]);
    check(&["keys", "get", "prj_01h455vb4pex5vsknk084sn02q"]);
    check(&["keys", "create", "n"]);
    check(&["keys", "create", "n", "--scope", "everything"]);
    check(&["keys", "create", "n", "--scope", "read", "--expires-in", "soon"]);
    check(&["keys", "create", "n", "--scope", "read", "--expires-in", "1d", "--expires-at", "2027-01-01T00:00:00Z"]);
    check(&["keys", "create", "n", "--scope", "read", "--idempotency-key", "two words"]);
    check(&["keys", "create", "n", "--scope", "read", "-o", "id"]);
    check(&["workspaces", "create", "n"]);
    check(&["completion", "tcsh"]);
    check(&["audit", "list", "--from", "yesterday"]);
    check(&["audit", "list", "--limit", "0"]);
    check(&["audit", "receipt", "key_01h455vb4pex5vsknk084sn02q"]);
    check(&["audit", "receipt", "evt_01h455vb4pex5vsknk084sn02q", "--open", "everything"]);
    check(&["audit", "pin", "--key", "nonsense"]);
    check(&["verify", "file"]);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let config = tempfile::tempdir().unwrap();
    let nouns: [&[&str]; 27] = [
        &[],
        &["login"],
        &["logout"],
        &["profiles"],
        &["profiles", "list"],
        &["profiles", "use"],
        &["workspaces"],
        &["workspaces", "list"],
        &["workspaces", "get"],
        &["workspaces", "create"],
        &["workspaces", "use"],
        &["keys"],
        &["keys", "create"],
        &["keys", "list"],
        &["keys", "get"],
        &["keys", "revoke"],
        &["keys", "self"],
        &["projects", "list"],
        &["projects", "create"],
        &["members", "list"],
        &["completion"],
        &["audit"],
        &["audit", "list"],
        &["audit", "receipt"],
        &["audit", "checkpoint"],
        &["audit", "pin"],
        &["verify"],
    ];
    for noun in nouns {
        let output = bailiwick(config.path(), &[noun, &["--help"]].concat());
        assert_eq!(code(&output), 0, "{noun:?}");
        assert!(stdout(&output).contains("Usage: bailiwick"), "{noun:?}");
        assert!(stdout(&output).contains("--output"), "{noun:?}");
        assert_eq!(stderr(&output), "", "{noun:?}");
    }
    assert!(stdout(&bailiwick(config.path(), &["--version"])).starts_with("bailiwick 0."));
}

#[test]
fn every_shell_has_its_completion() {
    let config = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = bailiwick(config.path(), &["completion", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        assert!(stdout(&output).contains("workspaces"), "{shell}");

        let as_json = bailiwick(config.path(), &["completion", shell, "-o", "json"]);
        let document: Value = serde_json::from_slice(&as_json.stdout).unwrap();
        assert_eq!(document["script"], stdout(&output), "{shell}");
        let as_yaml = bailiwick(config.path(), &["completion", shell, "-o", "yaml"]);
        assert_eq!(serde_saphyr::from_str::<Value>(stdout(&as_yaml)).unwrap(), document, "{shell}");
    }
}

#[test]
fn who_is_not_signed_in_is_told_how_to() {
    let config = tempfile::tempdir().unwrap();
    let check = |args: &[&str]| {
        let output = bailiwick(config.path(), args);
        assert_eq!(code(&output), 4, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("bailiwick login --token-stdin"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    };
    check(&["keys", "list"]);
    check(&["keys", "self"]);
    check(&["workspaces", "list"]);
    check(&["members", "list", "-w", "acme"]);
    check(&["projects", "list", "--profile", "nobody"]);
    check(&["logout"]);
    check(&["audit", "list"]);
    check(&["audit", "pin"]);
}

#[test]
fn with_json_wanted_a_failure_is_json_too() {
    let config = tempfile::tempdir().unwrap();
    let output = bailiwick(config.path(), &["keys", "list", "-o", "json"]);
    let failure: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(failure["code"], "cli_auth");
    assert_eq!(stdout(&output), "");
}

#[test]
fn what_cannot_be_a_token_is_refused_before_it_is_sent() {
    let config = tempfile::tempdir().unwrap();
    for input in ["", "\n", "bw_live_tooshort", "two words", &KEY.replace('1', "2")] {
        let login = command(config.path(), &["login", "--token-stdin", "--server", "http://localhost:1"]);
        let output = with_input(login, input);
        assert_eq!(code(&output), 4, "{input:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("no answer from"), "{}", stderr(&output));
        assert!(!config.path().join("bailiwick/config.toml").exists());
    }
}

#[test]
fn a_token_that_no_server_has_checked_is_not_stored() {
    let config = tempfile::tempdir().unwrap();
    let login = command(config.path(), &["login", "--token-stdin", "--server", "http://localhost:1"]);
    let output = with_input(login, KEY);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("no answer from http://localhost:1"), "{}", stderr(&output));
    assert!(!config.path().join("bailiwick/config.toml").exists());
}

#[test]
fn a_first_sign_in_has_to_name_its_server() {
    let config = tempfile::tempdir().unwrap();
    let output = with_input(command(config.path(), &["login", "--token-stdin"]), KEY);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--server"), "{}", stderr(&output));
}

#[test]
fn a_token_does_not_travel_in_the_clear() {
    let config = tempfile::tempdir().unwrap();
    let login = command(config.path(), &["login", "--token-stdin", "--server", "http://bailiwick.invalid"]);
    let output = with_input(login, KEY);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("--insecure-http"), "{}", stderr(&output));
}

#[test]
fn a_stored_token_goes_to_no_other_server() {
    let config = tempfile::tempdir().unwrap();
    signed_in(config.path());
    let output = bailiwick(config.path(), &["keys", "list", "--server", "http://localhost:2"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("is for http://localhost:1, not for http://localhost:2"), "{}", stderr(&output));
}

#[test]
fn a_token_from_the_environment_mixes_with_no_profile() {
    let config = tempfile::tempdir().unwrap();
    signed_in(config.path());
    let run = |args: &[&str], token: &str| command(config.path(), args).env("BAILIWICK_TOKEN", token).output().unwrap();

    let alone = run(&["keys", "list"], KEY);
    assert_eq!(code(&alone), 2);
    assert!(stderr(&alone).contains("BAILIWICK_SERVER"), "{}", stderr(&alone));
    assert_eq!(code(&run(&["keys", "list", "--profile", "p"], KEY)), 2);
    let remember = run(&["workspaces", "use", "acme", "--server", "http://localhost:1"], KEY);
    assert!(stderr(&remember).contains("BAILIWICK_WORKSPACE"), "no profile is changed: {}", stderr(&remember));
    assert_eq!(code(&run(&["keys", "list", "--server", "http://localhost:1"], "bw_live_typo")), 4);
    let empty = run(&["keys", "list", "--server", "http://localhost:2"], "");
    assert!(stderr(&empty).contains("profile p"), "an empty variable is as good as none: {}", stderr(&empty));
}

#[test]
fn nobody_to_ask_means_no_revocation() {
    let config = tempfile::tempdir().unwrap();
    signed_in(config.path());
    let revoke = ["keys", "revoke", "key_01h455vb4pex5vsknk084sn02q", "-w", "acme"];
    let output = bailiwick(config.path(), &revoke);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
}

#[test]
fn profiles_are_listed_without_their_tokens() {
    let config = tempfile::tempdir().unwrap();
    signed_in(config.path());
    for format in ["table", "json", "yaml", "id"] {
        let output = bailiwick(config.path(), &["profiles", "list", "-o", format]);
        assert_eq!(code(&output), 0, "{format}");
        assert!(stdout(&output).contains('p'), "{format}");
        assert!(!stdout(&output).contains("bw_live"), "{format}");
    }
    assert_eq!(code(&bailiwick(config.path(), &["profiles", "use", "nobody"])), 3);
    assert_eq!(code(&bailiwick(config.path(), &["profiles", "use", "p"])), 0);

    let logout = bailiwick(config.path(), &["logout", "-o", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&logout.stdout).unwrap()["profile"], "p");
    assert_eq!(stdout(&bailiwick(config.path(), &["profiles", "list", "-o", "json"])), "[]\n");
}

#[cfg(unix)]
#[test]
fn a_profile_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let config = tempfile::tempdir().unwrap();
    signed_in(config.path());
    let file = config.path().join("bailiwick/config.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = bailiwick(config.path(), &["profiles", "list"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
}
