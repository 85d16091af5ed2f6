//! `bailiwickd dev`: from an empty directory to a running server, and back, however it ended before.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions, Connection};

use crate::harness::cluster::options;
use crate::harness::process::{DevHome, bailiwickd, gone, mode, refused, until};

/// Changes whenever the database is made anew.
async fn identity(home: &DevHome) -> (i64, String) {
    let mut owner = options(&home.read("postgres.url").into()).connect().await.unwrap();
    let oid: i64 = sqlx::query_scalar("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    owner.close().await.unwrap();
    (oid, home.read("secrets/internal_key"))
}

#[tokio::test]
async fn a_directory_is_used_again_after_every_kind_of_end() {
    let home = DevHome::temporary();

    let server = home.start().await;
    assert_eq!(server.url, home.url());
    assert_eq!(server.readyz().await, 200);
    let made = identity(&home).await;
    let postmaster = home.postmaster().unwrap();
    let (status, rest) = server.stop(Signal::SIGINT).await;
    assert!(status.success(), "{status}\n{}", home.log());
    assert_eq!(rest, "", "stdout belongs to the ready line");
    assert_eq!(home.postmaster(), None, "the database has stopped in good order");
    gone(postmaster).await;

    let server = home.start().await;
    assert_eq!(identity(&home).await, made);
    let orphan = home.postmaster().unwrap();
    server.kill_9().await;
    assert!(kill(Pid::from_raw(orphan), None).is_ok(), "the database outlives its killed server");

    let server = home.start().await;
    gone(orphan).await;
    assert_eq!(identity(&home).await, made);
    assert_ne!(home.postmaster(), Some(orphan));
    let (status, _) = server.stop(Signal::SIGTERM).await;
    assert!(status.success(), "{status}\n{}", home.log());
}

#[tokio::test]
async fn the_server_survives_the_death_of_its_database() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let first = home.postmaster().unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    until(async || home.postmaster().is_some_and(|pid| pid != first) && server.readyz().await == 200).await;
    assert!(home.log().contains("database.died") && home.log().contains("database.restarted"), "{}", home.log());
    let answer = reqwest::get(format!("{}/v1/workspaces", server.url)).await.unwrap();
    assert_eq!(answer.status(), 401);
    let second = home.postmaster().unwrap();
    let (status, _) = server.stop(Signal::SIGTERM).await;
    assert!(status.success(), "{status}\n{}", home.log());
    gone(second).await;
}

