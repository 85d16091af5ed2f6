//! A mail server in this process.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An SMTP server that answers the recipients of its conversations by these lines, the last one for ever.
pub struct Sink {
    /// `smtp://…`
    pub url: String,
    taken: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Sink {
    /// With these answers.
    pub async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers.get(number).or(answers.last()).unwrap();
                kept.lock().unwrap().push(Vec::new());
                converse(stream, answer, |line| kept.lock().unwrap()[number].push(line)).await;
            }
        });
        Self { url, taken }
    }

    /// What clients said, a list of lines for each conversation.
    pub fn conversations(&self) -> Vec<Vec<String>> {
        self.taken.lock().unwrap().clone()
    }
}

/// One conversation; each line that the client said is noted before it is answered.
async fn converse(stream: TcpStream, to_recipient: &str, note: impl Fn(String)) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut in_data = false;
    write.write_all(b"220 sink.example\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.as_str() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => "",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            line if line.starts_with("RCPT") => to_recipient,
            _ => "250 sink.example",
        };
        note(line);
        if !answer.is_empty() && write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            break;
        }
    }
}
