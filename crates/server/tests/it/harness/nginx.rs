//! Debian's nginx before a server of a test, with a configuration of which the examples in `ops/nginx` are a part.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::process::{free_port, until};
use super::programs;

/// It ends with this.
pub struct Nginx {
    /// Where it listens, without a slash at the end.
    pub url: String,
    _process: Child,
    _dir: TempDir,
}

impl Nginx {
    /// With these upstreams, and a server that includes the example of this name beside what else stands in it.
    pub async fn with(upstreams: &str, server: &str, example: &str) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ops/nginx").join(example);
        // What the example leaves to the operator; all that it does stands in the file itself.
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
             events {{}}
             http {{
                 access_log off;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
                 scgi_temp_path scgi;
                 {upstreams}
                 server {{
                     listen 127.0.0.1:{port};
                     {server}
                     include {};
                 }}
             }}",
            example.display()
        );
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let process = Command::new(programs::nginx())
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let client = super::http::http();
        until(async || client.get(&url).send().await.is_ok()).await;
        Self { url, _process: process, _dir: dir }
    }
}