#[tokio::test]
async fn server_and_database_killed_together_start_again() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let made = identity(&home).await;
    let postmaster = home.postmaster().unwrap();
    kill(server.pid(), Signal::SIGSTOP).unwrap();
    kill(Pid::from_raw(postmaster), Signal::SIGKILL).unwrap();
    server.kill_9().await;
    assert!(home.postmaster().is_some(), "the pid file stays behind");

    // By the time of the next start its number may be somebody else's.
    let owner = std::fs::metadata(home.dir.join("postgres/data")).unwrap();
    let mut stranger = std::process::Command::new("sleep");
    stranger.arg("60");
    if owner.uid() != nix::unistd::Uid::effective().as_raw() {
        stranger.uid(owner.uid()).gid(owner.gid());
    }
    let mut stranger = stranger.spawn().unwrap();
    let file = home.dir.join("postgres/data/postmaster.pid");
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    std::fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();
    gone(postmaster).await;

    let server = home.start().await;
    assert_eq!(identity(&home).await, made);
    assert_eq!(stranger.try_wait().unwrap(), None, "the stranger is left alone");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn what_is_secret_is_for_its_owner_alone() {
    let home = DevHome::temporary();
    // What a first start leaves that was killed in the middle of initdb.
    std::fs::create_dir_all(home.dir.join("postgres/data.new/base")).unwrap();
    std::fs::write(home.dir.join("format"), "1\n").unwrap();
    std::fs::write(home.dir.join("postgres/password"), "old").unwrap();
    let server = home.start().await;
    let secrets = home.dir.join("secrets");
    let names: Vec<String> =
        std::fs::read_dir(&secrets).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for name in ["internal_key", "kek.json", "owner_password", "runtime_password", "system_password"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    for name in &names {
        assert_eq!(mode(&secrets.join(name)), 0o600, "{name}");
    }
    assert_eq!((mode(&secrets), mode(&home.dir.join("postgres.url"))), (0o700, 0o600));
    assert_eq!((mode(&home.dir.join("postgres/data")), mode(&home.dir.join("run"))), (0o700, 0o700));
    assert!(!home.dir.join("postgres/data.new").exists() && !home.dir.join("postgres/password").exists());

    let said = home.refused().await;
    assert!(said.contains(&format!("port {}", home.port)), "{said}");
    let mut second = DevHome::temporary();
    second.dir.clone_from(&home.dir);
    let said = second.refused().await;
    assert!(said.contains(&format!("is in use by another bailiwickd (process {})", server.pid())), "{said}");
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_taken_port_is_said_before_anything_is_made() {
    let home = DevHome::temporary();
    for (port, flag) in [(home.port, "--listen"), (home.private_port, "--private-listen")] {
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let said = home.refused().await;
        assert!(said.contains(&format!("port {port} ")) && said.contains(&format!("{flag} 127.0.0.1:PORT")), "{said}");
    }
    assert!(!home.dir.exists(), "nothing was made");
}

#[tokio::test]
async fn missing_binaries_are_named_with_the_places_searched() {
    let home = DevHome::temporary();
    let empty = tempfile::tempdir().unwrap();
    let said = refused(home.command().env("PATH", "").env("PG_BIN", empty.path())).await;
    assert!(said.contains(&format!("{} (PG_BIN): no initdb", empty.path().display())), "{said}");
    assert!(said.contains("apt-get install postgresql"), "{said}");
}

#[tokio::test]
async fn a_directory_of_another_version_is_left_alone() {
    let home = DevHome::temporary();
    home.start().await.stop(Signal::SIGTERM).await;

    let version = home.dir.join("postgres/data/PG_VERSION");
    let right = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, "9.6\n").unwrap();
    let said = home.refused().await;
    assert!(said.contains("was made by PostgreSQL 9.6"), "{said}");
    std::fs::write(&version, right).unwrap();

    std::fs::write(home.dir.join("format"), "2\n").unwrap();
    let said = home.refused().await;
    assert!(said.contains("data format \"2\""), "{said}");
    std::fs::remove_file(home.dir.join("format")).unwrap();
    let said = home.refused().await;
    assert!(said.contains("is no data directory of Bailiwick"), "{said}");
    std::fs::write(home.dir.join("format"), "1\n").unwrap();

    std::fs::rename(home.dir.join("secrets/superuser_password"), home.dir.join("aside")).unwrap();
    let said = home.refused().await;
    assert!(said.contains("secrets/superuser_password is missing or does not fit"), "{said}");
    std::fs::write(home.dir.join("secrets/superuser_password"), "another\n").unwrap();
    let said = home.refused().await;
    assert!(said.contains("secrets/superuser_password is missing or does not fit"), "{said}");
    std::fs::rename(home.dir.join("aside"), home.dir.join("secrets/superuser_password")).unwrap();

    home.start().await.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_wrong_call_is_exit_code_2() {
    for arguments in [["dev", "--listen=8080"], ["serve", "--colour=red"], ["--bogus", "x"]] {
        let output = bailiwickd(arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// A role may change its own settings; that must not outlast a restart, nor hide rows or raise errors before it.
#[tokio::test]
async fn what_a_role_did_to_its_own_settings_is_taken_back() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let pool = sqlx::PgPool::connect_lazy(&home.read("postgres.url")).unwrap();
    sqlx::query("ALTER ROLE CURRENT_USER SET row_security = off").execute(&pool).await.unwrap();
    let settings = "SELECT count(*) FROM pg_db_role_setting";
    assert_eq!(sqlx::query_scalar::<_, i64>(settings).fetch_one(&pool).await.unwrap(), 1);
    pool.close().await;
    server.stop(Signal::SIGTERM).await;
    let server = home.start().await;
    let pool = sqlx::PgPool::connect_lazy(&home.read("postgres.url")).unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(settings).fetch_one(&pool).await.unwrap(), 0);
    pool.close().await;
    server.stop(Signal::SIGTERM).await;
}
