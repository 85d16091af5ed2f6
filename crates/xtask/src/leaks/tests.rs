//! The scan finds what is there, nothing else, and refuses to pass without having looked.

use std::fs;
use std::path::PathBuf;

use super::check;

/// A test run's folder, removed at the end of the test.
struct TestRun(PathBuf);

impl TestRun {
    /// With 60 API keys in the list, a clean log and a clean database.
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("xtask-leaks-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let run = Self(dir);
        let keys: Vec<String> = (0..60).map(api_key).collect();
        run.write("secrets.txt", keys.join("\n").as_bytes());
        run.write("logs/server.log", b"a request with bw_live_ and nothing else\n");
        run.write("clusters/one/base/1/2601", &[0; 4096]);
        run
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn add_secret(&self, secret: &str) {
        let list = fs::read_to_string(self.0.join("secrets.txt")).unwrap();
        self.write("secrets.txt", format!("{list}\n{secret}\n").as_bytes());
    }

    fn failure(&self) -> Option<String> {
        check(&self.0).err().map(|error| format!("{error:#}"))
    }
}

impl Drop for TestRun {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn api_key(number: u32) -> String {
    format!("bw_live_{:x>34}{number:06}", "")
}

#[test]
fn a_clean_run_passes() {
    assert_eq!(TestRun::new("clean").failure(), None);
}

#[test]
fn a_key_in_a_database_is_named_by_file_and_kind_only() {
    let run = TestRun::new("key");
    run.write("clusters/one/base/1/2602", format!("\0\0{}\0", api_key(7)).as_bytes());
    let failure = run.failure().unwrap();
    assert!(failure.contains("2602: API key"), "{failure}");
    assert!(!failure.contains(&api_key(7)), "{failure}");
}

#[test]
fn a_secret_is_found_wherever_a_chunk_ends() {
    let secret = api_key(31);
    let chunk = 1 << 20;
    // The last sixteen fall on all phases of a step.
    let starts = [0, chunk - secret.len(), chunk - 20, chunk - 1, chunk, 2 * chunk - 5];
    for start in starts.into_iter().chain(100..116) {
        let run = TestRun::new(&format!("chunk-{start}"));
        let mut content = vec![b'-'; start];
        content.extend_from_slice(secret.as_bytes());
        content.extend(vec![b'y'; 100]);
        run.write("logs/long.log", &content);
        assert!(run.failure().is_some_and(|failure| failure.contains("long.log: API key")), "at {start}");
    }
}

#[test]
fn the_token_of_a_link_leaks_without_its_link() {
    let run = TestRun::new("link");
    run.add_secret("http://localhost:4000/auth/link?token=Zm9vYmFyYmF6cXV4");
    run.write("logs/server.log", b"{\"token\":\"Zm9vYmFyYmF6cXV4\"}");
    assert!(run.failure().is_some_and(|failure| failure.contains("server.log: link")));
}

#[test]
fn a_short_code_is_no_pattern() {
    let run = TestRun::new("code");
    run.add_secret("482913");
    run.write("logs/server.log", b"duration_ms=482913");
    assert_eq!(run.failure(), None);
}

#[test]
fn a_scan_that_cannot_fail_fails() {
    for missing in ["secrets.txt", "logs/server.log", "clusters/one/base/1/2601"] {
        let run = TestRun::new(&format!("missing-{}", missing.len()));
        fs::remove_file(run.0.join(missing)).unwrap();
        assert!(run.failure().is_some(), "{missing}");
    }
    let run = TestRun::new("few");
    run.write("secrets.txt", (0..49).map(|n| api_key(n) + "\n").collect::<String>().as_bytes());
    assert!(run.failure().is_some_and(|failure| failure.contains("fewer than 50")));
}
