//! HTTP/1.1 with nothing to spare: a request made beforehand, an answer read to its end.

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection, and what is asked on it in turn.
pub(super) struct Client {
    stream: TcpStream,
    asked: Vec<Asked>,
    turn: usize,
    answer: Vec<u8>,
}

/// A request, and what a right answer to it has in its body.
#[derive(Clone)]
pub(super) struct Asked {
    request: Vec<u8>,
    expected: &'static str,
}

impl Asked {
    pub(super) fn hello(host: &str) -> Self {
        Self { request: format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(), expected: "hello" }
    }

    pub(super) fn verify(host: &str, credential: &str, key: &str) -> Self {
        let body = format!(r#"{{"key":"{key}","scope":"read"}}"#);
        let request = format!(
            "POST /internal/v1/keys/verify HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {credential}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { request: request.into_bytes(), expected: r#""valid":true"# }
    }
}

impl Client {
    pub(super) async fn connect(address: &str, asked: Vec<Asked>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens at {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, asked, turn: 0, answer: Vec::with_capacity(4_096) })
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(mut self) -> anyhow::Result<Self> {
        self.turn = (self.turn + 1) % self.asked.len().max(1);
        let asked = self.asked.get(self.turn).context("nothing to ask")?;
        self.stream.write_all(&asked.request).await?;
        self.answer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server hung up");
            if let Some(body) = body(&self.answer)? {
                ensure!(
                    self.answer.starts_with(b"HTTP/1.1 200 ")
                        && memmem::find(body, asked.expected.as_bytes()).is_some(),
                    "answered {}",
                    String::from_utf8_lossy(&self.answer)
                );
                return Ok(self);
            }
        }
    }
}

/// The body, once all of it is there.
fn body(answer: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = answer.split_at(end + 4);
    let name = b"\r\ncontent-length: ";
    let Some(at) = memmem::find(head, name) else { bail!("an answer without a length") };
    let digits = head.get(at + name.len()..).unwrap_or_default().iter().map_while(|b| char::from(*b).to_digit(10));
    let length = digits.fold(0, |length, digit| length * 10 + u64::from(digit));
    Ok((rest.len() as u64 >= length).then_some(rest))
}
